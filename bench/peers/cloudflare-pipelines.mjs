// The pipelines as a Cloudflare Workflow: each step is a `step.do`. An instance is created and its
// end looked for every few milliseconds, as a caller has to who wants the result.
import { WorkflowEntrypoint } from "cloudflare:workers";

const LOOK_EVERY_MS = 5;

export class Pipelines extends WorkflowEntrypoint {
  async run({ payload: { input, shape } }, step) {
    const keep = (n, body) => step.do(`step${n}`, () => call(this.env, { ...body, step: n }));
    if (shape === "parallel") {
      const first = await keep(1, input);
      const [second] = await Promise.all([2, 3, 4].map((n) => keep(n, first)));
      return keep(5, second);
    }
    let answer = input;
    for (let n = 1; n <= 5; n += 1) answer = await keep(n, answer);
    return answer;
  }
}

async function call(env, body) {
  const headers = { "Content-Type": "application/json" };
  const asked = { method: "POST", headers, body: JSON.stringify(body) };
  const reply = await fetch(`${env.ECHO_URL}/echo`, asked);
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  return reply.json();
}

export default {
  async fetch(request, env) {
    if (request.method !== "POST") return new Response("ok");
    const shape = new URL(request.url).pathname.slice(1);
    const input = await request.json();
    const instance = await env.PIPELINES.create({ id: input.run, params: { input, shape } });
    for (;;) {
      const { status, output, error } = await instance.status();
      if (status === "complete") return Response.json(output);
      if (status === "errored" || status === "terminated") {
        return Response.json({ status, error }, { status: 500 });
      }
      await scheduler.wait(LOOK_EVERY_MS);
    }
  },
};
