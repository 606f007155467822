//! Steps that are more than one call, and joins.

use engine::execution::{
    Answers, Asked, Fault, FaultKind, Input, Memoised, Message, Outcome, Payload, Terms,
};
use engine::money::MicroUsd;
use engine::time::Millis;
use serde_json::{Value, json};

use super::{Play, Scenario, at, template, terms};

pub fn all() -> Vec<Scenario> {
    vec![
        mapped(),
        too_many_failed(),
        waited(),
        unheard(),
        approved(),
        nested(),
        joined(),
        called_back(),
    ]
}

/// Elements that are answered out of order, retried, lost, remembered, and some that fail.
fn mapped() -> Scenario {
    let steps = json!([
        {"name": "list", "order": 1, "worker": "bound"},
        {"name": "each", "order": 2, "kind": "map", "worker": "paid", "depends_on": ["list"],
            "input_mapping": {"url": "=item.url", "at": "=index"}, "fallback_worker": "bound",
            "retry": {"max_retries": 1, "jitter": false},
            "config": {"items": "$.found", "concurrency": 4, "tolerated_failures": 2,
                "cache_ttl_s": 60}},
        {"name": "none", "order": 3, "kind": "map", "worker": "bound", "config": {"items": []}},
        {"name": "count", "order": 4, "kind": "transform", "depends_on": ["each", "none"],
            "input_mapping": {"n": "=size(data.each)", "none": "$.none"}},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    let found = json!([{"url": "a"}, {"url": "b"}, {"no": 1}, {"url": "d"}, {"url": "e"}]);
    play.succeed("list", json!({ "found": found }), Some(1));
    play.succeed("each[3]", json!({"is": "d"}), Some(90));
    play.fail("each[0]", Fault::new(FaultKind::Http(503), "worker.refused", "busy"), None);
    let hit = Memoised { cost: MicroUsd::from_micros(80), duration: Millis::new(700) };
    let result = Ok(Payload::inline(json!({"is": "b"})));
    let memoised = Outcome { result, cost: Some(MicroUsd::ZERO), memoised: Some(hit) };
    play.input(Input::Answered { fence: play.fence("each[1]"), outcome: memoised });
    let lost = play.fence("each[4]");
    play.take_over();
    play.late(lost, Some(11));
    play.wait(1_000);
    play.fail("each[0]", Fault::new(FaultKind::Http(400), "worker.refused", "no"), Some(5));
    play.succeed("each[0]", json!(["by", "fallback"]), None);
    play.fail("each[4]", Fault::new(FaultKind::Http(400), "worker.refused", "no"), Some(0));
    play.fail("each[4]", Fault::new(FaultKind::Network, "worker.unreachable", "cut"), None);
    play.wait(1_000);
    play.fail("each[4]", Fault::new(FaultKind::Output, "worker.malformed_output", "no JSON"), None);
    play.end("mapped")
}

fn too_many_failed() -> Scenario {
    let steps = json!([
        {"name": "each", "order": 1, "kind": "map", "worker": "paid",
            "retry": {"max_retries": 1, "jitter": false},
            "config": {"items": [1, 2, 3, 4], "concurrency": 3, "tolerated_failure_share": 0.25}},
        {"name": "beside", "order": 2, "worker": "bound"},
    ]);
    let mut definition = template(&steps);
    definition["failure_tolerance"] = json!("partial");
    let mut play = Play::begin(definition, terms());
    let refused = || Fault::new(FaultKind::Http(400), "worker.refused", "no");
    play.fail("each[2]", Fault::new(FaultKind::Http(503), "worker.refused", "busy"), None);
    play.fail("each[0]", refused(), Some(1));
    play.fail("each[1]", refused(), Some(1));
    play.succeed("beside", json!({}), None);
    play.end("too_many_failed")
}

fn signal(name: &str, payload: Value) -> Message {
    let asked = Asked { by: "user:ada".to_owned(), reason: None };
    Message::Signal {
        asked,
        name: name.to_owned(),
        payload: Payload::inline(payload),
        answers: None,
    }
}

/// Waits for time, for signals that come before and after, and for approvals.
fn waited() -> Scenario {
    let until = at(90_000).as_millis();
    let steps = json!([
        {"name": "delay", "order": 1, "kind": "wait", "config": {"delay_ms": 60_000}},
        {"name": "moment", "order": 2, "kind": "wait", "config": {"until": until}},
        {"name": "early", "order": 3, "kind": "wait", "depends_on": ["delay"],
            "config": {"signal": "paid"}},
        {"name": "late", "order": 4, "kind": "wait", "depends_on": ["early"],
            "output_mapping": {"by": "$.who"}, "config": {"signal": "paid"}},
        {"name": "stays_away", "order": 5, "kind": "wait",
            "config": {"signal": "never", "timeout_ms": 5_000, "on_timeout": "continue"}},
        {"name": "in_vain", "order": 6, "kind": "wait", "optional": true,
            "config": {"signal": "never", "timeout_ms": 6_000}},
        {"name": "release", "order": 7, "kind": "wait", "depends_on": ["late", "moment"],
            "config": {"approval": true}},
        {"name": "last", "order": 8, "worker": "bound", "depends_on": ["release"]},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    play.message(signal("paid", json!({"who": "first"})));
    play.wait(6_000);
    play.wait(60_000);
    play.message(signal("paid", json!({"who": "second"})));
    play.wait(30_000);
    play.message(signal("release", json!({"approved": true, "note": "é"})));
    play.succeed("last", json!({"done": true}), None);
    play.end("waited")
}

/// An approval that is withheld, and a signal that nobody sends before the limit.
fn unheard() -> Scenario {
    let steps = json!([
        {"name": "release", "order": 1, "kind": "wait", "config": {"approval": "boss"}},
        {"name": "signal", "order": 2, "kind": "wait", "config": {"signal": "go"}},
    ]);
    let mut definition = template(&steps);
    definition["failure_tolerance"] = json!("partial");
    let terms = Terms { waiting_max: Millis::from_secs(3_600), ..terms() };
    let mut play = Play::begin(definition, terms);
    play.message(signal("boss", json!({"approved": false})));
    play.wait(3_600_000);
    play.end("unheard")
}

/// An approval that only its task gives: withheld, asked for anew, and given.
fn approved() -> Scenario {
    let approval = json!({
        "title": "Publish?", "signal": "boss", "candidates": ["role:admin"], "due_ms": 60_000,
        "escalation": {"after_ms": 90_000, "candidates": ["ada@example.org"]},
        "form": {"type": "object", "required": ["note"]}, "forbid_self_approval": true,
    });
    let steps = json!([
        {"name": "release", "order": 1, "kind": "wait", "config": {"approval": approval}},
        {"name": "last", "order": 2, "kind": "transform", "depends_on": ["release"],
            "input_mapping": {"note": "$.note"}},
    ]);
    let answer = |generation, payload| {
        let asked = Asked { by: "user:ada".to_owned(), reason: None };
        let answers = Some(Answers { step: "release".to_owned(), generation });
        Message::Signal {
            asked,
            name: "boss".to_owned(),
            payload: Payload::inline(payload),
            answers,
        }
    };
    let mut play = Play::begin(template(&steps), terms());
    play.message(answer(1, json!({"approved": false, "note": "no"})));
    let asked = Asked { by: "key:1".to_owned(), reason: None };
    play.message(Message::Retry { asked });
    play.wait(1_000);
    play.message(answer(2, json!({"approved": true, "note": "yes"})));
    play.end("approved")
}

/// Executions of another template: one ends well, one does not, one is not waited for any longer.
fn nested() -> Scenario {
    let steps = json!([
        {"name": "good", "order": 1, "kind": "pipeline", "input_mapping": {"topic": "wasps"},
            "config": {"template": "inner", "budget_usd": 0.002}},
        {"name": "bad", "order": 2, "kind": "pipeline", "optional": true,
            "depends_on": ["good"], "config": {"template": "inner", "accept_partial": false}},
        {"name": "slow", "order": 3, "kind": "pipeline", "optional": true,
            "depends_on": ["bad"], "retry": {"total_deadline_ms": 9_000},
            "config": {"template": "inner", "budget_usd": 0.001}},
        {"name": "after", "order": 4, "worker": "bound", "depends_on": ["slow"]},
    ]);
    let mut definition = template(&steps);
    definition["templates"] = json!({"inner": {
        "name": "inner", "deadline_ms": 60_000,
        "steps": [{"name": "i", "order": 1, "worker": "paid"}],
        "workers": definition["workers"],
    }});
    let mut play = Play::begin(definition, terms());
    let fence = play.fence("good");
    play.input(Input::Accepted { fence, silence: None });
    play.succeed("good", json!({"inner": 1}), Some(120));
    let failed = "the execution is failed: step `i`: no";
    play.fail("bad", Fault::new(FaultKind::Child, "pipeline.failed", failed), Some(40));
    let given_up = play.fence("slow");
    play.wait(9_000);
    play.late(given_up, Some(33));
    play.succeed("after", json!({}), None);
    play.end("nested")
}

/// Steps that start before all is done, and what they did not wait for.
fn joined() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "paid"},
        {"name": "b", "order": 2, "worker": "paid"},
        {"name": "only_c", "order": 3, "worker": "bound"},
        {"name": "c", "order": 4, "worker": "bound", "depends_on": ["only_c"]},
        {"name": "first", "order": 5, "kind": "transform", "depends_on": ["a", "b"],
            "input_mapping": {"saw_b": "=has(data.b)"}, "config": {"join": "any"}},
        {"name": "two", "order": 6, "worker": "bound", "depends_on": ["a", "b", "c"],
            "config": {"join": {"n_of_m": 2}, "losers": "cancel"}},
        {"name": "never", "order": 7, "worker": "bound", "depends_on": ["a", "c"],
            "config": {"join": {"n_of_m": 2}}},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    play.succeed("a", json!({"a": 1}), Some(10));
    let late = play.fence("only_c");
    play.succeed("b", json!({"b": 2}), Some(10));
    play.late(late, Some(4));
    play.succeed("two", json!({"two": 2}), None);
    play.end("joined")
}

/// A worker that answers 202, is heard of, and reports; and one that falls silent.
fn called_back() -> Scenario {
    let steps = json!([
        {"name": "reports", "order": 1, "worker": "paid", "config": {"heartbeat_ms": 60_000}},
        {"name": "silent", "order": 2, "worker": "paid",
            "retry": {"max_retries": 1, "jitter": false}, "config": {"heartbeat_ms": 30_000}},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    for (step, silence) in [("reports", Some(Millis::from_secs(40))), ("silent", None)] {
        let fence = play.fence(step);
        play.input(Input::Accepted { fence, silence });
    }
    play.wait(25_000);
    let reports = play.fence("reports");
    play.message(Message::Heartbeat { fence: reports, silence: Some(Millis::from_secs(90)) });
    let silent = play.fence("silent");
    play.wait(5_000);
    play.wait(1_000);
    let by = "worker:paid".to_owned();
    let outcome = |output: Value, cost: u64| Outcome {
        result: Ok(Payload::inline(output)),
        cost: Some(MicroUsd::from_micros(cost)),
        memoised: None,
    };
    play.message(Message::Completed {
        by: by.clone(),
        fence: reports,
        outcome: outcome(json!({"reported": true}), 70),
    });
    play.message(Message::Completed {
        by,
        fence: silent,
        outcome: outcome(json!({"too": "late"}), 8),
    });
    play.succeed("silent", json!({"second": "attempt"}), Some(9));
    play.end("called_back")
}
