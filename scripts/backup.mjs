// What backup.sh does. Exports and restores go through wrangler; what a file holds is read by
// loading it into a SQLite database of its own.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { OWN, VIRTUAL, root } from "./database.mjs";

const config = path.join(root, "wrangler.toml");
const BINDING = "ORCHESTRATION_DB";
/** A larger file is not loaded: its checksum alone is compared. */
const LOADED_BYTES_MAX = 400 * 1024 * 1024;
/** D1 gives 100 columns at most. */
const COLUMNS_MAX = 50;
class Refused extends Error {}

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      local: { type: "string" },
      remote: { type: "boolean", default: false },
      env: { type: "string" },
      out: { type: "string", default: path.join(root, "backups") },
      "schema-only": { type: "boolean", default: false },
      overwrite: { type: "boolean", default: false },
    },
  });
  const [verb, file] = positionals;
  const both = values.remote && values.local !== undefined;
  if (both) throw new Refused("--local or --remote, not both");
  const target = { ...values, local: path.resolve(values.local ?? ".wrangler/state") };
  if (verb === "make" && positionals.length === 1) return make(target, values);
  if (verb === "check" && positionals.length === 2) return report(file, check(file));
  if (verb === "restore" && positionals.length === 2) return restore(file, target, values);
  throw new Refused("expected make, check FILE or restore FILE; see scripts/backup.sh --help");
}

function make(target, { out, "schema-only": schemaOnly }) {
  fs.mkdirSync(out, { recursive: true });
  const kind = schemaOnly ? "schema" : "full";
  const madeAt = new Date().toISOString();
  const where = target.remote ? (target.env ?? "default") : "local";
  const name = `orchestration-${where}-${madeAt.replace(/[-:]|\.\d+/g, "")}-${kind}.sql`;
  const file = path.join(out, name);
  const part = `${file}.part`;
  try {
    exportTo(part, target, schemaOnly);
    fs.appendFileSync(part, besides(target, schemaOnly));
    const manifest = { madeAt, kind, where, ...contents(part) };
    const leftOver = Object.values(manifest.tables ?? {}).some((rows) => rows > 0);
    if (schemaOnly && leftOver) throw new Refused("the schema alone was asked for, and rows came");
    fs.writeFileSync(`${part}.json`, `${JSON.stringify(manifest, null, 2)}\n`);
    // The manifest comes last: a file without one is no backup.
    fs.renameSync(part, file);
    fs.renameSync(`${part}.json`, `${file}.json`);
    report(file, manifest);
  } finally {
    for (const left of [part, `${part}.json`]) fs.rmSync(left, { force: true });
  }
}

function restore(file, target, { overwrite }) {
  const manifest = check(file);
  const all = `SELECT type, name FROM sqlite_master AS m WHERE ${OWN} ORDER BY rowid`;
  const there = query(target, all);
  if (there.length > 0 && !overwrite) {
    const first = there.slice(0, 3).map(({ name }) => name).join(", ");
    throw new Refused(`the database is not empty (${first}, …): --overwrite drops what is there`);
  }
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "restore-"));
  try {
    if (there.length > 0) {
      const drops = path.join(scratch, "drop.sql");
      fs.writeFileSync(drops, dropAll(there));
      execute(target, ["--file", drops]);
    }
    execute(target, ["--file", path.resolve(file)]);
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
  // What is applied is what the file says: migrate.sh must look again.
  if (!target.remote) fs.rmSync(path.join(target.local, ".migrated"), { force: true });
  compare(manifest, target);
  report(file, manifest);
}

/** What refers to another goes before it: later objects first. */
function dropAll(objects) {
  const ranks = { trigger: 0, view: 1, index: 2, table: 3 };
  const order = objects.filter(({ type }) => type !== "index").reverse();
  order.sort((a, b) => ranks[a.type] - ranks[b.type]);
  const drops = order.map(({ type, name }) => `DROP ${type.toUpperCase()} IF EXISTS "${name}";`);
  return `PRAGMA defer_foreign_keys = TRUE;\n${drops.join("\n")}\n`;
}

function compare(manifest, target) {
  if (manifest.tables === null) return;
  const names = Object.keys(manifest.tables);
  const found = {};
  for (let at = 0; at < names.length; at += COLUMNS_MAX) {
    const part = names.slice(at, at + COLUMNS_MAX);
    const counts = part.map((name) => `(SELECT count(*) FROM "${name}") AS "${name}"`);
    Object.assign(found, query(target, `SELECT ${counts.join(", ")}`)[0]);
  }
  const different = names.filter((name) => found[name] !== manifest.tables[name]);
  if (different.length > 0) {
    const told = different.map((name) => `${name}: ${found[name]} of ${manifest.tables[name]}`);
    throw new Refused(`the rows differ from those of the backup: ${told.join("; ")}`);
  }
}

/** The manifest of a backup whose file is what it was. */
function check(file) {
  if (!fs.existsSync(`${file}.json`)) throw new Refused(`${file}.json is missing: no whole backup`);
  const manifest = JSON.parse(fs.readFileSync(`${file}.json`, "utf8"));
  if (digest(file) !== manifest.sha256) throw new Refused(`${file} is not what was backed up`);
  const found = contents(file);
  if (JSON.stringify(found.tables) !== JSON.stringify(manifest.tables)) {
    throw new Refused(`${file} does not hold the rows that its manifest names`);
  }
  return manifest;
}

/** Checksum and rows of an export; it must load, whole and with every reference. */
function contents(file) {
  const bytes = fs.statSync(file).size;
  const sha256 = digest(file);
  if (bytes > LOADED_BYTES_MAX) return { bytes, sha256, tables: null };
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "backup-"));
  const database = new DatabaseSync(path.join(scratch, "loaded.sqlite"));
  try {
    // One transaction: references are looked at when everything is there.
    database.exec(`BEGIN;\n${fs.readFileSync(file, "utf8")}\nCOMMIT;`);
    const [{ integrity_check: verdict }] = database.prepare("PRAGMA integrity_check").all();
    const broken = database.prepare("PRAGMA foreign_key_check").all();
    if (verdict !== "ok" || broken.length > 0) {
      throw new Refused(`the export does not load: ${verdict}, ${broken.length} broken references`);
    }
    const sql = `SELECT name FROM sqlite_master AS m
      WHERE type = 'table' AND NOT ${VIRTUAL} AND ${OWN} ORDER BY name`;
    const names = database.prepare(sql).all();
    if (names.length === 0) throw new Refused("the export holds no table");
    const count = (name) => database.prepare(`SELECT count(*) AS n FROM "${name}"`).get().n;
    const tables = Object.fromEntries(names.map(({ name }) => [name, count(name)]));
    return { bytes, sha256, tables };
  } finally {
    database.close();
    fs.rmSync(scratch, { recursive: true });
  }
}

function digest(file) {
  const hash = createHash("sha256");
  const descriptor = fs.openSync(file, "r");
  const chunk = Buffer.alloc(1 << 20);
  let read;
  while ((read = fs.readSync(descriptor, chunk)) > 0) hash.update(chunk.subarray(0, read));
  fs.closeSync(descriptor);
  return hash.digest("hex");
}

/** The tables that hold rows. An export of named tables is possible beside virtual ones. */
function tables(target) {
  const sql = `SELECT name FROM sqlite_master AS m
    WHERE type = 'table' AND NOT ${VIRTUAL} AND ${OWN} ORDER BY rowid`;
  return query(target, sql).map(({ name }) => name);
}

/** What such an export leaves out: indexes, views, triggers, and the tables of searches. */
function besides(target, schemaOnly) {
  const sql = `SELECT name, sql, ${VIRTUAL} AS virtual FROM sqlite_master AS m
    WHERE sql IS NOT NULL AND (type <> 'table' OR ${VIRTUAL}) AND ${OWN}
    ORDER BY instr('table index view trigger', type), rowid`;
  const form = /^CREATE ((?:UNIQUE )?INDEX|VIEW|TRIGGER|VIRTUAL TABLE) (?!IF NOT EXISTS)/i;
  const lines = query(target, sql).map(({ name, sql: text, virtual }) => {
    const made = `${text.replace(form, "CREATE $1 IF NOT EXISTS ")};\n`;
    const rebuilt = `INSERT INTO "${name}" ("${name}") VALUES ('rebuild');\n`;
    return virtual && !schemaOnly ? made + rebuilt : made;
  });
  return `\n${lines.join("")}`;
}

/** `d1 export` knows no state folder: it is shown one that leads to ours. */
function exportTo(file, target, schemaOnly) {
  const options = ["--output", path.resolve(file), "--skip-confirmation"];
  if (schemaOnly) options.push("--no-data");
  for (const name of tables(target)) options.push("--table", name);
  if (target.remote) return wrangler([...remote(target), ...options], "export");
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "export-"));
  try {
    fs.mkdirSync(path.join(scratch, ".wrangler"));
    fs.symlinkSync(target.local, path.join(scratch, ".wrangler/state"));
    fs.copyFileSync(config, path.join(scratch, "wrangler.toml"));
    wrangler(["--local", "--config", path.join(scratch, "wrangler.toml"), ...options], "export");
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}

function query(target, sql) {
  return JSON.parse(execute(target, ["--command", sql, "--json"]))[0].results;
}

function execute(target, options) {
  const where = target.remote
    ? remote(target)
    : ["--local", "--persist-to", target.local, "--config", config];
  return wrangler([...where, "--yes", ...options], "execute");
}

function remote({ env }) {
  return ["--remote", "--config", config, ...(env === undefined ? [] : ["--env", env])];
}

function wrangler(options, verb) {
  const done = spawnSync("wrangler", ["d1", verb, BINDING, ...options], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (done.status === 0) return done.stdout;
  throw new Refused(`wrangler d1 ${verb} failed: ${`${done.stderr}${done.stdout}`.trim()}`);
}

function report(file, { kind, madeAt, bytes, tables }) {
  const rows = Object.values(tables ?? {}).reduce((sum, n) => sum + n, 0);
  const count = Object.keys(tables ?? {}).length;
  const held = tables === null ? "not loaded: too large" : `${count} tables, ${rows} rows`;
  process.stderr.write(`${kind} of ${madeAt}, ${bytes} bytes, ${held}\n`);
  process.stdout.write(`${file}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`error: ${error instanceof Refused ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
