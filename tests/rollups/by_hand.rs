//! What the figures should be, counted anew from the rows.

use std::collections::BTreeMap;

use bitware_orchestrator::insights::histogram::bin;

use super::sqlite::Sqlite;

const ENDED: &str = "('completed', 'partial', 'failed', 'cancelled')";
const SETTLED: &str = "('succeeded', 'failed', 'skipped', 'cancelled', 'compensated')";

/// Buckets of each grain, as SQL makes them of `moment`.
fn grains(moment: &str) -> [(&'static str, String); 4] {
    [
        (
            "five_minutes",
            format!(
                "strftime('%Y-%m-%dT%H:%M:00.000Z', unixepoch({moment}) / 300 * 300, 'unixepoch')"
            ),
        ),
        ("hour", format!("substr({moment}, 1, 13) || ':00:00.000Z'")),
        ("day", format!("substr({moment}, 1, 10) || 'T00:00:00.000Z'")),
        ("all", "'1970-01-01T00:00:00.000Z'".to_owned()),
    ]
}

fn executions_by_hand(db: &Sqlite) -> Vec<String> {
    let saved = |kinds: &str, field: &str| {
        format!(
            "sum((SELECT total(o.value ->> '{field}')
              FROM json_each(coalesce(f.optimizations, '[]')) AS o
              WHERE o.value ->> 'kind' IN ({kinds})))"
        )
    };
    let (cost, ms) = ("saved_cost_micro_usd", "saved_ms");
    let savings = [
        saved("'caching'", cost),
        saved("'caching'", ms),
        saved("'cheapest_worker'", cost),
        saved("'cheapest_worker'", ms),
        saved("'optional_steps_skipped'", cost),
        saved("'optional_steps_skipped'", ms),
        saved("'parallel_processing'", ms),
    ]
    .join(", ");
    let timed = "status IN ('completed', 'partial')";
    let mut found = Vec::new();
    for (grain, bucket) in grains("completed_at") {
        found.extend(db.lines(&format!(
            "SELECT account_id, '{grain}', {bucket}, template_name, execution_strategy,
              sum(status = 'completed'), sum(status = 'partial'), sum(status = 'failed'),
              sum(status = 'cancelled'), sum(cache_hit), sum(coalesce(nested, 0)),
              sum(total_cost_micro_usd), sum(total_cost_micro_usd * coalesce(nested, 0)),
              CAST(total(round(final_quality_score * 10000)) AS INTEGER),
              count(final_quality_score), {savings}, sum({timed}),
              sum(iif({timed}, total_execution_time_ms, 0))
            FROM pipeline_executions AS e
            LEFT JOIN execution_facts AS f ON f.pipeline_id = e.pipeline_id
            WHERE status IN {ENDED} GROUP BY 1, 2, 3, 4, 5"
        )));
    }
    found.sort();
    found
}

fn steps_by_hand(db: &Sqlite) -> Vec<String> {
    let timed = "s.status IN ('succeeded', 'compensated') AND s.cache_hit = 0";
    let mut found = Vec::new();
    for (grain, bucket) in grains("coalesce(s.completed_at, s.started_at, e.created_at)") {
        found.extend(db.lines(&format!(
            "SELECT e.account_id, '{grain}', {bucket}, coalesce(s.worker_name, ''),
              e.template_name, s.step_name, sum(s.status = 'succeeded'), sum(s.status = 'failed'),
              sum(s.status = 'skipped'), sum(s.status = 'cancelled'),
              sum(s.status = 'compensated'), sum(s.attempts), sum(s.failed_attempts),
              sum(s.attempts > 1), sum(s.cache_hit), sum(s.cost_micro_usd), sum({timed}),
              sum(iif({timed}, s.execution_time_ms, 0))
            FROM worker_execution_results AS s JOIN pipeline_executions AS e USING (pipeline_id)
            WHERE s.status IN {SETTLED} GROUP BY 1, 2, 3, 4, 5, 6"
        )));
    }
    found.sort();
    found
}

/// The rows of a table of figures that count anything, without their bins.
pub fn figures(db: &Sqlite, table: &str, keys: usize) -> Vec<String> {
    let columns = db.lines(&format!("SELECT name FROM pragma_table_info('{table}')"));
    let (bins, counters): (Vec<&String>, Vec<&String>) = columns
        .iter()
        .partition(|name| name.len() == 3 && name[1..].bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(bins.len(), 52);
    fn names<'a>(all: &[&'a String]) -> Vec<&'a str> {
        all.iter().map(|name| name.as_str()).collect()
    }
    let nothing = names(&counters[keys..]).join(" = 0 AND ") + " = 0";
    let mut found = db.lines(&format!(
        "SELECT {} FROM {table} WHERE account_id <> '' AND NOT ({nothing})",
        names(&counters).join(", ")
    ));
    found.sort();
    found
}

/// The rows of all accounts together, with their bins: those that the triggers keep, and their sums
/// made anew. The second of these has no rows that count nothing: only such are compared.
fn sums(db: &Sqlite, table: &str, keys: usize) -> [Vec<String>; 2] {
    let columns = db.lines(&format!("SELECT name FROM pragma_table_info('{table}')"));
    let (keys, counters) = (columns[1..keys].join(", "), &columns[keys..]);
    let counts =
        format!("({}) IS NOT ({})", counters.join(", "), vec!["0"; counters.len()].join(", "));
    let sum: Vec<String> = counters.iter().map(|name| format!("sum({name}) AS {name}")).collect();
    let kept = format!("SELECT {keys}, {} FROM {table} WHERE account_id = ''", counters.join(", "));
    let anew = format!(
        "SELECT {keys}, {} FROM {table} WHERE account_id <> '' GROUP BY {keys}",
        sum.join(", ")
    );
    [kept, anew].map(|sql| {
        let mut found = db.lines(&format!("SELECT * FROM ({sql}) WHERE {counts}"));
        found.sort();
        found
    })
}

/// What accounts came to, as the triggers keep it and made anew.
fn of_accounts(db: &Sqlite) -> [Vec<String>; 2] {
    let counters =
        ["completed", "partial", "failed", "cancelled", "cost_micro_usd", "nested_cost_micro_usd"];
    let sum = counters.map(|name| format!("sum({name})")).join(", ");
    let kept =
        format!("SELECT grain, bucket, account_id, {} FROM account_rollups", counters.join(", "));
    let anew = format!(
        "SELECT grain, bucket, account_id, {sum} FROM execution_rollups WHERE account_id <> ''
         GROUP BY 1, 2, 3"
    );
    [kept, anew].map(|sql| {
        let mut found = db.lines(&sql);
        found.sort();
        found
    })
}

/// How many durations are in each bin of all time.
fn bins(db: &Sqlite, table: &str) -> BTreeMap<usize, i64> {
    let of = |n: usize| {
        format!("SELECT sum(d{n:02}) FROM {table} WHERE grain = 'all' AND account_id <> ''")
    };
    let count = |n: usize| db.number(&of(n));
    (0..52).map(|n| (n, count(n))).filter(|(_, count)| *count != 0).collect()
}

fn bins_by_hand(db: &Sqlite, durations: &str) -> BTreeMap<usize, i64> {
    let mut found = BTreeMap::new();
    for duration in db.lines(durations) {
        *found.entry(bin(duration.parse().unwrap())).or_default() += 1;
    }
    found
}

#[track_caller]
pub fn assert_exact(db: &Sqlite, what: &str) {
    assert_eq!(figures(db, "execution_rollups", 5), executions_by_hand(db), "{what}");
    assert_eq!(figures(db, "step_rollups", 6), steps_by_hand(db), "{what}");
    let executions = "SELECT total_execution_time_ms FROM pipeline_executions
        WHERE status IN ('completed', 'partial')";
    assert_eq!(bins(db, "execution_rollups"), bins_by_hand(db, executions), "{what}");
    let steps = "SELECT execution_time_ms FROM worker_execution_results
        WHERE status IN ('succeeded', 'compensated') AND cache_hit = 0";
    assert_eq!(bins(db, "step_rollups"), bins_by_hand(db, steps), "{what}");
    for (table, keys) in [("execution_rollups", 5), ("step_rollups", 6)] {
        let [kept, anew] = sums(db, table, keys);
        assert_eq!(kept, anew, "{table} of all accounts, {what}");
    }
    let [kept, anew] = of_accounts(db);
    assert_eq!(kept, anew, "{what}");
}
