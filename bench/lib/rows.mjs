// Rows that the product has written, counted from the SQLite files of its local state. What is
// changed in place leaves no trace of its own: an end and a projection are counted by their marks.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const FILE = /^[0-9a-f]{64}\.sqlite$/;
const DATABASES = "v3/d1/miniflare-D1DatabaseObject";
/** Tables whose rows say how often a row was changed, and the query that says it. */
const CHANGES = {
  executions: 'SELECT count(*) AS n FROM executions WHERE ended IS NOT NULL',
};

/** Rows by store and table: `journal` (all shards and the Governors), `d1`. */
export function parts(state) {
  const objects = join(state, "v3/do");
  const folders = existsSync(objects) ? readdirSync(objects).map((n) => join(objects, n)) : [];
  return {
    journal: sum(folders.flatMap((folder) => databases(folder).map(journalRows))),
    d1: sum(databases(join(state, DATABASES)).map(tableRows)),
  };
}

/** What came to `before` until `after`, for each of `n` executions; tables without any left out. */
export function perExecution(before, after, n) {
  const store = (name) => Object.fromEntries(
    Object.entries(after[name])
      .map(([table, rows]) => [table, (rows - (before[name][table] ?? 0)) / n])
      .filter(([, rows]) => rows !== 0));
  return { journal: store("journal"), d1: store("d1") };
}

export const total = (tables) => Object.values(tables).reduce((sum, rows) => sum + rows, 0);

function databases(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => FILE.test(name)).map((name) => join(folder, name));
}

function journalRows(file) {
  const rows = tableRows(file);
  const database = new DatabaseSync(file, { readOnly: true });
  for (const [table, sql] of Object.entries(CHANGES)) {
    if (table in rows) rows[`${table}, ended`] = database.prepare(sql).get().n;
  }
  database.close();
  return rows;
}

function tableRows(file) {
  const database = new DatabaseSync(file, { readOnly: true });
  const tables = database.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
      + " AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND sql NOT LIKE '%VIRTUAL%'").all();
  const rows = {};
  for (const { name } of tables) {
    try {
      rows[name] = database.prepare(`SELECT count(*) AS n FROM "${name}"`).get().n;
    } catch { /* a shadow of a table of searches, which this build cannot read */ }
  }
  database.close();
  return rows;
}

function sum(all) {
  const sums = {};
  for (const rows of all) {
    for (const [table, n] of Object.entries(rows)) sums[table] = (sums[table] ?? 0) + n;
  }
  return sums;
}
