// Applies the migrations that a database has not had, in their order; scripts/migrate.sh calls it.
//
//   node scripts/migrate.mjs [--state DIR | --env NAME] [--status] [--folder DIR]
//     --state DIR   the local database of this state folder (default .wrangler/state)
//     --env NAME    the deployed database of this environment
//     --status      only tell which are applied, and what the database holds
//     --folder DIR  where the migrations are (default migrations/)
//
// What is applied stands in d1_migrations, where wrangler keeps it too. A migration is noted when
// all of it is done; each can be done again without harm, so what was cut off is simply begun anew.

import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import {
  StatementError,
  holdings,
  localDatabase,
  paint,
  remoteDatabase,
  root,
} from "./database.mjs";

const NOTES = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`;

const say = (text) => process.stderr.write(`${text}\n`);
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

async function applied(database) {
  await database.query(NOTES);
  const rows = await database.query("SELECT name, applied_at FROM d1_migrations ORDER BY id");
  return new Map(rows.map(({ name, applied_at: at }) => [name, at]));
}

async function apply(database, folder, name, width) {
  const began = Date.now();
  const progress = process.stderr.isTTY
    ? (done, count) =>
        process.stderr.write(`\r  … ${name.padEnd(width)} ${done} of ${count}\u001b[K`)
    : () => {};
  let statements = 0;
  await database.script(fs.readFileSync(path.join(folder, name), "utf8"), (done, count) => {
    statements = count;
    progress(done, count);
  });
  await database.query(`INSERT OR IGNORE INTO d1_migrations (name) VALUES (${quoted(name)})`);
  const took = `${statements} statements, ${Date.now() - began} ms`;
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  say(`  ${paint(32, "✓")} ${name.padEnd(width)} ${took}`);
}

function explain(error, name) {
  say(`  ${paint(31, "✗")} ${name}`);
  if (!(error instanceof StatementError)) {
    say(paint(31, `error: ${name}: ${error.message}`));
    return;
  }
  const { statement, number, count } = error;
  say(paint(31, `error: ${name}, line ${statement.line}, statement ${number} of ${count}:`));
  say(paint(31, `       ${error.message}`));
  for (const line of statement.text.split("\n")) say(`    | ${line}`);
  say("Correct the cause and run this again: what is done already is harmless when done again.");
}

async function main() {
  const { values } = parseArgs({
    options: {
      state: { type: "string", default: path.join(root, ".wrangler/state") },
      env: { type: "string" },
      status: { type: "boolean", default: false },
      folder: { type: "string", default: path.join(root, "migrations") },
    },
  });
  const files = fs.readdirSync(values.folder).filter((name) => name.endsWith(".sql")).sort();
  const width = Math.max(...files.map((name) => name.length));
  const database = values.env ? remoteDatabase(values.env) : await localDatabase(values.state);
  try {
    const there = await applied(database);
    const open = files.filter((name) => !there.has(name));
    if (values.status) {
      const line = (name) => (there.has(name) ? `applied ${there.get(name)}` : paint(33, "open"));
      for (const name of files) say(`  ${name.padEnd(width)} ${line(name)}`);
    } else if (open.length === 0) {
      say(`migrations: all ${files.length} are applied to ${database.name}`);
    } else {
      say(`migrations: ${open.length} of ${files.length} to apply to ${database.name}`);
      for (const name of open) {
        try {
          await apply(database, values.folder, name, width);
        } catch (error) {
          explain(error, name);
          return 1;
        }
      }
    }
    say(`${database.name} holds:`);
    for (const line of await holdings(database)) say(line);
    return 0;
  } finally {
    await database.close();
  }
}

process.exitCode = await main().catch((error) => {
  say(paint(31, `error: ${error.message}`));
  return 1;
});
