// A CPU profile of the orchestrator under load; see profile.sh.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { drive, startEcho } from "./lib/drive.mjs";
import { stop } from "./lib/processes.mjs";
import { product } from "./lib/subjects.mjs";
import { dataOf, VARIANTS } from "./lib/variants.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SAMPLE_EVERY_US = 250;
const NAME_CHARS_MAX = 110;

const { values } = parseArgs({
  options: {
    variant: { type: "string", default: "sequential" },
    runs: { type: "string", default: "400" },
    "at-once": { type: "string", default: "8" },
    build: { type: "string", default: join(root, "build") },
    ports: { type: "string", default: "9860" },
    top: { type: "string", default: "45" },
  },
});
const variant = VARIANTS.find(({ name }) => name === values.variant);
if (!variant) throw new Error(`--variant: there is no ${values.variant}`);
const [runs, at_once, port, top] =
  [values.runs, values["at-once"], values.ports, values.top].map(Number);

const work = join(root, "target/bench");
mkdirSync(work, { recursive: true });
const echo = await startEcho(root, work, port);
const subject = product({
  name: "profiled", root, work: join(work, "profiled"), port: port + 1,
  build: resolve(values.build), echo: port, inspector: port + 2,
});
try {
  await subject.start();
  const echo_url = `http://127.0.0.1:${port}`;
  const load = { ...subject.load(variant, { data: dataOf(variant.bytes), echo_url }), at_once };
  // Twice: what is compiled while it is profiled is no part of an execution.
  await drive(root, { ...load, runs });
  const inspector = await attach(port + 2);
  await inspector("Profiler.enable");
  await inspector("Profiler.setSamplingInterval", { interval: SAMPLE_EVERY_US });
  await inspector("Profiler.start");
  const figures = await drive(root, { ...load, runs });
  const { profile } = await inspector("Profiler.stop");
  writeFileSync(join(work, "orchestrator.cpuprofile"), JSON.stringify(profile));
  show(profile, figures.n);
} finally {
  await subject.stop();
  await stop(echo);
}

/** Calls of the runtime's inspector, for the orchestrator's isolate. */
async function attach(port) {
  const targets = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
  const named = (target) => /bitware-orchestrator/.test(`${target.id} ${target.title}`);
  const target = targets.find(named) ?? targets[0];
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const asked = new Map();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    const answer = asked.get(id);
    asked.delete(id);
    if (error) answer?.reject(new Error(error.message));
    else answer?.resolve(result);
  };
  return (method, params = {}) => new Promise((resolve, reject) => {
    last += 1;
    const id = last;
    asked.set(id, { resolve, reject });
    socket.send(JSON.stringify({ id, method, params }));
  });
}

/** The functions in which most time passed, and those under which it did, for each execution. */
function show({ nodes, samples, timeDeltas }, executions) {
  const by_id = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) =>
    children.map((child) => [child, id])));
  const name = ({ callFrame: { functionName, url, lineNumber } }) =>
    (functionName || `(anonymous) ${url.split("/").at(-1)}:${lineNumber}`);
  const own = new Map();
  const under = new Map();
  const add = (map, key, us) => map.set(key, (map.get(key) ?? 0) + us);
  samples.forEach((sample, n) => {
    add(own, name(by_id.get(sample)), timeDeltas[n]);
    const seen = new Set();
    for (let id = sample; id !== undefined; id = parents.get(id)) seen.add(name(by_id.get(id)));
    for (const each of seen) add(under, each, timeDeltas[n]);
  });
  const list = (title, map) => {
    const sorted = [...map].sort(([, a], [, b]) => b - a).slice(0, top);
    const line = ([what, us]) =>
      `${(us / 1000 / executions).toFixed(3).padStart(9)}  ${what.slice(0, NAME_CHARS_MAX)}`;
    console.log([title, ...sorted.map(line), ""].join("\n"));
  };
  list("ms for each execution, in the function itself", own);
  list("ms for each execution, in it and what it calls", under);
}
