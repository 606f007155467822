// The benchmark; see run.sh for its options.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { chart } from "./lib/chart.mjs";
import { drive, startEcho } from "./lib/drive.mjs";
import { install, peer, PEERS } from "./lib/peers.mjs";
import {
  countSyncs, cpu_ms, load as loadOfMachine, machine, stop, watchMemory, written_bytes,
} from "./lib/processes.mjs";
import { perExecution } from "./lib/rows.mjs";
import { floor, fresh, product } from "./lib/subjects.mjs";
import { summary, table } from "./lib/table.mjs";
import { dataOf, VARIANTS } from "./lib/variants.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LATENCY_SECONDS_MAX = 15;
const PORTS_OF_A_PEER = 4;
const SETTLES_MS = 400;
const SYNCED_RUNS = 50;
const PROJECTED_WITHIN_MS = 15_000;

const { values: given } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "10" },
    runs: { type: "string", default: "200" },
    "at-once": { type: "string", default: "32" },
    only: { type: "string" },
    peers: { type: "string" },
    against: { type: "string" },
    build: { type: "string", default: join(root, "build") },
    profile: { type: "string", default: "release" },
    out: { type: "string", default: join(root, "target/bench/result") },
    ports: { type: "string", default: "9860" },
    short: { type: "boolean", default: false },
  },
  args: process.argv.slice(2).map((word) => (word === "--peers" ? `--peers=${PEERS}` : word)),
});
const options = settle(given);
const say = (text) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

function settle({ short, ...values }) {
  const number = (name) => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} ${values[name]}: not a number above 0`);
    return value;
  };
  const names = values.only?.split(",") ?? VARIANTS.map(({ name }) => name);
  const unknown = names.find((name) => !VARIANTS.some((variant) => variant.name === name));
  if (unknown) throw new Error(`--only: there is no variant ${unknown}`);
  return {
    ...values,
    variants: VARIANTS.filter(({ name, slow }) => names.includes(name) && !(short && slow)),
    peers: values.peers?.split(",") ?? [],
    rounds: short ? 1 : number("rounds"),
    seconds: short ? 1 : number("seconds"),
    runs: short ? 2 : number("runs"),
    at_once: short ? 4 : number("at-once"),
    ports: number("ports"),
    short,
  };
}

async function main() {
  const work = join(root, "target/bench");
  const echo = options.ports;
  const echo_url = `http://127.0.0.1:${echo}`;
  mkdirSync(work, { recursive: true });
  const worker = await startEcho(root, work, echo);
  const subjects = subjectsOf(work, echo, echo_url);
  const result = { at: new Date().toISOString(), machine: machine(), options, subjects: {} };
  try {
    for (const subject of subjects) await begin(subject, result, echo_url);
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const variant of options.variants) {
        for (const subject of turned(subjects, round)) {
          await measure({ subject, variant, round, result, echo_url });
        }
      }
    }
    if (!options.short) await count(subjects, result, work, echo_url);
  } finally {
    for (const subject of subjects) await subject.stop();
    await stop(worker);
  }
  publish(result);
}

function subjectsOf(work, echo, echo_url) {
  let port = options.ports + 1;
  const build = resolve(options.build);
  const of = (name, build) =>
    product({ name, root, work: join(work, name), port: port++, build, echo });
  const subjects = [of("orchestrator", build)];
  if (options.against) subjects.push(of("against", resolve(options.against)));
  subjects.push(floor({ root, work: join(work, "floor"), port: port++ }));
  for (const name of options.peers) {
    if (!PEERS.includes(name)) throw new Error(`--peers: ${name} is none of ${PEERS}`);
    const folder = join(work, "peers", name);
    const missing = install(name, folder, say);
    if (missing) {
      say(`${name} is left out: ${missing}`);
      continue;
    }
    const ports = Array.from({ length: PORTS_OF_A_PEER }, () => port++);
    subjects.push(peer(name, { root, work: join(work, name), folder, echo_url, ports }));
  }
  return subjects;
}

/** Starts a subject and warms it up. */
async function begin(subject, result, echo_url) {
  const began = Date.now();
  await subject.start();
  const of = { durability: subject.durability, ready_ms: Date.now() - began, variants: {} };
  result.subjects[subject.name] = of;
  say(`${subject.name} serves after ${of.ready_ms} ms`);
  for (const variant of options.variants.filter((variant) => !variant.slow)) {
    const load = subject.load(variant, { data: dataOf(variant.bytes), echo_url });
    if (!load) continue;
    const warm = { ...load, at_once: 4, seconds: options.short ? 0.2 : 2, runs: null };
    const { errors, error_samples } = await drive(root, warm);
    if (errors > 0) throw new Error(`${subject.name}: ${variant.name}: ${error_samples}`);
  }
}

/** One subject, one variant: first one at a time, then many. */
async function measure({ subject, variant, round, result, echo_url }) {
  const load = subject.load(variant, { data: dataOf(variant.bytes), echo_url });
  if (!load) return;
  const roots = subject.process();
  const runs = variant.slow ? Math.ceil(options.runs / 50) : options.runs;
  const memory = watchMemory(roots);
  const rowsBefore = await settled(subject);
  const one = await drive(root, { ...load, at_once: 1, runs, seconds: LATENCY_SECONDS_MAX });
  const rowsAfter = await settled(subject, one.n, rowsBefore);
  await sleep(SETTLES_MS);
  const before = { cpu: cpu_ms(roots), bytes: written_bytes(roots) };
  const at_once = Math.min(variant.at_once ?? options.at_once, options.at_once);
  const many = await drive(root, { ...load, at_once, runs: null, seconds: options.seconds });
  const done = Math.max(many.n, 1);
  const figures = {
    round, load: loadOfMachine(), one, many, at_once,
    cpu_ms: (cpu_ms(roots) - before.cpu) / done,
    written_kib: (written_bytes(roots) - before.bytes) / 1024 / done,
    peak_mib: memory(),
    rows: rowsAfter && perExecution(rowsBefore, rowsAfter, Math.max(one.n, 1)),
  };
  const of = result.subjects[subject.name].variants;
  (of[variant.name] ??= []).push(figures);
  const ms = (value) => `${value.toFixed(2)} ms`;
  say(`round ${round}, ${variant.name}, ${subject.name}: p50 ${ms(one.p50_ms)}, ` +
    `${many.per_s.toFixed(1)}/s at ${at_once}, CPU ${ms(figures.cpu_ms)}, load ${figures.load}`);
  const { errors, error_samples } = one.errors > 0 ? one : many;
  if (errors > 0) say(`  ${errors} errors: ${error_samples}`);
  if (options.short && errors > 0) throw new Error(`${subject.name} answers with errors`);
}

/** The rows of a subject that has any, when all executions are projected. */
async function settled(subject, more, before) {
  if (!subject.rows) return undefined;
  const end = Date.now() + PROJECTED_WITHIN_MS;
  const projected = (rows) => rows.d1.pipeline_executions ?? 0;
  for (;;) {
    const rows = subject.rows();
    const still = before ? projected(rows) >= projected(before) + more : await calm(subject, rows);
    if (still || Date.now() > end) return rows;
    await sleep(200);
  }
}

/** Whether the rows of a subject are those of half a second ago. */
async function calm(subject, rows) {
  await sleep(500);
  return JSON.stringify(subject.rows()) === JSON.stringify(rows);
}

/** Counts of syncs, under strace, and so apart from all that is timed. */
async function count(subjects, result, work, echo_url) {
  const [variant] = options.variants;
  for (const subject of subjects) {
    const load = subject.load(variant, { data: dataOf(variant.bytes), echo_url });
    if (!load) continue;
    const work_done = async () => (await drive(root, { ...load, at_once: 1, runs: SYNCED_RUNS })).n;
    const syncs = await countSyncs(subject.process(), work, work_done);
    result.subjects[subject.name].syncs = syncs;
    say(`${subject.name}: ${syncs ?? "no strace, so nobody counted"} syncs for each`);
  }
}

/** Another subject is first in each round. */
function turned(subjects, round) {
  const by = (round - 1) % subjects.length;
  return [...subjects.slice(by), ...subjects.slice(0, by)];
}

function publish(result) {
  result.summary = summary(result);
  const text = table(result);
  fresh(options.out);
  writeFileSync(join(options.out, "table.txt"), text);
  writeFileSync(join(options.out, "result.json"), `${JSON.stringify(result, null, 1)}\n`);
  writeFileSync(join(options.out, "chart.svg"), chart(result));
  process.stdout.write(text);
  if (options.short) process.stdout.write("the harness works; these are no figures\n");
}

await main();
