// The peers: how each is installed from its package registry, started and asked. Their pipelines
// are bench/peers/*.mjs: the same calls of the same echo worker, each result kept before the next
// step begins.
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { start, stop, until } from "./processes.mjs";
import { answers, fresh } from "./subjects.mjs";

const PACKAGES = {
  restate: ["@restatedev/restate-server@1.7.12", "@restatedev/restate-sdk@1.17.2"],
  dbos: ["@dbos-inc/dbos-sdk@5.3.0"],
  mastra: ["@mastra/core@1.71.0", "@mastra/libsql@1.23.1", "zod@4"],
  cloudflare: [],
};
const SAID = { encoding: "utf8" };
const POSTGRES_FOLDERS = ["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt"];

export const PEERS = Object.keys(PACKAGES);

/** Installs a peer where it is missing; says why where that cannot be done. */
export function install(name, folder, say) {
  if (name === "dbos" && !postgres()) return "PostgreSQL is not installed";
  const wanted = PACKAGES[name].join(" ");
  const mark = join(folder, "installed");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return undefined;
  mkdirSync(folder, { recursive: true });
  if (PACKAGES[name].length > 0) {
    say(`installing ${wanted}`);
    writeFileSync(join(folder, "package.json"), '{"private":true}\n');
    const args = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts"];
    const done = spawnSync("npm", [...args, ...PACKAGES[name]], SAID);
    if (done.status !== 0) return `npm: ${(done.stderr || done.error?.message || "").slice(-300)}`;
  }
  writeFileSync(mark, wanted);
  return undefined;
}

/** A peer as a subject. `ports` are as many as it needs: three. */
export function peer(name, options) {
  const made = { restate, dbos, mastra, cloudflare }[name](options);
  const { ports: [port], path = (variant) => `/${variant}` } = { ...options, ...made };
  return {
    name,
    ...made,
    process: () => made.processes().map((child) => child.pid),
    async stop() {
      for (const child of made.processes().reverse()) await stop(child, made.stop_signal);
    },
    load(variant, { data }) {
      if (!["sequential", "parallel"].includes(variant.name)) return undefined;
      return {
        url: `http://127.0.0.1:${made.port ?? port}${path(variant.name)}`,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ run: "{run}", step: 0, data }),
        expect: '"step":5',
        wait_url: null,
      };
    },
  };
}

function application(name, { root, work, folder, echo_url, port, env = {} }) {
  const log = join(work, "application.log");
  const child = start("node", [join(root, "bench/peers", `${name}.mjs`)], {
    log,
    env: {
      NODE_ENV: "production", PORT: String(port), ECHO_URL: echo_url, WORK: work,
      MODULES: folder, ...env,
    },
  });
  return { child, log };
}

function restate(options) {
  const { work, folder, ports: [ingress, admin, app, node] } = options;
  const children = [];
  return {
    durability: "each step on disk before the next (RocksDB log, synced)",
    port: ingress,
    path: (variant) => `/pipelines/${variant}`,
    processes: () => [...children],
    async start() {
      fresh(work);
      children.length = 0;
      const log = join(work, "server.log");
      const binary = `restate-server-${process.platform}-${process.arch}/bin/restate-server`;
      const server = start(join(folder, "node_modules/@restatedev", binary), ["--no-logo"], {
        log,
        env: {
          RESTATE_BIND_IP: "127.0.0.1", RESTATE_LISTEN_MODE: "tcp", RESTATE_NODE_NAME: "n1",
          RESTATE_DISABLE_TELEMETRY: "true", RESTATE_BASE_DIR: join(work, "data"),
          RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
          RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`, RESTATE_BIND_PORT: String(node),
          RESTATE_LOG_FILTER: "warn",
        },
      });
      children.push(server);
      await until(() => answers(`http://127.0.0.1:${admin}/health`), server, { log });
      const env = { RESTATE_LOGGING: "ERROR" };
      const { child } = application("restate", { ...options, port: app, env });
      children.push(child);
      await until(() => register(admin, app), child, { log: join(work, "application.log") });
    },
  };
}

async function register(admin, app) {
  try {
    const reply = await fetch(`http://127.0.0.1:${admin}/deployments`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ uri: `http://127.0.0.1:${app}` }),
    });
    await reply.text();
    return reply.ok;
  } catch {
    return false;
  }
}

function dbos(options) {
  const { work, ports: [port, database] } = options;
  const children = [];
  return {
    durability: "each step committed before the next (PostgreSQL, fsync and synchronous_commit on)",
    stop_signal: "SIGINT",
    processes: () => [...children],
    async start() {
      fresh(work);
      children.length = 0;
      const { server, log, url } = await cluster(work, database);
      children.push(server);
      await until(() => spawnSync(join(postgres(), "pg_isready"), ["-q", "-d", url]).status === 0,
        server, { log });
      const env = { DATABASE_URL: url.replace(/postgres$/, "dbos") };
      const app = application("dbos", { ...options, port, env });
      children.push(app.child);
      await until(() => answers(`http://127.0.0.1:${port}/`), app.child, { log: app.log });
    },
  };
}

/** A PostgreSQL of its own, with the defaults of durability. It refuses to be root's. */
async function cluster(work, port) {
  const data = join(work, "postgres");
  const log = join(work, "postgres.log");
  mkdirSync(data, { mode: 0o700 });
  const user = process.getuid() === 0 ? idsOf("postgres") : {};
  if (user.uid !== undefined) chownSync(data, user.uid, user.gid);
  const initdb = ["-D", data, "-A", "trust", "-U", "postgres", "--no-instructions"];
  execFileSync(join(postgres(), "initdb"), initdb, { ...user, cwd: data, stdio: "ignore" });
  const args = ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1",
    "-c", "unix_socket_directories="];
  const server = start(join(postgres(), "postgres"), args, { log, cwd: data, user });
  return { server, log, url: `postgresql://postgres@127.0.0.1:${port}/postgres` };
}

function idsOf(user) {
  const [uid, gid] = ["-u", "-g"].map((of) => Number(execFileSync("id", [of, user]).toString()));
  return { uid, gid };
}

function postgres() {
  for (const folder of POSTGRES_FOLDERS.filter(existsSync)) {
    const found = spawnSync("find", [folder, "-name", "initdb", "-path", "*bin*"], SAID).stdout;
    const newest = found.trim().split("\n").filter(Boolean).sort().at(-1);
    if (newest) return newest.replace(/\/initdb$/, "");
  }
  return undefined;
}

function mastra(options) {
  return onlyApplication("mastra", options, {
    durability: "a snapshot after each step, not synced to disk (SQLite, LibSQL's defaults)",
  });
}

function cloudflare(options) {
  return onlyApplication("cloudflare", options, {
    durability: "each step committed before the next (local engine on SQLite)",
  });
}

function onlyApplication(name, options, more) {
  const { work, ports: [port] } = options;
  let app;
  return {
    ...more,
    processes: () => (app ? [app.child] : []),
    async start() {
      fresh(work);
      app = application(name, { ...options, port });
      await until(() => answers(`http://127.0.0.1:${port}/`), app.child, { log: app.log });
    },
  };
}
