//! What is asked of executions, what holds them, and the way back.

use engine::admission::HeldBy;
use engine::execution::{Asked, Event, Fault, FaultKind, Input, Message, Terms};
use engine::money::MicroUsd;
use serde_json::{Value, json};

use super::{Play, Scenario, at, template, terms};

pub fn all() -> Vec<Scenario> {
    vec![compensated(), cancelled(), done_anew(), one_element_anew(), paused(), parked(), killed()]
}

fn ada(reason: Option<&str>) -> Asked {
    Asked { by: "user:ada".to_owned(), reason: reason.map(str::to_owned) }
}

fn refused() -> Fault {
    Fault::new(FaultKind::Http(400), "worker.refused", "not like this")
}

fn undone(name: &str, order: i64, retries: u32) -> Value {
    json!({"name": name, "order": order, "worker": "paid",
        "retry": {"max_retries": 0}, "config": {"compensate": {
            "worker": "paid", "endpoint": "/undo", "input_mapping": {"id": "$.id"},
            "retry": {"max_retries": retries, "jitter": false}}}})
}

/// A strict failure: what succeeded is undone in reverse order; one undo is retried, one fails.
fn compensated() -> Scenario {
    let steps = json!([
        undone("first", 1, 1),
        undone("second", 2, 0),
        {"name": "third", "order": 3, "worker": "bound", "depends_on": ["first", "second"]},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    play.succeed("first", json!({"id": "f"}), Some(50));
    play.succeed("second", json!({"id": "s"}), Some(60));
    play.fail("third", refused(), Some(0));
    play.fail("second/compensate", refused(), Some(1));
    play.fail(
        "first/compensate",
        Fault::new(FaultKind::Http(503), "worker.refused", "busy"),
        Some(2),
    );
    play.wait(1_000);
    play.succeed("first/compensate", json!({}), Some(3));
    play.end("compensated")
}

/// A cancel that drains what is in flight where it would have to be undone, and calls the rest off.
fn cancelled() -> Scenario {
    let steps = json!([
        undone("kept", 1, 0),
        undone("open", 2, 0),
        {"name": "beside", "order": 3, "worker": "paid"},
        {"name": "signal", "order": 4, "kind": "wait", "config": {"signal": "go"}},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    play.succeed("kept", json!({"id": 1}), Some(5));
    play.message(Message::Cancel { asked: ada(Some("no longer needed")) });
    play.succeed("open", json!({"id": 2}), Some(6));
    play.succeed("open/compensate", json!({}), Some(7));
    play.succeed("kept/compensate", json!({}), None);
    play.end("cancelled")
}

/// A step that failed, done anew after the end; then another one with an edited input.
fn done_anew() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "paid", "input_mapping": {"n": 1}},
        {"name": "b", "order": 2, "worker": "bound", "depends_on": ["a"],
            "input_mapping": {"x": "=data.x"}},
        {"name": "c", "order": 3, "worker": "bound", "depends_on": ["b"]},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    play.succeed("a", json!({"x": 1}), Some(30));
    play.fail("b", refused(), Some(0));
    play.wait_ended(60_000);
    play.message(Message::Retry { asked: ada(None) });
    play.succeed("b", json!({"y": 1}), None);
    play.succeed("c", json!({"z": 1}), None);
    let (step, input) = ("a".to_owned(), Some(json!({"n": 2})));
    play.message(Message::Rerun { asked: ada(Some("better")), step, input });
    play.succeed("a", json!({"x": 2}), Some(31));
    play.succeed("b", json!({"y": 2}), None);
    play.succeed("c", json!({"z": 2}), None);
    play.end("done_anew")
}

fn one_element_anew() -> Scenario {
    let steps = json!([
        {"name": "each", "order": 1, "kind": "map", "worker": "paid",
            "config": {"items": ["a", "b", "c"]}},
        {"name": "after", "order": 2, "kind": "transform", "depends_on": ["each"],
            "input_mapping": {"all": "=data.each"}},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    for (path, output) in [("each[1]", "B"), ("each[0]", "A"), ("each[2]", "C")] {
        play.succeed(path, json!(output), Some(10));
    }
    let step = "each[1]".to_owned();
    play.message(Message::Rerun { asked: ada(None), step, input: Some(json!({"item": "bb"})) });
    play.succeed("each[1]", json!("BB"), Some(12));
    play.end("one_element_anew")
}

/// Gates that hold a step, a pause that somebody asks for, and one for want of money.
fn paused() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "gated"},
        {"name": "b", "order": 2, "worker": "paid"},
        {"name": "c", "order": 3, "worker": "paid", "depends_on": ["b"]},
    ]);
    let mut definition = template(&steps);
    definition["workers"]["gated"] = json!({"base_url": "https://gated.test",
        "estimated_cost": 0, "max_concurrency": 1, "max_per_minute": 9});
    let terms = Terms { budget: Some(MicroUsd::from_micros(150)), ..terms() };
    let mut play = Play::begin(definition, terms);
    let unit = play.state.plan.find_unit("a").expect("it is a step");
    for reason in [HeldBy::Concurrency, HeldBy::Rate, HeldBy::Cooldown, HeldBy::Breaker] {
        let until = play.now.plus(engine::time::Millis::new(500));
        play.input(Input::Held { unit, reason, until });
    }
    play.message(Message::Pause { asked: ada(Some("lunch")) });
    play.succeed("b", json!({"b": 1}), Some(90));
    play.wait(5_000);
    play.message(Message::Resume { asked: ada(None), budget: None });
    play.passes("a");
    play.succeed("a", json!({}), Some(0));
    let paused = play.records.last().and_then(|record| record.last());
    assert!(matches!(paused, Some(Event::Paused { .. })), "{paused:?}");
    play.wait(5_000);
    let budget = Some(MicroUsd::from_micros(300));
    play.message(Message::Resume { asked: ada(None), budget });
    play.succeed("c", json!({"c": 1}), Some(95));
    play.end("paused")
}

/// A template that leaves a failure to an operator, who has it done anew.
fn parked() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "bound"},
        {"name": "b", "order": 2, "worker": "bound"},
        {"name": "c", "order": 3, "worker": "bound", "depends_on": ["a", "b"]},
    ]);
    let mut definition = template(&steps);
    definition["failure_tolerance"] = json!("park");
    let mut play = Play::begin(definition, terms());
    play.fail("a", refused(), None);
    play.succeed("b", json!({"b": 1}), None);
    play.message(Message::Retry { asked: ada(None) });
    play.succeed("a", json!({"a": 1}), None);
    play.succeed("c", json!({"c": 1}), None);
    play.end("parked")
}

fn killed() -> Scenario {
    let steps = json!([undone("a", 1, 0), {"name": "b", "order": 2, "worker": "paid"}]);
    let mut play = Play::begin(template(&steps), terms());
    play.succeed("a", json!({"id": 1}), Some(5));
    play.message(Message::Kill { asked: ada(Some("at once")) });
    assert_eq!(play.state.finished_at, Some(at(10)));
    play.end("killed")
}

impl Play {
    /// Time goes by for an execution that has ended: nobody looks.
    fn wait_ended(&mut self, ms: u64) {
        self.now = self.now.plus(engine::time::Millis::new(ms));
    }

    /// The gate of a step's worker opens.
    fn passes(&mut self, step: &str) {
        let unit = self.state.plan.find_unit(step).expect("it is a step");
        let mut gates = engine::execution::Gates::default();
        gates.passes.insert(unit);
        let context = engine::execution::Context { gates: &gates, ..super::context(self.now) };
        let events = self.state.advance(&context, Input::Tick).expect("the execution goes on");
        self.records.push(events);
    }
}
