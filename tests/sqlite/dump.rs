//! A whole database as text, to compare one with another.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{empty, lines};

pub fn database(scripts: &[&str]) -> Connection {
    let connection = empty();
    for script in scripts {
        connection.execute_batch(script).unwrap();
    }
    connection
}

/// Tables, indexes and triggers, with the blanks of their definitions evened out.
pub fn schema(connection: &Connection) -> Vec<String> {
    let sql = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master
        WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY type, name";
    let even = |line: String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    lines(connection, sql).into_iter().map(even).collect()
}

pub fn tables(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table'
        AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name";
    lines(connection, sql)
}

/// All rows of `tables`, without columns that tell the time at which a script ran.
pub fn rows(
    connection: &Connection,
    tables: &[String],
    with_times: bool,
) -> BTreeMap<String, Vec<String>> {
    let dump = |table: &String| {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let times = ["created_at", "updated_at", "applied_at"];
        let columns: Vec<String> = lines(connection, &columns)
            .into_iter()
            .filter(|name| with_times || !times.contains(&name.as_str()))
            .collect();
        let mut found = lines(connection, &format!("SELECT {} FROM {table}", columns.join(", ")));
        found.sort();
        (table.clone(), found)
    };
    tables.iter().filter(|table| *table != "change_counter").map(dump).collect()
}

/// What one has and the other has not.
pub fn difference(
    one: &BTreeMap<String, Vec<String>>,
    other: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let flat = |rows: &BTreeMap<String, Vec<String>>| -> BTreeSet<String> {
        rows.iter()
            .flat_map(|(table, rows)| rows.iter().map(move |row| format!("{table}: {row}")))
            .collect()
    };
    let (one, other) = (flat(one), flat(other));
    let only = |mark: &str, rows: &BTreeSet<String>, others: &BTreeSet<String>| -> Vec<String> {
        rows.difference(others).map(|row| format!("{mark} {row}")).collect()
    };
    [only("-", &one, &other), only("+", &other, &one)].concat()
}
