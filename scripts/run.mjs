// The main job, for run.sh: starts the stack and runs the RSS intelligence pipeline on it.
//
//   node scripts/run.mjs --mode once|serve|stay --topic TEXT, and the options of stack.mjs

import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { Client, reason, seconds, usd } from "./client.mjs";
import { STACK_OPTIONS, explain, onStopSignal, stackArguments, startStack } from "./stack.mjs";

const PIPELINE_TIMEOUT_MS = 600_000;
const PROBE_TIMEOUT_MS = 4_000;
const PROBED_FEEDS = 3;
const SETTLED = { succeeded: "✓", skipped: "–", failed: "✗", cancelled: "✗", compensated: "↶" };

const root = path.dirname(import.meta.dirname);
const { values } = parseArgs({
  options: { ...STACK_OPTIONS, mode: { type: "string" }, topic: { type: "string" } },
});
// With --serve, standard output carries the line `ready …` and nothing else.
const print = values.mode === "serve" ? console.error : console.log;

const stack = await start();
onStopSignal(() => stop(values.mode === "once" ? 130 : 0));
if (values.mode === "serve") {
  console.log(`ready ${stack.url}`);
} else {
  const completed = await runPipeline(new Client(stack.url, process.env.CLIENT_API_KEY));
  if (values.mode === "once") await stop(completed ? 0 : 1);
  nextSteps();
}

async function start() {
  const options = { ...stackArguments(values), onExit: fail };
  if (await offline()) {
    options.varsAll.FEEDS_OFFLINE = "true";
    print("offline: no live feed answers, so the bundled sample feeds are read");
  } else {
    print("online: live feeds are read");
  }
  try {
    const started = await startStack(options);
    print(`serving on ${started.url} (workerd ${started.pid}; logs in ${values.log})`);
    return started;
  } catch (error) {
    return fail(explain(error, values.port));
  }
}

/** Whether the network is out of reach: a word in FEEDS_OFFLINE decides, else a few feeds do. */
async function offline() {
  if (process.env.FEEDS_OFFLINE) return process.env.FEEDS_OFFLINE === "true";
  const file = path.join(root, "workers/rss-librarian/catalogue.json");
  const feeds = JSON.parse(fs.readFileSync(file, "utf8"));
  const probe = async ({ url }) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    await response.body.cancel();
  };
  try {
    await Promise.any(feeds.slice(0, PROBED_FEEDS).map(probe));
    return false;
  } catch {
    return true;
  }
}

async function runPipeline(client) {
  print(`\ntopic: ${values.topic}\n`);
  const request = { topic: values.topic, async: true, use_cache: false };
  const { status, body, text } = await client.call("POST", "/orchestrate", { body: request });
  if (status !== 202 && status !== 200) {
    print(`refused with ${status}: ${reason(body) ?? text}`);
    return false;
  }
  const onLook = stepPrinter();
  try {
    const ended = await client.follow(body.pipeline_id, { timeoutMs: PIPELINE_TIMEOUT_MS, onLook });
    summarise(ended);
    return ended.status === "completed";
  } catch (error) {
    print(`\n${error.message}`);
    return false;
  }
}

/** Prints each step once, as it settles, and each retry as it is due. */
function stepPrinter() {
  const shown = new Set();
  return ({ pipeline }) => {
    for (const step of pipeline.worker_results) {
      const retry = step.status === "retrying";
      const key = `${step.step_name} ${step.status} ${retry ? step.attempts : ""}`;
      if (shown.has(key) || !(retry || step.status in SETTLED)) continue;
      shown.add(key);
      print(stepLine(step));
      const why = reason(step.error) ?? step.skip_reason;
      if (why) print(`      ${why}`);
    }
  };
}

function stepLine(step) {
  const columns = [
    `  ${SETTLED[step.status] ?? "↻"} ${step.step_name.padEnd(24)}`,
    (step.worker_name ?? "orchestrator").padEnd(20),
    step.status.padEnd(10),
    seconds(step.execution_time_ms).padStart(8),
    usd(step.cost_usd).padStart(9),
  ];
  return columns.join(" ");
}

function summarise(ended) {
  const report = writeReport(ended);
  print(`
${ended.status} in ${seconds(ended.total_execution_time_ms)}, ${usd(ended.total_cost_usd)}
  execution  ${ended.pipeline_id}
  template   ${ended.template}, strategy ${ended.execution_strategy}
  sources    ${ended.sources_discovered}
  articles   ${ended.articles_processed}
  quality    ${ended.final_quality_score ?? "unknown"}
  applied    ${ended.optimization_applied.join(", ") || "nothing"}
  report     ${report ?? "none"}`);
  const why = reason(ended.pipeline.error);
  if (why) print(`  error      ${why}`);
}

function writeReport(ended) {
  const html = ended.pipeline.worker_results.map(({ data }) => data?.report?.html).find(Boolean);
  if (html === undefined) return undefined;
  const folder = path.join(root, "reports");
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${ended.pipeline_id}.html`);
  fs.writeFileSync(file, html);
  return file;
}

function nextSteps() {
  print(`
go on with
  ${stack.url}/               what this is
  ${stack.url}/templates      the pipelines
  ${stack.url}/openapi.json   the whole API
  . ./.dev.vars && curl -H "X-API-Key: $CLIENT_API_KEY" -H "Content-Type: application/json" \\
    -d '{"topic":"ocean energy"}' ${stack.url}/orchestrate
Ctrl-C stops it.`);
}

async function stop(status) {
  await stack.stop();
  process.exit(status);
}

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}
