// The pipelines as DBOS workflows: each step is a `runStep`, kept in PostgreSQL.
import { createRequire } from "node:module";
import { call, parallel, sequential, serve } from "./http.mjs";

const { DBOS } = createRequire(`${process.env.MODULES}/`)("@dbos-inc/dbos-sdk");
const keep = (step, input) => DBOS.runStep(() => call(input, step), { name: `step${step}` });
const all = (promises) => Promise.all(promises);
const routes = {
  "/sequential": DBOS.registerWorkflow((input) => sequential(keep, input), { name: "sequential" }),
  "/parallel": DBOS.registerWorkflow((input) => parallel(keep, all, input), { name: "parallel" }),
};
DBOS.setConfig({
  name: "pipelines",
  systemDatabaseUrl: process.env.DATABASE_URL,
  logLevel: "error",
  applicationVersion: "1",
});
await DBOS.launch();
serve(routes);
