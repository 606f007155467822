//! docs/operations.md against the code: every log event and every metric stands in its table, and
//! nothing stands there that is not in the code.

mod house;
#[allow(dead_code, reason = "each test uses a part of it")]
mod tree;

use std::collections::BTreeSet;

use house::assert_none;
use tree::{SourceFile, files};

const PAGE: &str = "docs/operations.md";
/// Who writes log lines.
const WRITERS: [&str; 3] = ["src/", "crates/worker-kit/src/", "workers/"];
/// What stands before the name of an event.
const BEFORE_EVENT: [&str; 5] =
    ["\"event\": \"", "failed(\"", "self.warn(\"", "let event = \"", "=> log(\""];
/// The same, where the line has more to it.
const BEFORE_EVENT_IN_CLOSURE: &str = "|error| log(\"";
const METRICS: &str = "src/metrics/mod.rs";

#[test]
fn the_events_of_the_log_are_those_of_the_page() {
    let text = "json!({ \"event\": \"a.b\" }); failed(\"c.d\", \"no event\");".to_owned();
    let shown = SourceFile { path: "src/a.rs".to_owned(), text };
    assert_eq!(events(&[shown]), BTreeSet::from(["a.b".to_owned(), "c.d".to_owned()]));
    let files = files();
    let (code, page) = (events(&files), table(&files, "| event |"));
    assert!(code.len() > 30, "{code:?}");
    assert_none("events that the page lacks", &lacking(&code, &page));
    assert_none("events that the code lacks", &lacking(&page, &code));
}

#[test]
fn an_event_is_named_where_it_is_written() {
    let named_elsewhere = files().into_iter().filter(|file| file.is_rust() && writes(file));
    let nameless = named_elsewhere
        .filter(|file| file.text.contains("\"event\": event") && names(&file.text).is_empty());
    let nameless: Vec<String> = nameless.map(|file| file.path.clone()).collect();
    assert_none("files whose events have no name", &nameless);
}

#[test]
fn the_metrics_are_those_of_the_page() {
    let files = files();
    let source = files.iter().find(|file| file.path == METRICS).expect("it is there");
    let kinds = ["Counter", "Gauge", "Histogram"];
    let code: BTreeSet<String> = source
        .text
        .lines()
        .filter(|line| kinds.iter().any(|kind| line.contains(&format!(" = {kind} \""))))
        .filter_map(|line| line.split('"').nth(1).map(|name| format!("bitware_{name}")))
        .collect();
    let page = table(&files, "| metric |");
    assert!(code.len() > 20, "{code:?}");
    assert_none("metrics that the page lacks", &lacking(&code, &page));
    assert_none("metrics that the code lacks", &lacking(&page, &code));
}

#[test]
fn everything_that_health_may_find_has_its_row_in_the_runbook() {
    let files = files();
    let page = &files.iter().find(|file| file.path == PAGE).expect("it is there").text;
    let runbook = page.split("## When something is wrong").nth(1).expect("the page ends with it");
    let missing = [
        "The secret X is not set",
        "The variable X has no valid value",
        "The binding X is missing",
        "The migration NNNN is not applied",
        "The database does not answer",
        "The database answers with errors",
        "alert `degradation`",
        "alert `cost_spike`",
        "alert `worker_failure`",
        "alert `quality_drop`",
        "alert `capacity`",
    ];
    let missing = missing.iter().filter(|finding| !runbook.contains(**finding));
    assert_none("findings without a row", &missing.map(|it| (*it).to_owned()).collect::<Vec<_>>());
}

fn writes(file: &SourceFile) -> bool {
    WRITERS.iter().any(|folder| file.path.starts_with(folder))
}

fn events(files: &[SourceFile]) -> BTreeSet<String> {
    let writers = files.iter().filter(|file| file.is_rust() && writes(file));
    writers.flat_map(|file| names(without_tests(&file.text))).collect()
}

/// Names such as `execution.ended`, after anything that names an event.
fn names(text: &str) -> BTreeSet<String> {
    let marks = BEFORE_EVENT.iter().chain([&BEFORE_EVENT_IN_CLOSURE]);
    let after = marks.flat_map(|mark| text.split(*mark).skip(1));
    let name = |rest: &str| rest.split('"').next().unwrap_or_default().to_owned();
    let is_event = |name: &String| {
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
        plain && (name.contains('.') || name == "request")
    };
    after.map(name).filter(is_event).collect()
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

/// The names in the first column of the table whose head begins so.
fn table(files: &[SourceFile], head: &str) -> BTreeSet<String> {
    let page = &files.iter().find(|file| file.path == PAGE).expect("the page is there").text;
    let rows = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn lacking(of: &BTreeSet<String>, other: &BTreeSet<String>) -> Vec<String> {
    of.difference(other).cloned().collect()
}
