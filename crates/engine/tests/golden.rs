//! Golden files lock the journal's format: what any version ever wrote replays to what it came to
//! then. `golden/<scenario>.<n>.ndjson` is a journal, one record a line;
//! `golden/<scenario>.<n>.outcome.json` is what it came to.
//!
//! `UPDATE_GOLDEN=1 cargo test -p engine --test golden` adds a file for each scenario that this
//! build writes differently. Files that are there are never written again: old journals stay.

mod required;
mod scenario;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::execution::{Event, State, StepState};
use engine::plan::Plan;
use engine::time::Timestamp;
use required::Required;
use scenario::Scenario;
use serde_json::{Map, Value, json};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The files of a scenario, oldest first.
fn versions(name: &str) -> Vec<PathBuf> {
    let numbered = (1..).map(|n| directory().join(format!("{name}.{n}.ndjson")));
    numbered.take_while(|path| path.exists()).collect()
}

fn journals() -> Vec<PathBuf> {
    let files = fs::read_dir(directory()).expect("there are golden files");
    let paths = files.map(|file| file.expect("a golden file can be listed").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ext| ext == "ndjson")).collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn written(scenario: &Scenario) -> String {
    let line = |record: &Vec<Event>| serde_json::to_string(record).expect("events are written");
    scenario.records.iter().map(|record| line(record) + "\n").collect()
}

fn events(journal: &str) -> Vec<Event> {
    let record = |line: &str| -> Vec<Event> {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
    };
    journal.lines().flat_map(record).collect()
}

/// All that a journal comes to, as far as anybody outside the engine can tell.
fn outcome(journal: &str) -> Value {
    let state = State::replay(events(journal), |started| {
        Plan::compile_with(&started.definition, &Required).map(Arc::new)
    });
    let state = state.unwrap_or_else(|error| panic!("{error:?}"));
    let steps: Vec<Value> = state
        .plan
        .steps
        .iter()
        .zip(&state.steps)
        .map(|(planned, step)| {
            let mut told = json!({
                "name": planned.name, "status": step.status, "attempts": step.attempts,
                "cost": step.cost, "cost_estimated": step.cost_estimated, "fallback": step.fallback,
                "output": step.output, "fault": step.fault, "skipped": step.skipped,
                "started_at": step.started_at, "finished_at": step.finished_at,
                "reused_from": step.reused_from,
            });
            told.as_object_mut().expect("it is one").extend(beyond_the_first_format(step));
            told
        })
        .collect();
    let summary = state.summary(Timestamp::from_millis(0));
    let words: Vec<&str> = summary.optimizations.iter().map(|made| made.kind.as_str()).collect();
    let mut told = json!({
        "status": state.status, "fault": state.fault, "spent": state.spent,
        "cost_estimated": state.cost_estimated, "finished_at": state.finished_at,
        "duration_ms": summary.duration, "figures": summary.figures, "optimizations": words,
        "cache_hit": state.is_cache_hit(), "result": state.result().ok(), "steps": steps,
    });
    if state.budget != state.started.terms.budget {
        told["budget"] = json!(state.budget);
    }
    told
}

/// What steps have come to have since the first outcomes were written down: named only where it is
/// there, so that those need not change.
fn beyond_the_first_format(step: &StepState) -> Map<String, Value> {
    let mut told = Map::new();
    if step.generation > 1 {
        told.insert("generation".to_owned(), json!(step.generation));
    }
    if let Some(child) = &step.child {
        told.insert("child".to_owned(), json!(child));
    }
    if let Some(memoised) = &step.memoised {
        told.insert("memoised".to_owned(), json!(memoised));
    }
    if let Some(undo) = &step.undo {
        let undo = json!({"status": undo.status, "attempts": undo.attempts, "cost": undo.cost});
        told.insert("undo".to_owned(), undo);
    }
    if let Some(map) = &step.map {
        let elements = map.elements.iter().map(|work| {
            json!({
                "status": work.status, "generation": work.generation, "attempts": work.attempts,
                "fallback": work.fallback, "cost": work.cost, "fault": work.fault,
                "memoised": work.memoised,
            })
        });
        told.insert("elements".to_owned(), elements.collect());
    }
    told
}

/// A switch of this test alone.
#[expect(clippy::disallowed_methods, reason = "nothing is configured by it but this test")]
fn updates() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

#[test]
fn this_build_writes_what_its_newest_golden_files_say() {
    for scenario in scenario::all() {
        let journal = written(&scenario);
        let known = versions(scenario.name);
        if known.last().is_some_and(|path| text(path) == journal) {
            continue;
        }
        assert!(updates(), "`{}` is written differently: see the head of golden.rs", scenario.name);
        let path = directory().join(format!("{}.{}.ndjson", scenario.name, known.len() + 1));
        let pretty = serde_json::to_string_pretty(&outcome(&journal)).expect("JSON");
        fs::write(&path, &journal).expect("the golden directory can be written");
        fs::write(path.with_extension("outcome.json"), pretty + "\n").expect("so can the outcome");
    }
}

#[test]
fn every_journal_that_was_ever_written_comes_to_what_it_came_to() {
    let paths = journals();
    assert!(paths.len() >= 20, "{paths:?}");
    for path in paths {
        let recorded: Value = serde_json::from_str(&text(&path.with_extension("outcome.json")))
            .expect("an outcome is JSON");
        assert_eq!(outcome(&text(&path)), recorded, "{}", path.display());
    }
}

#[test]
fn a_golden_journal_that_is_read_and_written_is_the_same() {
    for path in journals() {
        for line in text(&path).lines() {
            let record: Vec<Event> = serde_json::from_str(line).expect("a record is read");
            let again = serde_json::to_value(&record).expect("and written");
            let before: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(again, before, "{}", path.display());
        }
    }
}

/// What journals may contain, in the words of the test below.
const MET: [&str; 58] = [
    "event started",
    "event attempt_started",
    "event attempt_failed",
    "event step_succeeded",
    "event step_reused",
    "event step_failed",
    "event step_skipped",
    "event late_answer",
    "event taken_over",
    "event finished",
    "event attempt_accepted",
    "event heartbeat",
    "event step_cancelled",
    "event step_held",
    "event map_started",
    "event wait_started",
    "event signal_received",
    "event asked",
    "event paused",
    "event resumed",
    "event parked",
    "event woken",
    "event unwinding",
    "event reset",
    "why asked",
    "why budget",
    "why failure",
    "why concurrency",
    "why rate",
    "why cooldown",
    "why breaker",
    "verb cancel",
    "verb kill",
    "verb pause",
    "verb resume",
    "verb retry",
    "verb rerun",
    "field memoised",
    "field child",
    "field input",
    "field budget",
    "field signal",
    "field until",
    "fault child",
    "why condition",
    "why failed",
    "why dependency",
    "why strategy",
    "fault http",
    "fault network",
    "fault timeout",
    "fault lost",
    "fault output",
    "fault refused",
    "fault expression",
    "fault limit",
    "output v",
    "output r",
];

#[test]
fn the_golden_files_meet_every_event_every_fault_and_every_reason() {
    let mut met = BTreeSet::new();
    for path in journals() {
        for event in events(&text(&path)) {
            let event = serde_json::to_value(&event).expect("events are written");
            met.insert(format!("event {}", event["type"].as_str().unwrap_or_default()));
            let reason = event["reason"]["why"].as_str().or(event["reason"].as_str());
            met.insert(format!("why {}", reason.unwrap_or_default()));
            met.insert(format!("verb {}", event["verb"].as_str().unwrap_or_default()));
            for field in ["memoised", "child", "input", "budget", "signal", "until"] {
                met.extend(event.get(field).map(|_| format!("field {field}")));
            }
            for fault in [&event["fault"], &event["reason"]["fault"]] {
                let kind = fault["kind"].as_str().map(str::to_owned);
                let status = fault["kind"].get("http").map(|_| "http".to_owned());
                met.extend(kind.or(status).map(|kind| format!("fault {kind}")));
            }
            for form in event["output"].as_object().into_iter().flat_map(|form| form.keys()) {
                met.insert(format!("output {form}"));
            }
        }
    }
    for expected in MET {
        assert!(met.contains(expected), "no golden file meets `{expected}`");
    }
}

/// Old and new builds overlap during a deployment, and the shard hands journals to both. What an
/// old one does not know of a plan changes what has to be done, so it reads none of it: it leaves
/// the execution to a driver that knows. That is why a new kind of step raises no version of the
/// protocol, which keeps new drivers from old shards and not the other way round.
#[test]
fn a_plan_with_something_unknown_in_it_is_not_read() {
    let whole = text(&directory().join("tooled.1.ndjson"));
    let first: Value = serde_json::from_str(whole.lines().next().unwrap()).unwrap();
    let reads = |record: &Value| serde_json::from_value::<Vec<Event>>(record.clone()).is_ok();
    assert!(reads(&first));
    let tools = first[0]["definition"]["tools"].as_object().unwrap();
    let tool = tools.keys().next().unwrap();
    for (place, name, value) in [
        ("/0/definition".to_owned(), "cities", json!({})),
        ("/0/definition/steps/0".to_owned(), "kind", json!("city")),
        ("/0/definition/steps/0".to_owned(), "city", json!("Rome")),
        (format!("/0/definition/tools/{tool}"), "city", json!("Rome")),
    ] {
        let mut unknown = first.clone();
        unknown.pointer_mut(&place).unwrap()[name] = value;
        assert!(!reads(&unknown), "{place}/{name} was read as if it were not there");
    }
}
