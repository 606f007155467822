// The load generator and the echo worker: bench/load, built.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { start, until } from "./processes.mjs";

const PROGRAM = "target/local/bench-load";
let loads = 0;

/** Starts the echo worker that is called by URL. */
export async function startEcho(root, work, port) {
  const log = join(work, "echo.log");
  const child = start(join(root, PROGRAM), ["echo", String(port)], { log });
  await until(() => readFileSync(log, "utf8").includes(`ready ${port}`), child, { log });
  return child;
}

/** Asks as a load says; resolves to its figures. Each load names its executions anew. */
export function drive(root, load) {
  loads += 1;
  const prefix = `b${Date.now().toString(36)}-${loads}`;
  const child = spawn(join(root, PROGRAM), ["drive"]);
  child.stdin.end(JSON.stringify({ seconds: null, runs: null, ...load, prefix }));
  let [out, said] = ["", ""];
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (said += data));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve(JSON.parse(out));
      else reject(new Error(`the load failed: ${said}`));
    });
  });
}
