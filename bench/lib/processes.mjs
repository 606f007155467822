// What processes use, read from /proc over whole process trees, and how they are started and ended.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

const TICKS_PER_S = Number(spawnSync("getconf", ["CLK_TCK"]).stdout?.toString() || 100);
const SAMPLE_EVERY_MS = 500;
const STOP_PATIENCE_MS = 10_000;
const SYNCS = ["fsync", "fdatasync", "sync_file_range", "msync", "sync", "syncfs"];
const STRACE_SETTLES_MS = 1500;

// Whatever ends this process ends what it started.
const started = new Set();
process.on("exit", () => {
  const alive = [...started].filter((child) => child.exitCode === null);
  for (const pid of tree(alive.map(({ pid }) => pid))) send(pid, "SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Starts a program in a group of its own; its output goes to a file. */
export function start(command, args, { log, cwd, env, user } = {}) {
  const out = fs.openSync(log, "a");
  const options = { cwd, env: { ...process.env, ...env }, detached: true };
  const child = spawn(command, args, { ...options, ...user, stdio: ["ignore", out, out] });
  child.on("error", (error) => fs.writeSync(out, `${error.message}\n`));
  fs.closeSync(out);
  if (child.pid !== undefined) started.add(child);
  return child;
}

/** Waits until `ready` says so; the end of the program before that is an error. */
export async function until(ready, child, { log, patience_ms = 90_000 }) {
  const end = Date.now() + patience_ms;
  while (Date.now() < end) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) break;
    if (await ready()) return;
    await sleep(20);
  }
  const said = fs.readFileSync(log, "utf8").split("\n").slice(-12).join("\n");
  throw new Error(`it does not serve; ${log} ends with:\n${said}`);
}

/** Ends a program and all that it started, by their ids. */
export async function stop(child, signal = "SIGTERM") {
  if (child?.pid === undefined) return;
  started.delete(child);
  const all = tree([child.pid]);
  const alive = (pid) => fs.existsSync(`/proc/${pid}`);
  send(child.pid, signal);
  const end = Date.now() + STOP_PATIENCE_MS;
  while (Date.now() < end && child.exitCode === null && child.signalCode === null) await sleep(20);
  for (const pid of all.filter(alive)) send(pid, "SIGKILL");
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch { /* it is gone */ }
}

/** The processes themselves and all that descend from them. */
export function tree(roots) {
  const children = new Map();
  for (const name of fs.readdirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? fields(name)?.[1] : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), name]);
  }
  const found = [];
  for (const todo = roots.map(String); todo.length > 0;) {
    const pid = todo.pop();
    found.push(Number(pid));
    todo.push(...(children.get(pid) ?? []));
  }
  return found;
}

/** CPU time of the trees so far, user and system, in milliseconds; ended children count. */
export function cpu_ms(roots) {
  const ticks = tree(roots).map((pid) => fields(pid)?.slice(11, 15).map(Number) ?? [0]);
  return (ticks.flat().reduce((sum, one) => sum + one, 0) * 1000) / TICKS_PER_S;
}

/** Bytes that the trees have caused to be written to the disk so far. */
export function written_bytes(roots) {
  const of = (pid) => Number(/^write_bytes: (\d+)/m.exec(read(`/proc/${pid}/io`))?.[1] ?? 0);
  return tree(roots).reduce((sum, pid) => sum + of(pid), 0);
}

/** Memory of the trees now: pages that several share are divided among them (PSS). */
function pss_mib(roots) {
  const of = (pid) =>
    Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return tree(roots).reduce((sum, pid) => sum + of(pid), 0) / 1024;
}

/** Looks at the memory of trees now and then; `peak` is the most that it saw. */
export function watchMemory(roots) {
  const seen = { peak: 0 };
  const look = () => {
    seen.peak = Math.max(seen.peak, pss_mib(roots));
  };
  look();
  const timer = setInterval(look, SAMPLE_EVERY_MS);
  return () => {
    clearInterval(timer);
    look();
    return seen.peak;
  };
}

/** How often the trees ask for a sync to the disk while `work` goes on; null without strace. */
export async function countSyncs(roots, folder, work) {
  if (spawnSync("strace", ["-V"]).status !== 0) return null;
  const report = `${folder}/strace.txt`;
  const pids = tree(roots).flatMap((pid) => ["-p", String(pid)]);
  const args = ["-f", "-c", "-e", `trace=${SYNCS.join(",")}`, "-o", report, ...pids];
  const tracer = spawn("strace", args, { stdio: "ignore" });
  await sleep(STRACE_SETTLES_MS);
  if (tracer.exitCode !== null) return null;
  const done = await work();
  await sleep(STRACE_SETTLES_MS);
  tracer.kill("SIGINT");
  await new Promise((resolve) => tracer.once("exit", resolve));
  const lines = read(report).split("\n").map((line) => line.trim().split(/\s+/));
  const calls = lines.filter((words) => SYNCS.includes(words.at(-1)));
  return calls.reduce((sum, words) => sum + Number(words[3]), 0) / done;
}

/** The load of the machine, and what it is. */
export function machine() {
  const cpus = os.cpus();
  return {
    cores: cpus.length,
    model: cpus[0]?.model ?? "unknown",
    memory_gib: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release(),
    load: os.loadavg().map((load) => Number(load.toFixed(2))),
  };
}

export const load = () => Number(os.loadavg()[0].toFixed(2));

/** The fields of /proc/PID/stat behind the name, which may have spaces. */
function fields(pid) {
  const stat = read(`/proc/${pid}/stat`);
  return stat ? stat.slice(stat.lastIndexOf(")") + 2).split(" ") : undefined;
}

function read(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
