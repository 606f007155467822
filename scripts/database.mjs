// A D1 database as scripts meet it: the local one of a state folder, or a deployed one by wrangler.
// Statements are done one by one where that is possible, so that one that fails can be named.

import childProcess from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** Neither the platform's own nor what a table of searches is made of; `m` is `sqlite_master`. */
export const OWN = `name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'
  AND NOT EXISTS (SELECT 1 FROM sqlite_master AS v WHERE v.sql LIKE 'CREATE VIRTUAL%'
    AND m.name IN (v.name || '_data', v.name || '_idx', v.name || '_content',
      v.name || '_docsize', v.name || '_config'))`;
/** What searches are made of: an index that is built anew from the tables, and no rows. */
export const VIRTUAL = "sql LIKE 'CREATE VIRTUAL%'";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const config = path.join(root, "wrangler.toml");
const BINDING = "ORCHESTRATION_DB";
const EMPTY_WORKER = "export default { fetch() { return new Response(null); } };";

/** The local database of a state folder, while no stack needs it for itself alone. */
export async function localDatabase(state) {
  // Read by wrangler and Miniflare when they are loaded: no look-ups beyond this machine.
  Object.assign(process.env, { CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_LOG: "error" });
  const require = createRequire(import.meta.url);
  const wranglerRequire = createRequire(require.resolve("wrangler/package.json"));
  const wrangler = require("wrangler");
  const { Miniflare, convertV4MiniflareOptions } = wranglerRequire("miniflare");
  const { workerOptions } = wrangler.unstable_getMiniflareWorkerOptions(
    wrangler.unstable_readConfig({ config }),
  );
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        {
          name: "database",
          modules: [{ type: "ESModule", path: "index.mjs", contents: EMPTY_WORKER }],
          compatibilityDate: workerOptions.compatibilityDate,
          d1Databases: { [BINDING]: workerOptions.d1Databases[BINDING] },
        },
      ],
      host: "127.0.0.1",
      port: 0,
      cf: false,
      resourcePersistencePath: path.join(path.resolve(state), "v3"),
    }),
  );
  const database = await miniflare.getD1Database(BINDING, "database");
  return {
    name: `the local database in ${state}`,
    async query(sql) {
      return (await database.prepare(sql).all()).results;
    },
    /** Does a script, statement by statement; `done` hears of each. */
    async script(sql, done) {
      const statements = split(sql);
      for (const [at, statement] of statements.entries()) {
        try {
          await database.prepare(statement.text).run();
        } catch (error) {
          throw new StatementError(statement, at + 1, statements.length, cause(error));
        }
        done(at + 1, statements.length);
      }
    },
    close: () => miniflare.dispose(),
  };
}

/** The database of a deployed environment. D1 does a file as a whole, or nothing of it. */
export function remoteDatabase(environment) {
  const execute = (...args) => {
    const target = [BINDING, "--remote", "--env", environment, "--config", config];
    const call = ["d1", "execute", ...target, "--json", "--yes", ...args];
    const { status, stdout, stderr } = childProcess.spawnSync("wrangler", call, {
      encoding: "utf8",
      maxBuffer: 256 * 1024 * 1024,
    });
    if (status !== 0) throw new Error((stderr + stdout).trim() || `wrangler ended with ${status}`);
    return JSON.parse(stdout.slice(stdout.indexOf("[")));
  };
  return {
    name: `the database of ${environment}`,
    async query(sql) {
      return execute("--command", sql)[0].results;
    },
    async script(sql, done) {
      const statements = split(sql);
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bitware-sql-"));
      const file = path.join(folder, "script.sql");
      fs.writeFileSync(file, sql);
      try {
        execute("--file", file);
      } catch (error) {
        const offset = Number(/at offset (\d+)/.exec(error.message)?.[1] ?? NaN);
        const found = statements.findIndex(({ start, end }) => start <= offset && offset < end);
        if (found < 0) throw error;
        const statement = statements[found];
        throw new StatementError(statement, found + 1, statements.length, error.message);
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
      done(statements.length, statements.length);
    },
    async close() {},
  };
}

export class StatementError extends Error {
  constructor(statement, number, count, why) {
    super(why);
    Object.assign(this, { statement, number, count });
  }
}

function cause(error) {
  const text = String(error.cause?.message ?? error.message ?? error);
  return text.replace(/^D1_ERROR: /, "");
}

/**
 * The statements of a script, each with where it begins: its text without what stands around it,
 * its line, its place. Strings, comments and the bodies of triggers hold semicolons of their own.
 */
export function split(sql) {
  const token =
    /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[A-Za-z_]\w*|;|\S/g;
  const statements = [];
  let start = -1;
  let words = [];
  let depth = 0;
  const finish = (end) => {
    if (start >= 0) {
      const text = sql.slice(start, end).trim();
      const line = sql.slice(0, start).split("\n").length;
      statements.push({ text, line, start, end });
    }
    [start, words, depth] = [-1, [], 0];
  };
  for (const { 0: text, index } of sql.matchAll(token)) {
    if (text.startsWith("--") || text.startsWith("/*")) continue;
    if (text === ";" && depth === 0) {
      finish(index);
      continue;
    }
    if (start < 0) start = index;
    if (!/^[A-Za-z_]/.test(text)) continue;
    const word = text.toUpperCase();
    if (words.length < 4) words.push(word);
    const trigger = words[0] === "CREATE" && words.slice(1, 3).includes("TRIGGER");
    if (trigger && (word === "BEGIN" || word === "CASE")) depth += 1;
    if (trigger && word === "END") depth -= 1;
  }
  finish(sql.length);
  return statements;
}

/** Text in a colour, where a person looks and wants colours. */
export function paint(code, text, stream = process.stderr) {
  const wanted = process.env.FORCE_COLOR || (stream.isTTY && !process.env.NO_COLOR);
  return wanted ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** What the database holds, as lines of a table. */
export async function holdings(database) {
  const tables = await database.query(
    `SELECT name,
       (SELECT count(*) FROM sqlite_master AS i WHERE i.type = 'index' AND i.tbl_name = m.name)
         AS indexes,
       (SELECT count(*) FROM sqlite_master AS i WHERE i.type = 'trigger' AND i.tbl_name = m.name)
         AS triggers
     FROM sqlite_master AS m
     WHERE type = 'table' AND NOT ${VIRTUAL} AND ${OWN}
     ORDER BY name`,
  );
  if (tables.length === 0) return ["  no table"];
  const counts = new Map();
  for (const { name } of tables) {
    const [row] = await database.query(`SELECT count(*) AS rows FROM "${name}"`);
    counts.set(name, row.rows);
  }
  const width = Math.max(...tables.map(({ name }) => name.length));
  const line = (name, ...figures) =>
    ["  ", String(name).padEnd(width), ...figures.map((one) => String(one).padStart(10))].join("");
  return [
    paint(1, line("table", "rows", "indexes", "triggers")),
    ...tables.map(({ name, indexes, triggers }) => line(name, counts.get(name), indexes, triggers)),
  ];
}
