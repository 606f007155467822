//! The schema: three roads that end in the same place, statements that fit it, seed rows that work.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bitware_orchestrator::db::{all_statements, meta, templates};
use engine::plan::Plan;
use rusqlite::Connection;
use sqlite::dump::{database, difference, rows, schema, tables};
use sqlite::{SCHEMA, Sqlite, lines, wait};

const FIX: &str = include_str!("../database_fix.sql");
const LEGACY: &str = include_str!("fixtures/legacy_schema.sql");
const LEGACY_FIRST: &str = include_str!("fixtures/legacy_first_schema.sql");
/// Tables whose rows come with the schema.
const SEEDED: [&str; 8] = [
    "accounts",
    "worker_registry",
    "pipeline_templates",
    "pipeline_steps",
    "execution_strategies",
    "quality_levels",
    "urgency_levels",
    "schema_version",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn migrations() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(root().join("migrations")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn seeds(connection: &Connection) -> BTreeMap<String, Vec<String>> {
    rows(connection, &SEEDED.map(str::to_owned), false)
}

#[test]
fn all_roads_end_in_the_same_schema_with_the_same_rows() {
    let whole = database(&[SCHEMA]);
    let steps = migrations();
    let texts: Vec<&str> = steps.iter().map(|(_, sql)| sql.as_str()).collect();
    for (road, other) in [("migrations", database(&texts)), ("database_fix.sql", database(&[FIX]))]
    {
        assert_eq!(schema(&other), schema(&whole), "{road}");
        assert_eq!(seeds(&other), seeds(&whole), "{road}");
    }
    for (road, legacy) in [("second", LEGACY), ("first", LEGACY_FIRST)] {
        let upgraded = database(&[legacy, FIX]);
        assert_eq!(schema(&upgraded), schema(&whole), "from the {road} orchestrator's");
        for (table, seeded) in
            seeds(&whole).into_iter().filter(|(table, _)| table != "pipeline_steps")
        {
            let keys = |rows: &[String]| -> BTreeSet<String> {
                rows.iter().map(|row| row.split('|').next().unwrap().to_owned()).collect()
            };
            let present = keys(&seeds(&upgraded)[&table]);
            assert!(present.is_superset(&keys(&seeded)), "{table} of the {road}");
        }
    }
}

#[test]
fn each_road_is_harmless_when_it_is_taken_again() {
    let steps = migrations();
    let migrations: Vec<&str> = steps.iter().map(|(_, sql)| sql.as_str()).collect();
    let roads: [(&str, Vec<&str>, Vec<&str>); 5] = [
        ("schema.sql", vec![SCHEMA], vec![SCHEMA]),
        ("migrations", migrations.clone(), migrations),
        ("database_fix.sql", vec![FIX], vec![FIX]),
        ("the second orchestrator's", vec![LEGACY, FIX], vec![FIX]),
        ("the first orchestrator's", vec![LEGACY_FIRST, FIX], vec![FIX]),
    ];
    for (road, first, again) in roads {
        let connection = database(&first);
        let before = (schema(&connection), rows(&connection, &tables(&connection), true));
        for script in again {
            connection.execute_batch(script).unwrap();
        }
        assert_eq!(schema(&connection), before.0, "{road}");
        let after = rows(&connection, &tables(&connection), true);
        assert_eq!(difference(&before.1, &after), Vec::<String>::new(), "{road}");
    }
}

#[test]
fn versions_are_counted_with_the_migrations() {
    let connection = database(&[SCHEMA]);
    let versions = lines(&connection, "SELECT version, name FROM schema_version ORDER BY version");
    let number = |name: &str| name.split('_').next().unwrap().parse::<i64>().unwrap();
    let expected: Vec<String> =
        migrations().iter().map(|(name, _)| format!("{}|{name}", number(name))).collect();
    assert_eq!(versions, expected);
    assert_eq!(wait(meta::versions(&Sqlite::new())), Ok(meta::MIGRATIONS.to_vec()));
    let numbers: Vec<i64> = migrations().iter().map(|(name, _)| number(name)).collect();
    assert_eq!((meta::MIGRATIONS, Some(&meta::SCHEMA_VERSION)), (&*numbers, numbers.last()));
}

#[test]
fn every_statement_fits_the_schema() {
    let connection = database(&[SCHEMA]);
    let statements = all_statements();
    let mut names = BTreeSet::new();
    for sql in &statements {
        let prepared = connection.prepare(sql.text).unwrap_or_else(|e| panic!("{}: {e}", sql.name));
        assert!(prepared.parameter_count() <= 100, "{}", sql.name);
        assert!(sql.text.len() < 100_000, "{}", sql.name);
        assert!(names.insert(sql.name), "{} is declared twice", sql.name);
    }
    assert!(names.len() >= 25);
}

/// A statement that stands outside a `statements!` block would not be prepared by the test above.
#[test]
fn no_sql_stands_outside_the_registry() {
    no_stray_sql(&root().join("src/db"));
}

fn no_stray_sql(folder: &Path) {
    // A module's parts may stand in a folder without a mod.rs.
    let beside = || std::fs::read_to_string(folder.with_extension("rs"));
    let registry = std::fs::read_to_string(folder.join("mod.rs")).or_else(|_| beside()).unwrap();
    let whole = std::fs::read_to_string(root().join("src/db/mod.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            no_stray_sql(&path);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let (blocks, rest) = without_blocks(source.split("#[cfg(test)]").next().unwrap());
        assert_eq!(sql_in(&rest), Vec::<String>::new(), "{}", path.display());
        if blocks > 0 {
            let listed = format!("{module}::STATEMENTS");
            let known = registry.contains(&listed) || whole.contains(&listed);
            assert!(known, "{module} is not listed");
        }
    }
}

#[test]
fn the_search_for_sql_finds_it() {
    let stray = "fn f() { db.prepare(\"DELETE FROM x\"); let s = r#\"  select 1\"#; }";
    assert_eq!(sql_in(stray).len(), 2);
    let listed = "statements! { \"x\": A = \"SELECT 1 { }\"; } const B: &str = \"INSERT INTO y\";";
    let (blocks, rest) = without_blocks(listed);
    assert_eq!((blocks, sql_in(&rest).len()), (1, 1));
}

/// The source without its `statements!` blocks and the fragments that they are put together from,
/// and how many blocks there were.
fn without_blocks(source: &str) -> (usize, String) {
    let mut rest = source.to_owned();
    let mut blocks = 0;
    for marker in ["\nstatements! {", "statements! { \"", "\nmacro_rules! "] {
        while let Some(start) = rest.find(marker) {
            let open = start + rest[start..].find('{').unwrap();
            let mut depth = 0;
            let close = rest[open..].char_indices().find(|(_, c)| {
                depth += i32::from(*c == '{') - i32::from(*c == '}');
                depth == 0
            });
            rest.replace_range(start..=open + close.unwrap().0, "");
            blocks += usize::from(marker.contains("statements"));
        }
    }
    (blocks, rest)
}

/// String literals that begin like SQL.
fn sql_in(source: &str) -> Vec<String> {
    let verbs = [
        "select ", "insert ", "update ", "delete ", "replace ", "with ", "create ", "drop ",
        "alter ", "pragma ",
    ];
    source
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|literal| literal.trim_start().to_lowercase())
        .filter(|literal| verbs.iter().any(|verb| literal.starts_with(verb)))
        .collect()
}

#[test]
fn seeded_templates_make_valid_plans() {
    let db = Sqlite::new();
    for (name, steps) in [
        (None, 6),
        (Some("rss_intelligence_pipeline"), 6),
        (Some("reviewed_intelligence_pipeline"), 7),
        (Some("basic_research_pipeline"), 1),
    ] {
        let definition = wait(templates::load_definition(&db, name)).unwrap().unwrap().unwrap();
        let plan = Plan::compile(&definition).unwrap_or_else(|found| panic!("{found:#?}"));
        assert_eq!(plan.steps.len(), steps);
    }
    let listed = wait(templates::list(&db)).unwrap();
    let listed: Vec<(&str, bool, u32)> =
        listed.iter().map(|row| (row.name.as_str(), row.is_default, row.step_count)).collect();
    assert_eq!(
        listed,
        [
            ("basic_research_pipeline", false, 1),
            ("reviewed_intelligence_pipeline", false, 7),
            ("rss_intelligence_pipeline", true, 6),
        ]
    );
}

#[test]
fn a_step_that_an_operator_took_out_stays_out() {
    let db = Sqlite::new();
    db.shell(
        "DELETE FROM pipeline_steps WHERE step_name = 'source_curation';
        UPDATE pipeline_templates SET is_default = 0, is_active = 0;
        INSERT INTO pipeline_templates (name, is_default) VALUES ('ours', 1);
        DELETE FROM pipeline_templates WHERE name = 'rss_intelligence_pipeline' AND false;",
    );
    let before = rows(&db.connection.borrow(), &SEEDED.map(str::to_owned), true);
    for script in [SCHEMA, FIX] {
        db.shell(script);
        assert_eq!(rows(&db.connection.borrow(), &SEEDED.map(str::to_owned), true), before);
    }
    db.shell("DELETE FROM pipeline_templates WHERE name = 'rss_intelligence_pipeline'");
    db.shell(SCHEMA);
    let defaults = db.lines("SELECT name FROM pipeline_templates WHERE is_default = 1");
    assert_eq!(defaults, ["ours"], "a template that comes back does not take the default over");
}

#[test]
fn the_counter_rises_with_what_plans_are_made_of_and_with_nothing_else() {
    let db = Sqlite::new();
    let rises = |sql: &str| {
        let before = db.number("SELECT count FROM change_counter");
        db.shell(sql);
        db.number("SELECT count FROM change_counter") - before
    };
    for (sql, by) in [
        ("INSERT INTO worker_registry (worker_name, base_url) VALUES ('w', 'https://w')", 1),
        ("UPDATE worker_registry SET timeout_ms = 5 WHERE worker_name = 'w'", 1),
        ("UPDATE worker_registry SET max_per_minute = 5 WHERE worker_name = 'w'", 1),
        ("UPDATE worker_registry SET breaker = '{}' WHERE worker_name = 'w'", 1),
        ("UPDATE worker_registry SET quality_score = 1 WHERE worker_name = 'w'", 1),
        ("INSERT INTO pipeline_templates (name) VALUES ('t')", 1),
        (
            "INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name)
             VALUES ('t', 1, 's', 'w')",
            1,
        ),
        ("UPDATE pipeline_steps SET condition = 'true' WHERE step_name = 's'", 1),
        ("UPDATE pipeline_templates SET is_active = 0 WHERE name = 't'", 1),
        ("UPDATE execution_strategies SET deadline_ms = 1 WHERE name = 'speed'", 1),
        ("UPDATE quality_levels SET max_articles = 1 WHERE name = 'basic'", 1),
        ("UPDATE urgency_levels SET priority = 9 WHERE name = 'low'", 1),
        ("DELETE FROM pipeline_templates WHERE name = 't'", 2),
        ("UPDATE worker_registry SET health_status = 'healthy', last_health_check = 'x'", 0),
        ("UPDATE accounts SET name = 'x'", 0),
        ("DELETE FROM worker_registry WHERE worker_name = 'w'", 1),
        (&node("n", "default"), 1),
        (&tool("t", "default"), 1),
        ("UPDATE tools SET description = 'x'", 0),
        ("UPDATE tools SET output_schema = '{\"type\":\"object\"}'", 1),
        ("UPDATE nodes SET checks_failed = 2, last_error = 'x', last_health_check = 'x'", 0),
        ("UPDATE nodes SET status = 'ERROR'", 1),
        ("INSERT INTO tool_terms (tool_id, estimated_cost_usd) SELECT tool_id, 1 FROM tools", 1),
        ("UPDATE tool_terms SET timeout_ms = 5", 1),
        ("DELETE FROM nodes", 2),
        ("DELETE FROM tools", 1),
        ("INSERT INTO accounts (id) VALUES ('acme')", 0),
        (&node("m", "acme"), 0),
        (&tool("u", "acme"), 0),
        ("UPDATE nodes SET status = 'ACTIVE'", 0),
        ("DELETE FROM tools", 0),
    ] {
        assert_eq!(rises(sql), by, "{sql}");
    }
    assert_eq!(db.number("SELECT count(*) FROM pipeline_steps WHERE template_name = 't'"), 0);
}

fn node(letter: &str, account: &str) -> String {
    format!(
        "INSERT INTO nodes (node_id, account_id, node_type, address)
         VALUES ('{}', '{account}', 'TOOL_EXECUTOR', 'https://n')",
        letter.repeat(36)
    )
}

fn tool(letter: &str, account: &str) -> String {
    format!(
        "INSERT INTO tools (tool_id, account_id, name, category, target_node_id)
         SELECT '{}', '{account}', 't', 'ANALYSIS', node_id FROM nodes
         WHERE account_id = '{account}'",
        letter.repeat(36)
    )
}

#[test]
fn updated_at_follows_changes_whoever_makes_them() {
    let db = Sqlite::new();
    db.shell(include_str!("fixtures/in_use.sql"));
    let connection = db.connection.borrow();
    let with = "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
        WHERE m.type = 'table' AND c.name = 'updated_at'";
    let tables = lines(&connection, with);
    assert!(tables.len() >= 8);
    for recursive in ["OFF", "ON"] {
        connection.execute_batch(&format!("PRAGMA recursive_triggers = {recursive}")).unwrap();
        for table in &tables {
            let column = if table == "performance_alerts" { "message" } else { "created_at" };
            connection
                .execute_batch(&format!(
                    "UPDATE {table} SET updated_at = '2020-01-01T00:00:00.000Z';
                     UPDATE {table} SET {column} = {column} || '!';"
                ))
                .unwrap();
            let old = format!("SELECT count(*) FROM {table} WHERE updated_at < '2021'");
            assert_eq!(lines(&connection, &old), ["0"], "{table}");
        }
    }
}

#[test]
fn what_must_not_be_is_refused() {
    let db = Sqlite::new();
    db.shell(include_str!("fixtures/in_use.sql"));
    let connection = db.connection.borrow();
    for bad in [
        "UPDATE template_revisions SET definition = '{}'",
        "UPDATE audit_log SET actor = 'nobody'",
        "INSERT INTO pipeline_templates (name, is_default) VALUES ('second_default', 1)",
        "INSERT INTO pipeline_templates (name, input_schema) VALUES ('t', '{')",
        "INSERT INTO pipeline_templates (name, failure_tolerance) VALUES ('t', 'lenient')",
        "INSERT INTO pipeline_steps (template_name, step_order, step_name)
         VALUES ('nobody', 1, 's')",
        "UPDATE pipeline_steps SET kind = 'agent'",
        "UPDATE pipeline_steps SET depends_on_steps = '{}'",
        "UPDATE worker_registry SET timeout_ms = 'soon'",
        "UPDATE worker_registry SET is_active = 2",
        "UPDATE worker_registry SET max_per_minute = 0",
        "UPDATE worker_registry SET breaker = '[]'",
        "UPDATE worker_registry SET quality_score = 1.5",
        "UPDATE pipeline_executions SET status = 'done'",
        "UPDATE pipeline_executions SET request = 'text'",
        "UPDATE worker_execution_results SET status = 'done'",
        "INSERT INTO worker_execution_results (pipeline_id, step_name, status)
         VALUES ('pipe_unknown', 's', 'pending')",
        "UPDATE api_keys SET key_hash = 'secret'",
        "INSERT INTO change_counter (id, count) VALUES (2, 0)",
        "UPDATE cost_tracking SET day = 'today'",
        "UPDATE nodes SET status = 'BROKEN'",
        "UPDATE nodes SET node_type = 'tool_executor'",
        "UPDATE tools SET category = 'OTHER'",
        "UPDATE tools SET status = 'OFF'",
        "UPDATE tools SET input_schema = 'true'",
        "UPDATE tools SET target_node_id = '0193a1c2-0000-7000-8000-00000000000f'",
        "INSERT INTO tools (tool_id, account_id, name, category)
         VALUES ('0193a1c2-0000-7000-8000-00000000000e', 'acme', 'summarise', 'STORAGE')",
        "INSERT INTO tool_tags (account_id, tag_name, tool_id)
         VALUES ('acme', 'nlp', '0193a1c2-0000-7000-8000-000000000002')",
        "INSERT INTO tool_tags (account_id, tag_name, tool_id)
         VALUES ('default', 'other', '0193a1c2-0000-7000-8000-000000000002')",
        "UPDATE artifacts SET size_bytes = -1",
        "UPDATE artifacts SET created_by_tool_id = 'nobody'",
        "UPDATE artifacts SET sha256 = 'x'",
    ] {
        assert!(connection.execute_batch(bad).is_err(), "{bad}");
    }
}
