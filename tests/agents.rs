//! The store of agents: records that are there once, counters that agree to the unit, pages that
//! walk an index, words that are found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sqlite;

use bitware_orchestrator::db::agents::agent::{self, Patched};
use bitware_orchestrator::db::agents::logs::{self, Appending};
use bitware_orchestrator::db::agents::usage::{self, Report, Reported};
use bitware_orchestrator::db::agents::{Range, chat, orchestrator, prompts, summary, system_logs};
use serde_json::{Value, json};
use sqlite::{Sqlite, wait};

const ACCOUNT: &str = "default";

fn with_agents(names: &[&str]) -> Sqlite {
    let db = Sqlite::new();
    db.shell("INSERT INTO accounts (id) VALUES ('acme')");
    for name in names {
        let document = json!({ "name": name, "model": "small" });
        wait(agent::add(&db, ACCOUNT, name, &document)).unwrap().unwrap();
    }
    db
}

fn entry(id: &str, agent: &str, second: u32, content: &str) -> Value {
    json!({
        "id": id, "agent_id": agent, "event_category": "hook", "event_type": "PreToolUse",
        "content": content, "timestamp": format!("2026-11-21T10:00:{second:02}.000Z"),
    })
}

fn append(db: &Sqlite, entries: &[Value]) -> u64 {
    let entries = Value::Array(entries.to_vec());
    match wait(logs::append(db, ACCOUNT, &entries)).unwrap() {
        Appending::Done { appended } => appended,
        Appending::AgentsUnknown { places } => panic!("unknown agents at {places:?}"),
    }
}

fn range(limit: u32) -> Range {
    Range { limit, ..Range::default() }
}

fn found(db: &Sqlite, filter: &logs::Filter, words: Option<&str>) -> Vec<String> {
    let page = wait(logs::RECORDS.page(db, ACCOUNT, filter, &range(50), words)).unwrap();
    page.rows.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn what_is_sent_twice_is_there_once() {
    let db = with_agents(&["a"]);
    let [one, two, three] = [1, 2, 3].map(|n| entry(&format!("e{n}"), "a", n, "text"));
    assert_eq!(append(&db, &[one.clone(), two.clone()]), 2);
    assert_eq!(append(&db, &[two.clone(), three.clone(), three]), 1);
    assert_eq!(found(&db, &logs::Filter::default(), None), ["e3", "e2", "e1"]);
    // Under an id of another account an entry is that account's own.
    wait(agent::add(&db, "acme", "b", &json!({ "name": "a", "model": "m" }))).unwrap().unwrap();
    let theirs = Value::Array(vec![entry("e1", "b", 9, "theirs")]);
    let done = wait(logs::append(&db, "acme", &theirs)).unwrap();
    assert_eq!(done, Appending::Done { appended: 1 });
    let ours = wait(logs::RECORDS.find(&db, ACCOUNT, "e1")).unwrap().unwrap();
    assert_eq!(ours.content.as_deref(), Some("text"));
}

#[test]
fn a_batch_with_an_unknown_agent_adds_nothing_and_names_the_place() {
    let db = with_agents(&["a"]);
    wait(agent::add(&db, "acme", "theirs", &json!({ "name": "t", "model": "m" }))).unwrap();
    let entries = ["a", "nobody", "a", "theirs"];
    let entries: Vec<Value> =
        (0..4).map(|n| entry(&format!("e{n}"), entries[n], n as u32, "x")).collect();
    let outcome = wait(logs::append(&db, ACCOUNT, &Value::Array(entries))).unwrap();
    assert_eq!(outcome, Appending::AgentsUnknown { places: vec![1, 3] });
    assert_eq!(db.number("SELECT count(*) FROM agent_logs"), 0);
}

#[test]
fn pages_meet_every_entry_once_while_entries_arrive() {
    let db = with_agents(&["a", "b"]);
    let all: Vec<Value> = (0..40)
        .map(|n| entry(&format!("e{n:02}"), if n % 4 == 0 { "b" } else { "a" }, n / 5, "x"))
        .collect();
    append(&db, &all);
    for filter in [
        logs::Filter::default(),
        logs::Filter { agent_id: Some("a".to_owned()), ..logs::Filter::default() },
    ] {
        let mut met = Vec::new();
        let mut after = None;
        loop {
            let range = Range { after, ..range(7) };
            let page = wait(logs::RECORDS.page(&db, ACCOUNT, &filter, &range, None)).unwrap();
            let last = page.rows.last().unwrap();
            after = Some((last.timestamp.clone(), last.seq.to_string()));
            met.extend(page.rows.iter().map(|entry| entry.id.clone()));
            let late = format!("late{}", met.len());
            append(&db, &[entry(&late, "a", 59, "x")]);
            if !page.more {
                break;
            }
        }
        let expected = db.lines(&format!(
            "SELECT id FROM agent_logs WHERE id LIKE 'e%' {} ORDER BY timestamp DESC, seq DESC",
            filter.agent_id.as_ref().map_or("", |_| "AND agent_id = 'a'")
        ));
        met.retain(|id| id.starts_with('e'));
        assert_eq!(met, expected);
        db.shell("DELETE FROM agent_logs WHERE id LIKE 'late%'");
    }
}

#[test]
fn words_are_found_whatever_their_case_and_accents() {
    let db = with_agents(&["a"]);
    append(
        &db,
        &[
            entry("e1", "a", 1, "Reads the café's feed"),
            entry("e2", "a", 2, "the FEED fails: \"timeout\""),
            entry("e3", "a", 3, "nothing of the kind"),
        ],
    );
    let words = |words| found(&db, &logs::Filter::default(), Some(words));
    assert_eq!(words("feed"), ["e2", "e1"]);
    assert_eq!(words("Cafe FEED"), ["e1"]);
    assert_eq!(words("fee*"), ["e2", "e1"]);
    assert_eq!(words("fee"), Vec::<String>::new());
    for odd in ["\"timeout\"", "fails:", "feed \" OR *", "NEAR(feed fails)", "-", "*", "a:b:c"] {
        let _ = words(odd);
    }
    assert_eq!(words("account_id"), Vec::<String>::new());
    assert_eq!(words("default"), Vec::<String>::new(), "an account's name is no text");
    wait(logs::RECORDS.summarise(&db, ACCOUNT, "e3", "a quiet day")).unwrap().unwrap();
    assert_eq!(words("quiet"), ["e3"]);
    db.shell("DELETE FROM agent_logs WHERE id = 'e3'");
    assert_eq!(words("quiet"), Vec::<String>::new());
}

#[test]
fn records_are_never_changed_but_a_summary_may_be_added_once() {
    let db = with_agents(&["a"]);
    append(&db, &[entry("e1", "a", 1, "x")]);
    wait(prompts::RECORDS.add(
        &db,
        ACCOUNT,
        &json!({
            "id": "p1", "agent_id": "a", "author": "engineer", "prompt_text": "x",
            "timestamp": "2026-11-21T10:00:00.000Z",
        }),
    ))
    .unwrap()
    .unwrap();
    for bad in [
        "UPDATE agent_logs SET content = 'other'",
        "UPDATE agent_logs SET seq = 7",
        "UPDATE prompts SET prompt_text = 'other'",
        "UPDATE prompts SET author = 'orchestrator_agent'",
    ] {
        let error = db.connection.borrow().execute_batch(bad).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{bad}: {error}");
    }
    let first = wait(logs::RECORDS.summarise(&db, ACCOUNT, "e1", "one")).unwrap().unwrap();
    assert_eq!(first.summary.as_deref(), Some("one"));
    let second = wait(logs::RECORDS.summarise(&db, ACCOUNT, "e1", "two")).unwrap().unwrap();
    assert_eq!(second.summary.as_deref(), Some("one"));
    assert!(db.connection.borrow().execute_batch("UPDATE agent_logs SET summary = 'x'").is_err());
    assert!(wait(logs::RECORDS.summarise(&db, "acme", "e1", "theirs")).unwrap().is_none());
}

fn report(id: usize, agent: &str) -> Report {
    Report {
        id: format!("r{id}"),
        agent: agent.to_owned(),
        model: id.is_multiple_of(3).then(|| "large".to_owned()),
        input_tokens: id as u64,
        output_tokens: 2 * id as u64,
        cost_micro_usd: 3 * id as u64,
        at: format!("2026-11-{:02}T10:00:00.000Z", 1 + id % 28),
    }
}

#[test]
fn counters_agree_to_the_unit_although_reports_come_twice() {
    let db = with_agents(&["a", "b"]);
    let mut expected = [0_u64; 2];
    for n in 1..=300 {
        let which = n % 2;
        expected[which] += n as u64;
        for time in 0..=(n % 3) {
            let again = Report { at: format!("again {time}"), ..report(n, ["a", "b"][which]) };
            let sent = if time == 0 { report(n, ["a", "b"][which]) } else { again };
            let Reported::Counted { duplicate, .. } =
                wait(usage::report(&db, ACCOUNT, "lead", &sent)).unwrap()
            else {
                panic!("{n} counts")
            };
            assert_eq!(duplicate, time > 0);
        }
    }
    for (which, name) in ["a", "b"].into_iter().enumerate() {
        let agent = wait(agent::find(&db, ACCOUNT, name)).unwrap().unwrap();
        assert_eq!(agent.input_tokens, expected[which]);
        assert_eq!(agent.output_tokens, 2 * expected[which]);
        assert_eq!(agent.total_cost_micro_usd, 3 * expected[which]);
    }
    let lead = wait(orchestrator::live(&db, ACCOUNT)).unwrap().unwrap();
    assert_eq!(lead.total_cost_micro_usd, 3 * (expected[0] + expected[1]));
    let total = "SELECT sum(cost_micro_usd) FROM agent_usage";
    assert_eq!(db.number(total) as u64, lead.total_cost_micro_usd);
    let other = Report { input_tokens: 99, ..report(1, "b") };
    assert_eq!(wait(usage::report(&db, ACCOUNT, "l", &other)).unwrap(), Reported::Another);
    let nobody = report(1000, "nobody");
    assert_eq!(wait(usage::report(&db, ACCOUNT, "l", &nobody)).unwrap(), Reported::AgentMissing);
    let foreign = wait(usage::report(&db, "acme", "l", &report(1001, "a"))).unwrap();
    assert_eq!(foreign, Reported::AgentMissing, "another account's agent");
}

#[test]
fn a_name_is_one_agents_until_it_is_put_away() {
    let db = with_agents(&["a", "b"]);
    let patch =
        |id: &str, document: Value| wait(agent::patch(&db, ACCOUNT, id, &document)).unwrap();
    let document = json!({ "name": "a", "model": "m" });
    assert_eq!(wait(agent::add(&db, ACCOUNT, "c", &document)).unwrap(), None);
    assert_eq!(patch("b", json!({ "name": "a" })), Patched::NameTaken);
    assert_eq!(patch("z", json!({ "name": "z" })), Patched::Missing);
    let Patched::Done(away) = patch("a", json!({ "archived": true })) else { panic!("it goes") };
    assert!(away.archived);
    assert!(matches!(patch("b", json!({ "name": "a" })), Patched::Done(_)));
    assert_eq!(patch("a", json!({ "archived": false })), Patched::NameTaken);
    assert!(matches!(patch("a", json!({ "archived": false, "name": "z" })), Patched::Done(_)));
}

#[test]
fn a_patch_changes_what_it_names_and_empties_what_it_says_null_of() {
    let db = with_agents(&["a"]);
    let patch = |document: Value| match wait(agent::patch(&db, ACCOUNT, "a", &document)).unwrap() {
        Patched::Done(agent) => agent,
        other => panic!("{other:?}"),
    };
    let one = patch(json!({ "working_dir": "/srv", "metadata": { "x": 1, "y": { "z": 2 } } }));
    assert_eq!(one.working_dir.as_deref(), Some("/srv"));
    let two = patch(json!({ "status": "blocked", "metadata": { "x": null, "y": { "w": 3 } } }));
    assert_eq!(two.working_dir.as_deref(), Some("/srv"));
    assert_eq!(json!(two.metadata), json!({ "y": { "z": 2, "w": 3 } }));
    assert_eq!(patch(json!({ "working_dir": null })).working_dir, None);
    assert_eq!(json!(patch(json!({})).status), "blocked");
}

#[test]
fn what_an_agent_recorded_outlives_it() {
    let db = with_agents(&["a"]);
    append(&db, &[entry("e1", "a", 1, "x")]);
    wait(usage::report(&db, ACCOUNT, "lead", &report(3, "a"))).unwrap();
    assert!(wait(agent::remove(&db, ACCOUNT, "a")).unwrap());
    assert!(!wait(agent::remove(&db, ACCOUNT, "a")).unwrap());
    let of_a = logs::Filter { agent_id: Some("a".to_owned()), ..logs::Filter::default() };
    assert_eq!(found(&db, &of_a, None), ["e1"]);
    assert_eq!(wait(orchestrator::live(&db, ACCOUNT)).unwrap().unwrap().input_tokens, 3);
}

#[test]
fn one_orchestrator_agent_lives_at_a_time() {
    let db = with_agents(&[]);
    let begin = |id: &str| wait(orchestrator::begin(&db, ACCOUNT, id, &json!({}))).unwrap();
    assert_eq!(wait(orchestrator::live(&db, ACCOUNT)).unwrap(), None);
    assert_eq!(begin("one").unwrap().id, "one");
    assert_eq!(begin("two").unwrap().id, "two");
    assert_eq!(begin("one").unwrap().id, "two", "sent again, late, it takes nobody's place");
    let patched = json!({ "status": "executing" });
    let patched = wait(orchestrator::patch(&db, ACCOUNT, "three", &patched)).unwrap().unwrap();
    assert_eq!((patched.id.as_str(), json!(patched.status)), ("two", json!("executing")));
    let all = wait(orchestrator::page(&db, ACCOUNT, &range(10))).unwrap();
    assert_eq!(all.rows.iter().filter(|agent| !agent.archived).count(), 1);
    assert_eq!(all.rows.len(), 2);
}

#[test]
fn a_document_that_is_null_is_as_good_as_none() {
    let db = with_agents(&[]);
    let document = json!({ "name": "a", "model": "small", "metadata": null });
    wait(agent::add(&db, ACCOUNT, "a", &document)).unwrap().unwrap();
    let said = json!({ "id": "m", "sender_type": "user", "receiver_type": "agent",
        "message": "x", "metadata": null, "timestamp": "2026" });
    let said = wait(chat::RECORDS.add(&db, ACCOUNT, &said)).unwrap().unwrap();
    assert!(said.metadata.is_empty());
    let error = json!([{ "id": "s", "level": "ERROR", "message": "x", "metadata": null,
        "timestamp": "2026" }]);
    assert_eq!(wait(system_logs::RECORDS.append(&db, ACCOUNT, &error)).unwrap(), 1);
    let mut entry = entry("e", "a", 0, "x");
    entry["payload"] = Value::Null;
    assert_eq!(append(&db, &[entry]), 1);
}

#[test]
fn a_summary_shows_figures_and_what_came_last() {
    let db = with_agents(&["a", "b"]);
    append(&db, &(0..12).map(|n| entry(&format!("e{n}"), "a", n, "x")).collect::<Vec<_>>());
    let error = json!([{ "id": "s", "level": "ERROR", "message": "x", "timestamp": "2026" }]);
    assert_eq!(wait(system_logs::RECORDS.append(&db, ACCOUNT, &error)).unwrap(), 1);
    for n in 1..=6 {
        wait(usage::report(&db, ACCOUNT, "lead", &report(n, "a"))).unwrap();
    }
    wait(agent::patch(&db, ACCOUNT, "b", &json!({ "status": "blocked" }))).unwrap();
    let since = summary::Since {
        moment: "2026-11-21T10:00:05.000Z".to_owned(),
        day: "2026-11-03".to_owned(),
    };
    let whole = wait(summary::of_account(&db, ACCOUNT, &since)).unwrap();
    assert_eq!(whole.activity.log_entries_24h, 7);
    assert_eq!(whole.blocked_agents[0].name, "b");
    assert_eq!(whole.agents_by_status["idle"], 1);
    assert_eq!(whole.last_entries.len(), 10);
    assert_eq!(whole.last_errors.len(), 1);
    assert_eq!(whole.orchestrator_agent.unwrap().input_tokens, 21);
    let days: Vec<_> = whole.usage.iter().map(|u| (u.day.as_str(), u.model.as_str())).collect();
    assert_eq!(days[..2], [("2026-11-07", "large"), ("2026-11-06", "small")]);
    assert_eq!(whole.usage.iter().map(|u| u.input_tokens).sum::<u64>(), 2 + 3 + 4 + 5 + 6);
    let one = wait(summary::of_agent(&db, ACCOUNT, "a", &since)).unwrap().unwrap();
    assert_eq!(one.last_entries[0].id, "e11");
    assert_eq!(one.usage, whole.usage);
    assert!(wait(summary::of_agent(&db, "acme", "a", &since)).unwrap().is_none());
}

#[test]
fn what_arrived_is_told_in_its_order() {
    let db = with_agents(&["a", "b"]);
    append(&db, &[entry("e1", "a", 9, "x"), entry("e2", "b", 1, "x"), entry("e3", "a", 5, "x")]);
    let arrived = |agent, after| -> Vec<String> {
        let rows = wait(logs::arrived(&db, ACCOUNT, agent, after, 10)).unwrap();
        rows.into_iter().map(|entry| entry.id).collect()
    };
    assert_eq!(arrived(None, 0), ["e1", "e2", "e3"]);
    assert_eq!(arrived(Some("a"), 0), ["e1", "e3"]);
    assert_eq!(arrived(None, wait(logs::newest(&db, ACCOUNT)).unwrap()), Vec::<String>::new());
    assert_eq!(wait(logs::newest(&db, "acme")).unwrap(), 0);
}

/// Migrations since this family's add and never take away, so that old code goes on beside them.
#[test]
fn migrations_add_and_take_nothing_away() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap() < "0012" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap().to_uppercase();
        let place = path.display();
        assert!(!text.contains("DROP TABLE") && !text.contains("DROP COLUMN"), "{place}");
        for statement in [
            "CREATE TABLE ",
            "CREATE INDEX ",
            "CREATE UNIQUE INDEX ",
            "CREATE VIRTUAL TABLE ",
            "CREATE TRIGGER ",
            "CREATE VIEW ",
        ] {
            let bare =
                text.split(statement).skip(1).find(|rest| !rest.starts_with("IF NOT EXISTS"));
            assert!(bare.is_none(), "{place}: {statement}without IF NOT EXISTS");
        }
    }
}
