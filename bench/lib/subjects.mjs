// What is measured: each subject starts itself, says how it is asked for an execution of each
// variant that it has, and how durably it keeps a step.
import { readFileSync, mkdirSync, rmSync, writeFileSync, readdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { start, stop, until } from "./processes.mjs";
import { parts } from "./rows.mjs";

const CLIENT_KEY = "bench-client-key-0123456789abcdef0123456789";
const WORKER_KEY = "bench-worker-secret-0123456789abcdef01234";
const VARS = [
  "MAX_CONCURRENT_PIPELINES=64", "LOG_LEVEL=warn", "MAX_PIPELINE_TIME_SECONDS=600",
  "DEFAULT_BUDGET_LIMIT_USD=5", "RATE_PER_MINUTE_KEYS=0",
];
const SYNCED_EACH_STEP = "each step on disk before the next (SQLite, synced)";

/** The product, on workerd through Miniflare, with a socket of its own. */
export function product({ name, root, work, port, build, echo, inspector }) {
  const state = join(work, "state");
  const log = join(work, "stack.log");
  let child;
  return {
    name,
    durability: SYNCED_EACH_STEP,
    process: () => [child.pid],
    state,
    async start() {
      fresh(work);
      execFileSync(join(root, "scripts/migrate.sh"), [state], { stdio: "pipe" });
      fill(root, state, echo);
      const configs = [join(root, "wrangler.toml"), ...echoes(root, work)];
      child = start("node", [
        join(root, "scripts/stack.mjs"), "--port", String(port), "--state", state, "--log", log,
        "--build", build, ...configs.flatMap((file) => ["--config", file]),
        ...VARS.flatMap((assignment) => ["--var", assignment]),
        "--var-all", `CLIENT_API_KEY=${CLIENT_KEY}`,
        "--var-all", `WORKER_SHARED_SECRET=${WORKER_KEY}`,
        ...(inspector ? ["--inspector", String(inspector)] : []),
      ], { log });
      const url = `http://127.0.0.1:${port}/healthz`;
      await until(() => answers(url), child, { log });
    },
    stop: () => stop(child),
    load(variant, { data, echo_url }) {
      const body = {
        topic: "{run}", pipeline_template: variant.template,
        input: { run: variant.awaited ? "awaited-{run}" : "{run}", data },
        use_cache: variant.cached === true,
        ...(variant.awaited ? { async: true } : {}),
      };
      if (variant.cached) Object.assign(body, { topic: "the same", input: { data, run: "same" } });
      return {
        url: `http://127.0.0.1:${port}/orchestrate`,
        headers: { "Content-Type": "application/json", "X-API-Key": CLIENT_KEY },
        body: JSON.stringify(body),
        expect: variant.awaited ? '"pipeline_id"' : '"status":"completed"',
        wait_url: variant.awaited ? `${echo_url}/wait/awaited-{run}/${variant.steps}` : null,
      };
    },
    rows: () => parts(state),
  };
}

/** A bare Worker that makes the same calls and keeps nothing. */
export function floor({ root, work, port }) {
  const log = join(work, "stack.log");
  let child;
  return {
    name: "floor",
    durability: "none: nothing is kept",
    process: () => [child.pid],
    async start() {
      fresh(work);
      const main = join(root, "bench/floor/index.js");
      const service = { binding: "ECHO", service: "echo" };
      const configs = [
        worker(work, { name: "floor", main, service }),
        worker(work, { name: "echo", main: join(root, "bench/echo/index.js") }),
      ];
      child = start("node", [
        join(root, "scripts/stack.mjs"), "--port", String(port), "--state", join(work, "state"),
        "--log", log, ...configs.flatMap((file) => ["--config", file]),
      ], { log });
      await until(() => answers(`http://127.0.0.1:${port}/`), child, { log });
    },
    stop: () => stop(child),
    load(variant, { data, echo_url }) {
      if (variant.cached || variant.awaited) return undefined;
      const body = { run: "{run}", data, shape: variant.shape, steps: variant.steps };
      if (variant.by_url) body.url = `${echo_url}/echo`;
      return {
        url: `http://127.0.0.1:${port}/`,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        expect: '"status":"completed"',
        wait_url: null,
      };
    },
  };
}

export async function answers(url) {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await reply.arrayBuffer();
    return reply.ok;
  } catch {
    return false;
  }
}

export function fresh(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}

/** The templates of the benchmark, put into the migrated database before anything serves. */
function fill(root, state, echo) {
  const folder = join(state, "v3/d1/miniflare-D1DatabaseObject");
  const file = readdirSync(folder).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const database = new DatabaseSync(join(folder, file));
  const sql = readFileSync(join(root, "bench/templates.sql"), "utf8");
  database.exec(sql.replaceAll(":url", `http://127.0.0.1:${echo}`));
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

/** An echo in the place of each Worker that the orchestrator is bound to. */
function echoes(root, work) {
  const config = readFileSync(join(root, "wrangler.toml"), "utf8").split("[env.development]")[0];
  const services = [...config.matchAll(/^service = "([^"]+)"$/gm)].map(([, name]) => name);
  const main = join(root, "bench/echo/index.js");
  return services.map((name) => worker(work, { name, main }));
}

/** Writes the configuration of a Worker. */
function worker(work, { name, main, service }) {
  const file = join(work, `${name}.toml`);
  const bound = service
    ? `\n[[services]]\nbinding = "${service.binding}"\nservice = "${service.service}"\n`
    : "";
  const head = `name = "${name}"\nmain = "${main}"\ncompatibility_date = "2026-11-17"\n`;
  writeFileSync(file, head + bound);
  return file;
}
