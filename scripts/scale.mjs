// A data set of a million executions in a local D1, and how long the orchestrator takes to answer
// over it.
//
//   scripts/scale.sh STATE [--executions N] [--port P] [--rounds N] [--days N]
//
// STATE is a migrated state folder (scripts/migrate.sh STATE). Its data set is made where it has
// none; then a stack is started over it and each request is sent N times: the first of a fresh
// stack is "cold", the others give the median and the worst. The exit status is 1 where a median
// is over 300 ms.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LIMIT_MS = 300;

const options = { executions: 1_000_000, port: 8790, rounds: 7, days: 60 };
const [state, ...rest] = process.argv.slice(2);
for (let at = 0; at < rest.length; at += 2) {
  const name = rest[at].replace(/^--/, "");
  if (!(name in options) || !(Number(rest[at + 1]) > 0)) throw new Error(`what is ${rest[at]}?`);
  options[name] = Number(rest[at + 1]);
}
if (!state) throw new Error("scale.sh STATE [--executions N] [--port P] [--rounds N] [--days N]");

const folder = join(state, "v3", "d1", "miniflare-D1DatabaseObject");
const files = existsSync(folder) ? readdirSync(folder) : [];
const file = files.find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
if (!file) throw new Error(`${folder} has no database: scripts/migrate.sh ${state}`);

const database = new DatabaseSync(join(folder, file));
const count = (table) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get().n;
const now_s = Math.floor(Date.now() / 1000);
const sql = (name) => readFileSync(join(root, "bench", "scale", name), "utf8")
  .replaceAll(":executions", options.executions)
  .replaceAll(":days", options.days)
  .replaceAll(":now_s", now_s);
if (count("pipeline_executions") < options.executions) {
  for (const name of ["data.sql", "figures.sql"]) {
    const began = Date.now();
    database.exec(sql(name));
    console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
}
const tables = [
  "pipeline_executions", "worker_execution_results", "execution_rollups", "step_rollups",
];
for (const table of tables) console.log(`${table}: ${count(table)} rows`);
database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
database.close();

const keys = Object.fromEntries(readFileSync(join(root, ".dev.vars"), "utf8").split("\n")
  .filter((line) => line.includes("=")).map((line) => line.split(/=(.*)/s).slice(0, 2)));
const client = { "X-API-Key": keys.CLIENT_API_KEY };
const worker = { Authorization: `Bearer ${keys.WORKER_SHARED_SECRET}`, "X-Worker-ID": "scale" };
const day = (back) => new Date((now_s - back * 86400) * 1000).toISOString();

const requests = [
  ["a trivial request", "/healthz", {}],
  ["history, first page", "/pipeline-history", client],
  ["history, page of 200", "/pipeline-history?limit=200", client],
  ["history, a page far back", `/pipeline-history?limit=200&to=${day(50)}`, client],
  ["history of a template", "/pipeline-history?template=template_4", client],
  ["history of a status", "/pipeline-history?status=failed", client],
  ["history of a strategy, a week", `/pipeline-history?strategy=balanced&from=${day(7)}`, client],
  ["history of a rare topic", "/pipeline-history?topic=archaeopteryx", client],
  ["history of a topic that nobody has", "/pipeline-history?topic=nobody-asked-this", client],
  ["history of a cost that nothing has", "/pipeline-history?cost_min_usd=9", client],
  ["history as CSV, 5,000 lines", "/pipeline-history?format=csv", client],
  ["history with a total", "/pipeline-history?limit=1&total=true", client],
  ["total of a topic that nobody has", "/pipeline-history?topic=nobody-asked&total=true", client],
  ...["1h", "24h", "7d", "30d"].map((range) => [
    `insights, ${range}, fresh`, `/performance-insights?time_range=${range}&fresh=true`, client]),
  ["insights, 30d, known", "/performance-insights?time_range=30d", client],
  ...["/admin/stats", "/admin/performance", "/admin/costs", "/admin/alerts", "/metrics"].map(
    (path) => [path, path, worker]),
  ["/admin/performance, 30d", "/admin/performance?time_range=30d", worker],
  ["/admin/costs, 60 days", `/admin/costs?from=${day(60).slice(0, 10)}`, worker],
  ["/admin/stats of an account", "/admin/stats?account=account_3", worker],
];

const url = `http://127.0.0.1:${options.port}`;
const stack = spawn(
  join(root, "scripts", "stack.sh"),
  ["--port", String(options.port), "--state", state, "--no-cron", "--log", "/dev/null"],
  { stdio: ["ignore", "ignore", "inherit"], detached: true },
);
try {
  await answering();
  console.log(`\n${"request".padEnd(38)} status   cold  median   worst     bytes`);
  let slow = 0;
  for (const [name, path, headers] of requests) slow += await measure(name, path, headers);
  process.exitCode = slow > 0 ? 1 : 0;
} finally {
  process.kill(-stack.pid, "SIGTERM");
}

async function answering() {
  for (let tries = 0; tries < 240; tries += 1) {
    try {
      if ((await fetch(`${url}/healthz`)).ok) return;
    } catch { /* not yet */ }
    await sleep(500);
  }
  throw new Error("the stack does not answer");
}

/** Prints a line; 1 where the median of what came after the first is over the limit. */
async function measure(name, path, headers) {
  const times = [];
  let reply;
  let size = 0;
  for (let round = 0; round <= options.rounds; round += 1) {
    // A fresh answer is not made again within 5 seconds.
    if (path.includes("fresh=true") && round > 0) await sleep(5100);
    const began = performance.now();
    reply = await fetch(url + path, { headers });
    size = (await reply.arrayBuffer()).byteLength;
    times.push(performance.now() - began);
  }
  const [cold, ...warm] = times;
  warm.sort((a, b) => a - b);
  const median = warm[Math.floor(warm.length / 2)];
  const ms = (value) => value.toFixed(0).padStart(7);
  const figures = `${ms(cold)} ${ms(median)} ${ms(warm.at(-1))} ${String(size).padStart(9)}`;
  console.log(`${name.padEnd(38)} ${String(reply.status).padStart(6)}${figures}`);
  return reply.ok && median > LIMIT_MS ? 1 : 0;
}
