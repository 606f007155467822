// The pipelines as a Restate service: each step is one `run` of the context.
import { createRequire } from "node:module";
import http2 from "node:http2";
import { call, parallel, sequential } from "./http.mjs";

const restate = createRequire(`${process.env.MODULES}/`)("@restatedev/restate-sdk");
const keeper = (context) => (step, input) => context.run(`step${step}`, () => call(input, step));
const all = (promises) => restate.RestatePromise.all(promises);
const pipelines = restate.service({
  name: "pipelines",
  handlers: {
    sequential: (context, input) => sequential(keeper(context), input),
    parallel: (context, input) => parallel(keeper(context), all, input),
  },
});
const handler = restate.createEndpointHandler({ services: [pipelines] });
http2.createServer(handler).listen(Number(process.env.PORT), "127.0.0.1");
