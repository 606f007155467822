//! Journals that are damaged or of another plan: refused with a reason, never a panic.

use std::sync::Arc;

use serde_json::{Value, json};

use super::story::{Shape, Story, retries, step, transform};
use crate::execution::{Event, IllegalEvent, ReplayError, State};

/// A journal in which everything happened once.
fn whole() -> Story {
    let mut story = Story::begin(vec![
        step("a").retry(retries(1)),
        transform("t", json!({"t": 1})).after(&["a"]),
        step("b").after(&["t"]),
    ]);
    story.take_over();
    story.succeed("a", json!({"n": 1}));
    story.succeed("b", json!({}));
    story
}

fn replay(story: &Story, events: Vec<Event>) -> Result<State, IllegalEvent> {
    let replayed = State::replay::<()>(events, |_| Ok(Arc::clone(&story.plan)));
    replayed.map_err(|error| match error {
        ReplayError::Illegal(illegal) => illegal,
        ReplayError::Plan(()) => panic!("the plan is given"),
    })
}

#[test]
fn a_journal_with_an_event_left_out_twice_or_out_of_place_never_panics() {
    let story = whole();
    let events = &story.journal;
    assert!(events.len() > 8);
    let mut refused = 0;
    for n in 0..events.len() {
        let mut without = events.clone();
        without.remove(n);
        refused += u32::from(replay(&story, without).is_err());
        let mut twice = events.clone();
        twice.insert(n, events[n].clone());
        // A second note of a take-over says nothing new; every other event can happen but once.
        let harmless = matches!(events[n], Event::TakenOver { .. });
        assert_eq!(replay(&story, twice).is_ok(), harmless, "twice: {:?}", events[n]);
        for m in n + 1..events.len() {
            let mut swapped = events.clone();
            swapped.swap(n, m);
            refused += u32::from(replay(&story, swapped).is_err());
        }
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn a_journal_that_does_not_begin_with_its_start_is_refused() {
    let story = whole();
    let error = replay(&story, Vec::new()).unwrap_err();
    assert_eq!(error.why, "a journal begins with its start");
    assert!(replay(&story, story.journal[1..].to_vec()).is_err());
}

/// `event` after the journal's first `n` events; the reason why it cannot follow.
fn refusal(story: &Story, n: usize, event: Value) -> String {
    let mut events = story.journal[..n].to_vec();
    events.push(serde_json::from_value(event).expect("an event"));
    replay(story, events).expect_err("it cannot follow").to_string()
}

#[test]
fn events_that_cannot_follow_say_why() {
    let story = whole();
    let settled = |kind: &str, step: &str| {
        json!({"type": kind, "step": step, "at": 1, "output": {"v": {}}, "cost": 0,
            "reason": {"why": "strategy"}, "from": "pipe_1_00000000000000000000000000",
            "fault": {"code": "c", "message": "m", "kind": "network"}})
    };
    for kind in ["step_succeeded", "step_reused", "step_failed", "step_skipped"] {
        let early = refusal(&story, 1, settled(kind, "b"));
        assert!(early.contains("waits for others"), "{kind}: {early}");
        let flying = refusal(&story, 2, settled(kind, "a"));
        assert!(flying.contains("in flight"), "{kind}: {flying}");
        let unknown = refusal(&story, 1, settled(kind, "nobody"));
        assert!(unknown.contains("no step `nobody`"), "{unknown}");
    }
    let attempt = |step: &str, n: u32, fence: u32, fallback: bool| {
        json!({"type": "attempt_started", "step": step, "generation": 1, "attempt": n,
            "fence": fence, "at": 1, "deadline_at": 2, "reserved": 0, "fallback": fallback})
    };
    assert!(refusal(&story, 1, attempt("b", 1, 1, false)).contains("waits for others"));
    assert!(refusal(&story, 1, attempt("a", 2, 1, false)).contains("another attempt"));
    assert!(refusal(&story, 2, attempt("a", 2, 2, false)).contains("in flight"));
    assert!(refusal(&story, 1, attempt("a", 1, 0, false)).contains("given out before"));
    assert!(refusal(&story, 1, attempt("a", 1, 1, true)).contains("nobody"));
    let late = json!({"type": "attempt_failed", "step": "a", "fence": 9, "at": 1, "cost": 0,
        "fault": {"code": "c", "message": "m", "kind": "network"}});
    assert!(refusal(&story, 2, late).contains("fence 9 is not in flight"));
    let lost = json!({"type": "late_answer", "step": "nobody", "fence": 1, "at": 1});
    assert!(refusal(&story, 1, lost).contains("no step `nobody`"));
    let all = story.journal.len();
    assert!(refusal(&story, all, settled("step_failed", "a")).contains("has ended"));
}
