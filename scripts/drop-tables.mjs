// For development: takes tables away, so that the next migration makes them anew.
//
//   scripts/drop-tables.sh [--state DIR | --env NAME] [--yes] TABLE…
//     --state DIR   the local database of this state folder (default .wrangler/state)
//     --env NAME    the deployed database of this environment; never production or enterprise
//     --yes         do not ask
//
// It lists what goes, with its rows, and asks. Without a table it lists what there is.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline/promises";
import { parseArgs } from "node:util";
import { holdings, localDatabase, paint, remoteDatabase, root, split } from "./database.mjs";

const KEPT = ["production", "enterprise"];
const say = (text) => process.stderr.write(`${text}\n`);

/** The migrations that create one of the tables: their notes go, so that they are applied again. */
function makers(tables) {
  const folder = path.join(root, "migrations");
  return fs.readdirSync(folder).filter((name) => {
    const made = split(fs.readFileSync(path.join(folder, name), "utf8")).map(({ text }) =>
      /^CREATE (?:VIRTUAL )?TABLE (?:IF NOT EXISTS )?"?(\w+)/i.exec(text)?.[1],
    );
    return tables.some((table) => made.includes(table));
  });
}

async function confirmed(database, tables) {
  if (!process.stdin.isTTY) throw new Error("nobody can be asked; --yes drops without asking");
  const asking = readline.createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`Drop ${tables.length} from ${database.name}? Type yes: `);
  asking.close();
  return answer.trim() === "yes";
}

async function drop(database, tables, yes) {
  const present = await database.query(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'",
  );
  const names = present.map(({ name }) => name);
  const unknown = tables.filter((table) => !names.includes(table));
  if (unknown.length > 0) throw new Error(`no such table: ${unknown.join(", ")}`);
  for (const table of tables) {
    const [{ rows }] = await database.query(`SELECT count(*) AS rows FROM "${table}"`);
    say(`  ${table}: ${rows} rows`);
  }
  if (!yes && !(await confirmed(database, tables))) {
    say("Nothing was dropped.");
    return 1;
  }
  const searched = names.filter((name) => tables.some((table) => name === `${table}_text`));
  const goes = [...searched, ...tables].map((table) => `DROP TABLE IF EXISTS "${table}";`);
  await database.script(["PRAGMA defer_foreign_keys = ON;", ...goes].join("\n"), () => {});
  const notes = makers(tables).map((name) => `'${name}'`);
  if (names.includes("d1_migrations") && notes.length > 0) {
    await database.query(`DELETE FROM d1_migrations WHERE name IN (${notes.join(", ")})`);
  }
  say(`${paint(32, "dropped")}; scripts/migrate.sh makes them anew`);
  return 0;
}

async function main() {
  const { values, positionals: tables } = parseArgs({
    allowPositionals: true,
    options: {
      state: { type: "string", default: path.join(root, ".wrangler/state") },
      env: { type: "string" },
      yes: { type: "boolean", default: false },
    },
  });
  if (KEPT.includes(values.env)) throw new Error(`tables of ${values.env} are not dropped`);
  const odd = tables.find((table) => !/^\w+$/.test(table));
  if (odd !== undefined) throw new Error(`${odd} is no name of a table`);
  const database = values.env ? remoteDatabase(values.env) : await localDatabase(values.state);
  try {
    if (tables.length > 0) return await drop(database, tables, values.yes);
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
