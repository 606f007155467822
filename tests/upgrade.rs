//! `database_fix.sql` on databases in use, made by hand, and cut off in the middle.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection};
use sqlite::dump::{database, difference, rows, schema, tables};
use sqlite::{SCHEMA, Sqlite, lines};

const FIX: &str = include_str!("../database_fix.sql");
const LEGACY: &str = include_str!("fixtures/legacy_schema.sql");
const FOUNDATION: &str = include_str!("../migrations/0001_foundation.sql");
const STRATEGIES: &str = include_str!("../migrations/0003_strategies.sql");
const GATES: &str = include_str!("../migrations/0002_worker_gates.sql");
const REVIEWED: &str = include_str!("../migrations/0004_reviewed_pipeline.sql");
const LEGACY_FIRST: &str = include_str!("fixtures/legacy_first_schema.sql");

#[test]
fn a_database_in_use_keeps_every_row_when_it_is_fixed() {
    let db = Sqlite::new();
    db.shell(include_str!("fixtures/in_use.sql"));
    let connection = db.connection.borrow();
    let before = (schema(&connection), rows(&connection, &tables(&connection), true));
    let counts = before.1.iter().filter(|(_, rows)| rows.is_empty()).count();
    assert_eq!(counts, 0, "the fixture has rows in every table");
    connection.execute_batch(FIX).unwrap();
    assert_eq!(schema(&connection), before.0);
    for again in [FIX, SCHEMA] {
        let after = rows(&connection, &tables(&connection), true);
        assert_eq!(difference(&before.1, &after), Vec::<String>::new());
        connection.execute_batch(again).unwrap();
    }
}

/// A batch on D1 may be cut off, and then no transaction has put things back.
#[test]
fn a_fix_that_is_cut_off_anywhere_can_be_run_again() {
    for legacy in [LEGACY, LEGACY_FIRST] {
        let whole = database(&[legacy, FIX]);
        let expected = rows(&whole, &tables(&whole), false);
        let mut cuts = 0;
        loop {
            let connection = database(&[legacy]);
            if run_statements(&connection, FIX, cuts) < cuts {
                break;
            }
            connection.execute_batch(FIX).unwrap_or_else(|e| panic!("after {cuts}: {e}"));
            let found = rows(&connection, &tables(&connection), false);
            assert_eq!(difference(&expected, &found), Vec::<String>::new(), "after {cuts}");
            assert_eq!(schema(&connection), schema(&whole), "after {cuts}");
            cuts += 1;
        }
        assert!(cuts > 100, "the script has more statements than {cuts}");
    }
}

/// Does the first `limit` statements of a script; gives how many there were to do.
fn run_statements(connection: &Connection, script: &str, limit: usize) -> usize {
    let mut batch = Batch::new(connection, script);
    let mut done = 0;
    while done < limit {
        let Some(mut statement) = batch.next().unwrap() else {
            break;
        };
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        done += 1;
    }
    done
}

/// The fixture has queries, each with the rows that it gives after the upgrade.
#[test]
fn old_rows_take_their_new_form() {
    let connection = database(&[LEGACY, FIX]);
    let blocks: Vec<&str> = include_str!("fixtures/upgraded.txt").split("\n\n").collect();
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        let (query, expected) = block.trim_end().split_once('\n').unwrap();
        let found = lines(&connection, query.strip_prefix("? ").unwrap());
        assert_eq!(found, expected.lines().collect::<Vec<_>>(), "{query}");
    }
}

/// What an operator wrote into the policy rows of version 1 counts after the upgrade, and what
/// nobody wrote gets what its name stands for.
#[test]
fn edited_policy_rows_keep_what_they_say() {
    let edited = "UPDATE execution_strategies
          SET deadline_ms = 77000, max_retries = 5, description = 'ours' WHERE name = 'speed';
        UPDATE quality_levels SET max_articles = 7 WHERE name = 'basic';
        UPDATE urgency_levels SET priority = 9 WHERE name = 'high';";
    let policy = |connection: &Connection| {
        lines(
            connection,
            "SELECT deadline_ms, max_retries, worker_choice, use_step_cache, description
               FROM execution_strategies WHERE name = 'speed'
             UNION ALL SELECT max_articles, max_retries, skip_optional_steps, deadline_factor, ''
               FROM quality_levels WHERE name = 'basic'
             UNION ALL SELECT priority, use_emergency_budget, '', '', ''
               FROM urgency_levels WHERE name = 'high'",
        )
    };
    let new = ["77000|5|fastest|1|ours", "7|1|1|0.5|", "9|0|||"];
    for road in [STRATEGIES, FIX] {
        let connection = database(&[FOUNDATION, edited, road]);
        assert_eq!(policy(&connection), new);
        let later = "UPDATE quality_levels SET max_retries = NULL, skip_optional_steps = 0
              WHERE name = 'basic';
            UPDATE execution_strategies SET worker_choice = 'best', use_step_cache = 0
              WHERE name = 'speed';
            UPDATE urgency_levels SET use_emergency_budget = 1 WHERE name = 'high';";
        connection.execute_batch(later).unwrap();
        let newer = ["77000|5|best|0|ours", "7|null|0|0.5|", "9|1|||"];
        assert_eq!(policy(&connection), newer);
        for again in [STRATEGIES, FIX] {
            connection.execute_batch(again).unwrap();
            assert_eq!(policy(&connection), newer);
        }
    }
}

#[test]
fn a_migration_of_policy_rows_that_is_cut_off_anywhere_can_be_run_again() {
    let whole = database(&[FOUNDATION, STRATEGIES]);
    let expected = rows(&whole, &tables(&whole), false);
    let mut cuts = 0;
    loop {
        let connection = database(&[FOUNDATION]);
        if run_statements(&connection, STRATEGIES, cuts) < cuts {
            break;
        }
        connection.execute_batch(STRATEGIES).unwrap_or_else(|e| panic!("after {cuts}: {e}"));
        let found = rows(&connection, &tables(&connection), false);
        assert_eq!(difference(&expected, &found), Vec::<String>::new(), "after {cuts}");
        assert_eq!(schema(&connection), schema(&whole), "after {cuts}");
        cuts += 1;
    }
    assert!(cuts > 20, "the script has more statements than {cuts}");
}

#[test]
fn the_fix_carries_the_schema_word_for_word() {
    let part = |text: &str, from: &str| {
        let start = text.find(from).unwrap();
        let end = text[start + 1..].find("\n-- == ").map_or(text.len(), |end| start + 1 + end);
        text[start..end].trim_end().to_owned()
    };
    for from in ["-- == part 1:", "-- == part 1b:", "-- == part 2:"] {
        assert_eq!(part(FIX, from), part(SCHEMA, from));
    }
}

/// A template that comes with a version is added to databases in use, and no row of an operator's
/// is touched: neither an edited one nor one that has the new template's name already.
#[test]
fn a_template_that_is_new_is_added_and_nothing_else_changes() {
    let edited = "UPDATE pipeline_templates SET failure_tolerance = 'park'
          WHERE name = 'rss_intelligence_pipeline';
        UPDATE pipeline_steps SET timeout_ms = 7 WHERE step_name = 'feed_fetching';
        DELETE FROM pipeline_steps WHERE step_name = 'source_curation';";
    let own = "INSERT INTO pipeline_templates (name) VALUES ('reviewed_intelligence_pipeline');
        INSERT INTO pipeline_steps (template_name, step_order, step_name, worker_name)
        VALUES ('reviewed_intelligence_pipeline', 1, 'ours', 'feed_fetcher');";
    let watched = ["pipeline_templates", "pipeline_steps", "worker_registry"].map(str::to_owned);
    for road in [REVIEWED, FIX] {
        let old = [FOUNDATION, GATES, STRATEGIES, edited];
        let connection = database(&old);
        let before = rows(&connection, &watched, true);
        connection.execute_batch(road).unwrap();
        let after = rows(&connection, &watched, true);
        for (table, added) in [("pipeline_templates", 1), ("pipeline_steps", 7)] {
            let (old, new) = (&before[table], &after[table]);
            assert!(old.iter().all(|row| new.contains(row)), "{table}");
            let of = |row: &&String| row.contains("reviewed_intelligence_pipeline");
            assert_eq!((new.len() - old.len(), new.iter().filter(of).count()), (added, added));
        }
        assert_eq!(after["worker_registry"], before["worker_registry"]);
        let default = "SELECT name FROM pipeline_templates WHERE is_default = 1";
        assert_eq!(lines(&connection, default), ["rss_intelligence_pipeline"]);

        let connection = database(&[&old[..], &[own]].concat());
        let before = rows(&connection, &watched, true);
        connection.execute_batch(road).unwrap();
        let changed = difference(&before, &rows(&connection, &watched, true));
        assert_eq!(changed, Vec::<String>::new());
    }
}
