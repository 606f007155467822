// Counts what the platform bills for an execution, and prices it; see cost.sh. The counts come from
// bench/cost/index.js, a meter around the build, and from the runtime's own words (rows of D1 and
// of SQLite cursors, index rows included, as they are billed).
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { drive, startEcho } from "./lib/drive.mjs";
import { cpu_ms, load as loadOfMachine, stop } from "./lib/processes.mjs";
import { floor, fresh, product } from "./lib/subjects.mjs";
import { dataOf, VARIANTS } from "./lib/variants.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PROJECTED_WITHIN_MS = 20_000;
const SETTLES_MS = 1_500;
const WARM_RUNS = 20;
/** Expensive variants are run so much less often. */
const FEWER = { thousand: 20, map: 4, large: 4 };

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "40" },
    "at-once": { type: "string", default: "1" },
    only: { type: "string" },
    build: { type: "string", default: join(root, "build") },
    profile: { type: "string", default: "release" },
    out: { type: "string", default: join(root, "target/bench/cost") },
    ports: { type: "string", default: "9860" },
  },
});
const prices = JSON.parse(readFileSync(join(root, "bench/prices.json"), "utf8"));
const names = values.only?.split(",");
const variants = VARIANTS.filter(({ name }) => names?.includes(name) ?? true);
const [port, runs, at_once] = [values.ports, values.runs, values["at-once"]].map(Number);
const work = join(root, "target/bench");
const echo_url = `http://127.0.0.1:${port}`;

mkdirSync(work, { recursive: true });
const echo = await startEcho(root, work, port);
const subject = product({
  name: "metered", root, work: join(work, "metered"), port: port + 1, build: metered(), echo: port,
});
const bare = floor({ root, work: join(work, "floor"), port: port + 2 });
const results = [];
try {
  await subject.start();
  await bare.start();
  for (const variant of variants) results.push(await costOf(variant));
} finally {
  await subject.stop();
  await bare.stop();
  await stop(echo);
}
publish();

/** The build with a meter around it. */
function metered() {
  const folder = join(work, "metered-build");
  fresh(folder);
  const build = resolve(values.build);
  copyFileSync(join(root, "bench/cost/index.js"), join(folder, "index.js"));
  copyFileSync(join(build, "index.js"), join(folder, "product.js"));
  copyFileSync(join(build, "index_bg.wasm"), join(folder, "index_bg.wasm"));
  return folder;
}

async function costOf(variant) {
  const executions = Math.max(2, Math.ceil(runs / (FEWER[variant.name] ?? 1)));
  const load = { ...subject.load(variant, { data: dataOf(variant.bytes), echo_url }), at_once };
  await drive(root, { ...load, runs: variant.slow ? 1 : WARM_RUNS });
  await sleep(SETTLES_MS);
  await meter();
  const before = subject.rows().d1.pipeline_executions ?? 0;
  const cpuBefore = cpu_ms(subject.process());
  const { n, errors, error_samples } = await drive(root, { ...load, runs: executions });
  if (errors > 0) throw new Error(`${variant.name}: ${error_samples}`);
  await projected(before + n);
  const cpu = (cpu_ms(subject.process()) - cpuBefore) / n;
  const counts = Object.fromEntries(
    Object.entries(await meter()).sort().map(([what, times]) => [what, times / n]));
  const result = { variant: variant.name, what: variant.what, n, cpu_ms: cpu, counts };
  result.lines = linesOf(counts, cpu);
  result.total = sum(result.lines);
  result.peers = await peersOf(variant);
  result.load = loadOfMachine();
  return result;
}

async function meter() {
  const url = subject.load(VARIANTS[0], { data: "", echo_url }).url.replace("orchestrate", "meter");
  return (await fetch(url)).json();
}

async function projected(wanted) {
  const end = Date.now() + PROJECTED_WITHIN_MS;
  while (Date.now() < end) {
    if ((subject.rows().d1.pipeline_executions ?? 0) >= wanted) break;
    await sleep(200);
  }
  await sleep(SETTLES_MS);
}

/** Dollars for a million executions, by what is billed. */
function linesOf(counts, cpu) {
  const { per_million: price, object_memory_gb, queue_operations_per_message } = prices.cloudflare;
  const of = (...all) => all.reduce((total, what) => total + (counts[what] ?? 0), 0);
  const both = (what) => of(`journal.${what}`, `governor.${what}`);
  const gb_s = (both("active_ms") / 1000) * object_memory_gb;
  const line = (what, units, each) => ({ what, units, dollars: units * each });
  return [
    line("Worker requests", of("worker.requests", "worker.queue_events"), price.worker_request),
    line("CPU ms, all of it", cpu, price.worker_cpu_ms),
    line("Durable Object requests", both("requests") + both("alarms"), price.object_request),
    line("Durable Object GB-s", gb_s, price.object_gb_s),
    line("journal rows written", both("rows_written"), price.object_row_written),
    line("alarms set (a row each)", both("alarms_set"), price.object_row_written),
    line("journal rows read", both("rows_read"), price.object_row_read),
    line("D1 rows written", of("d1.rows_written"), price.d1_row_written),
    line("D1 rows read", of("d1.rows_read"), price.d1_row_read),
    line("KV reads", of("kv.reads"), price.kv_read),
    line("KV writes", of("kv.writes"), price.kv_write),
    line("Queue operations", of("queue.messages") * queue_operations_per_message,
      price.queue_operation),
    line("R2 class A", of("r2.class_a"), price.r2_class_a),
    line("R2 class B", of("r2.class_b"), price.r2_class_b),
  ];
}

/** What the same steps come to elsewhere, by published units alone. */
async function peersOf(variant) {
  if (variant.cached) return {};
  const { steps } = variant;
  const { per_million } = prices.cloudflare;
  const cpu = await cpuOfFloor(variant);
  return {
    "Step Functions Standard": steps * prices.step_functions_standard.per_million_transitions,
    "Temporal Cloud": (steps + 1) * prices.temporal_cloud.per_million_actions,
    "Cloudflare Workflows": per_million.worker_request + cpu * per_million.worker_cpu_ms,
  };
}

/** A Workflow is billed for its own code's CPU time: at least that of the bare calls. */
async function cpuOfFloor(variant) {
  const of = { ...variant, awaited: false };
  const load = bare.load(of, { data: dataOf(variant.bytes), echo_url });
  const before = cpu_ms(bare.process());
  const { n } = await drive(root, { ...load, at_once, runs: WARM_RUNS });
  return (cpu_ms(bare.process()) - before) / n;
}

function sum(lines) {
  return lines.reduce((total, { dollars }) => total + dollars, 0);
}

function publish() {
  const text = [
    `Dollars for a million executions, platform fees alone; prices of ${prices.date}; ${at_once} ` +
      `at a time; build profile ${values.profile}; load ${loadOfMachine()}`,
    "CPU is that of all local processes: the orchestrator's, and the simulators of D1, KV, R2 " +
      "and queues, which the platform does not bill.",
    ...results.flatMap(page),
  ].join("\n");
  fresh(values.out);
  writeFileSync(join(values.out, "cost.txt"), `${text}\n`);
  writeFileSync(join(values.out, "cost.json"), `${JSON.stringify({ prices, results }, null, 1)}\n`);
  console.log(text);
}

function page({ variant, what, n, lines, total, peers, counts }) {
  const row = (name, units, dollars) =>
    `  ${name.padEnd(28)} ${units.padStart(10)} ${dollars.toFixed(2).padStart(9)}`;
  const used = lines.filter(({ units }) => units > 0);
  const told = Object.entries(counts).map(([name, times]) => `${name} ${Number(times.toFixed(2))}`);
  return [
    "",
    `${variant}: ${what} (${n} executions)`,
    ...used.map(({ what: name, units, dollars }) => row(name, units.toFixed(3), dollars)),
    row("in all", "", total),
    ...Object.entries(peers).map(([name, dollars]) => row(name, "", dollars)),
    `  counted: ${told.join(", ")}`,
  ];
}
