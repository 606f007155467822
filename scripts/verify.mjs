// The one-minute check, for verify.sh: node scripts/verify.mjs URL, the key in CLIENT_API_KEY.

import { Client, reason, seconds } from "./client.mjs";

const PIPELINE_TIMEOUT_MS = 60_000;
const client = new Client(process.argv[2], process.env.CLIENT_API_KEY);
const green = (text) => (process.stdout.isTTY ? `\x1b[32m${text}\x1b[0m` : text);
const red = (text) => (process.stdout.isTTY ? `\x1b[31m${text}\x1b[0m` : text);
let passed = 0;
let failed = 0;

const NO_SUCH_ID = "pipe_0_00000000000000000000000000";

console.log(`checking ${client.url}`);
await check("it serves", async () => {
  const { body } = await expect(200, "GET", "/health");
  demand(["ok", "degraded"].includes(body.status), `status is ${body.status}`);
});
await check("templates are listed", async () => {
  const { body } = await expect(200, "GET", "/templates");
  const names = body.templates.map(({ name }) => name);
  for (const name of ["rss_intelligence_pipeline", "basic_research_pipeline"]) {
    demand(names.includes(name), `${name} is missing from ${names}`);
  }
});
await check("a request without a key is refused", async () => {
  const { body } = await expect(401, "POST", "/orchestrate", { body: { topic: "x" }, key: null });
  demand(body.error === "API key required", `the error is ${body.error}`);
});
let id;
await check("a basic pipeline completes", async () => {
  const request = {
    topic: "renewable energy",
    pipeline_template: "basic_research_pipeline",
    async: true,
    use_cache: false,
  };
  ({ pipeline_id: id } = (await expect(202, "POST", "/orchestrate", { body: request })).body);
  const ended = await client.follow(id, { timeoutMs: PIPELINE_TIMEOUT_MS });
  demand(ended.status === "completed", `it ended ${ended.status}: ${reason(ended.pipeline.error)}`);
});
await check("its status shows every step", async () => {
  demand(id, "no execution was started");
  const { body } = await expect(200, "GET", `/pipeline/${id}`);
  const steps = body.pipeline.worker_results;
  demand(steps.length > 0 && steps.every(({ success }) => success), "a step did not succeed");
});
await check("an unknown pipeline is not found", async () => {
  const { body } = await expect(404, "GET", `/pipeline/${NO_SUCH_ID}`);
  demand(body.error === "Pipeline not found", `the error is ${body.error}`);
});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function check(name, test) {
  const began = performance.now();
  try {
    await test();
    passed += 1;
    console.log(`${green("✓")} ${name} (${seconds(performance.now() - began)})`);
  } catch (error) {
    if (error.cause?.code === "ECONNREFUSED") stop(`nothing answers at ${client.url}`);
    failed += 1;
    console.log(`${red("✗")} ${name}: ${error.cause?.message ?? error.message}`);
  }
}

async function expect(status, method, path, options) {
  const reply = await client.call(method, path, options);
  demand(reply.status === status, `${method} ${path}: ${reply.status} ${reply.text.slice(0, 300)}`);
  return reply;
}

function stop(message) {
  console.error(`error: ${message}; ./run.sh --serve starts an orchestrator here`);
  process.exit(1);
}

function demand(holds, message) {
  if (!holds) throw new Error(message);
}
