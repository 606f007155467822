// The local stack: the orchestrator and its workers on workerd, bound as their wrangler.toml say.
//
//   node scripts/stack.mjs [options]
//     --port N              where the orchestrator answers (default 8787; 0 takes a free one)
//     --state DIR           where D1, KV, R2 and Durable Objects are (default .wrangler/state);
//                           `wrangler d1 execute --local --persist-to DIR` meets the same D1
//     --var NAME=value      a var of the orchestrator; repeatable
//     --var-all NAME=value  a var of every Worker; repeatable
//     --config FILE         a Worker to start; repeatable, the first one is served on the port
//                           (default: wrangler.toml and workers/*/wrangler.toml)
//     --build DIR           the build of the orchestrator (default: build/, as wrangler.toml says)
//     --inspector PORT      where the runtime lets itself be inspected (default: it does not)
//     --log FILE            where logs go (default: standard error)
//     --no-outbound         no Worker reaches beyond its bindings: any URL that it fetches is a 503
//     --no-cron             leave the cron handlers alone, which otherwise fire each minute
//
// Standard output carries `workerd <pid>`, `cron <url>` (a GET fires the cron of the orchestrator)
// and, when requests are answered, `ready <url>`.
// It ends with the runtime: at once and not with 0 when workerd dies. SIGINT and SIGTERM end both.

import childProcess from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createRequire, enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { parseArgs, parseEnv } from "node:util";

// Read by wrangler and Miniflare when they are loaded: no look-ups beyond this machine, no chatter.
Object.assign(process.env, { CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_LOG: "error" });

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
enableCompileCache(path.join(root, "node_modules/.cache/compile"));
const require = createRequire(import.meta.url);
// Miniflare is wrangler's own copy: the two agree on options and on the layout of the state.
const wranglerRequire = createRequire(require.resolve("wrangler/package.json"));
const READY_TIMEOUT_MS = 60_000;
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const EVERY_MINUTE = "* * * * *";

/** Starts the stack; resolves when requests are answered. `onExit` hears of a runtime that died. */
export async function startStack(options) {
  const { port, state, vars, varsAll, configs, log, cron, outbound, onExit } = options;
  const { build, inspectorPort } = options;
  const runtime = watchRuntime((reason) => onExit(`workerd ended by itself (${reason})`));
  const wrangler = require("wrangler");
  const { Miniflare, Response, Log, LogLevel, convertV4MiniflareOptions } =
    wranglerRequire("miniflare");

  const shared = { ...readDevVars(), ...varsAll };
  const workers = configs.map((file, n) =>
    workerFrom(file, wrangler, shared, n === 0 ? build : undefined),
  );
  const [orchestrator] = workers;
  Object.assign(orchestrator.bindings, vars);
  if (!outbound) {
    const refuse = () => new Response("this stack has no way out", { status: 503 });
    for (const worker of workers) worker.outboundService = refuse;
  }
  // A socket of its own: requests reach the orchestrator without Miniflare's proxy in between.
  orchestrator.unsafeDirectSockets = [{ host: "127.0.0.1", port }];

  class QuietLog extends Log {
    log(message) {
      log(message);
    }
  }
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers,
      host: "127.0.0.1",
      port: 0,
      cf: false,
      log: new QuietLog(LogLevel.WARN),
      unsafeTriggerHandlers: true,
      inspectorPort,
      handleStructuredLogs: ({ message }) => log(message),
      resourcePersistencePath: path.join(path.resolve(state), "v3"),
    }),
  );
  const entry = await miniflare.ready;
  const url = (await miniflare.unsafeGetDirectURL(orchestrator.name)).origin;
  await answered(url);
  const stopCron = cron ? fireCron(entry, workers, log) : () => {};
  return {
    url,
    cron: cronUrl(entry).href,
    pid: runtime.pid(),
    async stop() {
      stopCron();
      runtime.release();
      await miniflare.dispose();
    },
  };
}

/** The command line of this script, and of those that start a stack themselves. */
export const STACK_OPTIONS = {
  port: { type: "string", default: "8787" },
  state: { type: "string", default: path.join(root, ".wrangler/state") },
  var: { type: "string", multiple: true, default: [] },
  "var-all": { type: "string", multiple: true, default: [] },
  config: { type: "string", multiple: true },
  build: { type: "string" },
  inspector: { type: "string" },
  log: { type: "string" },
  "no-outbound": { type: "boolean", default: false },
  "no-cron": { type: "boolean", default: false },
};

export function stackArguments(values) {
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port ${values.port}: not a port`);
  }
  return {
    port,
    state: values.state,
    vars: assignments(values.var),
    varsAll: assignments(values["var-all"]),
    configs: values.config ?? defaultConfigs(),
    build: values.build && path.resolve(values.build),
    inspectorPort: values.inspector === undefined ? undefined : Number(values.inspector),
    log: logTo(values.log),
    outbound: !values["no-outbound"],
    cron: !values["no-cron"],
  };
}

/** Hears of the first wish to stop: a terminal sends one to every process, and people send two. */
export function onStopSignal(stop) {
  let stopping = false;
  const once = () => {
    if (!stopping) stop();
    stopping = true;
  };
  for (const signal of STOP_SIGNALS) {
    // The libraries' own listeners would end this process before workerd is gone.
    process.removeAllListeners(signal).on(signal, once);
  }
}

/** One line for a person, whatever went wrong at the start. */
export function explain(error, port) {
  const inUse = error.code === "ERR_ADDRESS_IN_USE";
  return inUse ? `port ${port} is in use; name another with --port` : error.message;
}

function defaultConfigs() {
  const folder = path.join(root, "workers");
  const workers = fs.readdirSync(folder).map((name) => path.join(folder, name, "wrangler.toml"));
  return [path.join(root, "wrangler.toml"), ...workers.filter((file) => fs.existsSync(file))];
}

function assignments(list) {
  return Object.fromEntries(
    list.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new Error(`${text}: expected NAME=value`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function logTo(file) {
  const descriptor = file === undefined ? process.stderr.fd : fs.openSync(file, "a");
  return (message) => fs.writeSync(descriptor, `${message}\n`);
}

function readDevVars() {
  const file = path.join(root, ".dev.vars");
  return fs.existsSync(file) ? parseEnv(fs.readFileSync(file, "utf8")) : {};
}

/** One Worker as Miniflare wants it: bindings from its wrangler.toml, modules from its build. */
function workerFrom(file, wrangler, shared, build) {
  const config = wrangler.unstable_readConfig({ config: path.resolve(file) });
  const { workerOptions, main: built } = wrangler.unstable_getMiniflareWorkerOptions(config);
  const main = build === undefined ? built : path.join(build, path.basename(built));
  if (!fs.existsSync(main)) throw new Error(`${main} is missing; scripts/build.sh makes it`);
  const folder = path.dirname(main);
  const besides = (end) =>
    fs.readdirSync(folder).filter((name) => name.endsWith(end) && name !== path.basename(main));
  const { modulesRules, ...options } = workerOptions;
  return {
    ...options,
    name: config.name,
    bindings: { ...options.bindings, ...shared },
    modulesRoot: folder,
    modules: [
      { type: "ESModule", path: main },
      ...besides(".js").map((name) => ({ type: "ESModule", path: path.join(folder, name) })),
      ...besides(".wasm").map((name) => ({ type: "CompiledWasm", path: path.join(folder, name) })),
    ],
  };
}

/**
 * Miniflare starts workerd out of our sight, and again when it dies. Here its process is caught as
 * it is made: in a group of its own, so that Ctrl-C reaches us alone; killed by the kernel if we
 * die first; and its end is ours.
 */
function watchRuntime(died) {
  const spawn = childProcess.spawn;
  const tie = ["setpriv", "--pdeathsig", "KILL"];
  const canTie = childProcess.spawnSync(tie[0], [...tie.slice(1), "true"]).status === 0;
  let runtime;
  let released = false;
  childProcess.spawn = (command, args, options) => {
    if (!path.basename(command).startsWith("workerd")) return spawn(command, args, options);
    const [program, ...rest] = [...(canTie ? tie : []), command, ...args];
    runtime = spawn(program, rest, { ...options, detached: true });
    runtime.prependListener("exit", (code, signal) => {
      if (!released) died(signal ?? `status ${code}`);
    });
    return runtime;
  };
  const release = () => {
    released = true;
  };
  return { pid: () => runtime.pid, release };
}

async function answered(url) {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      const signal = AbortSignal.timeout(READY_TIMEOUT_MS);
      await (await fetch(`${url}/health`, { signal })).arrayBuffer();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`no answer from ${url}: ${error.cause ?? error}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Where the cron of the orchestrator is fired. */
function cronUrl(entry) {
  return new URL(`/cdn-cgi/local/scheduled?cron=${encodeURIComponent(EVERY_MINUTE)}`, entry);
}

/**
 * Fires the orchestrator's cron handler at each full minute, which the local server does not do by
 * itself. Over HTTP: Miniflare's own way blocks this process until workerd answers, and workerd may
 * be waiting for this process to read its log.
 */
function fireCron(entry, workers, log) {
  const [orchestrator, ...others] = workers;
  const scheduled = ({ cronTriggers }) => cronTriggers?.length > 0;
  const odd = workers.find((worker) => worker.cronTriggers?.some((cron) => cron !== EVERY_MINUTE));
  if (odd) throw new Error(`${odd.name}: only "${EVERY_MINUTE}" is fired here`);
  const deaf = others.find(scheduled);
  if (deaf) throw new Error(`${deaf.name}: only the cron of ${orchestrator.name} is fired here`);
  const url = cronUrl(entry);
  const fire = async () => {
    try {
      const reply = await fetch(url);
      await reply.arrayBuffer();
      if (!reply.ok) log(`cron of ${orchestrator.name}: status ${reply.status}`);
    } catch (error) {
      log(`cron of ${orchestrator.name}: ${error.cause ?? error}`);
    }
  };
  let timer;
  const untilNextMinute = () => {
    timer = setTimeout(() => {
      untilNextMinute();
      if (scheduled(orchestrator)) fire();
    }, 60_000 - (Date.now() % 60_000));
  };
  untilNextMinute();
  return () => clearTimeout(timer);
}

async function main() {
  const { values } = parseArgs({ options: STACK_OPTIONS });
  const fail = (message) => {
    process.stderr.write(`error: ${message}\n`);
    process.exit(1);
  };
  let stack;
  try {
    stack = await startStack({ ...stackArguments(values), onExit: fail });
  } catch (error) {
    fail(explain(error, values.port));
  }
  onStopSignal(async () => {
    await stack.stop();
    process.exit(0);
  });
  process.stdout.write(`workerd ${stack.pid}\ncron ${stack.cron}\nready ${stack.url}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
