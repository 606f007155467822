//! Executions that between them meet every event of the journal, record by record.

mod asked;
mod kinds;
mod tools;

use std::sync::Arc;

use engine::execution::{
    Context, Event, FORMAT, Fault, FaultKind, Input, Message, NO_GATES, Outcome, Payload, Started,
    State, StoredRef, Terms, reuse, start,
};
use engine::ids::{Epoch, ExecutionId, Fence, ShardId};
use engine::money::MicroUsd;
use engine::plan::Plan;
use engine::plan::definition::TemplateDefinition;
use engine::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::required::Required;

/// A journal: each record is what one append made durable.
pub struct Scenario {
    pub name: &'static str,
    pub records: Vec<Vec<Event>>,
}

/// All of them.
pub fn all() -> Vec<Scenario> {
    let first =
        vec![smooth(), troubled(), strict(), overdue(), unaffordable(), reused(), offloaded()];
    first.into_iter().chain(kinds::all()).chain(asked::all()).chain([tools::tooled()]).collect()
}

/// Research, a merge, a report; one step is left out by its condition, one by the strategy.
fn smooth() -> Scenario {
    let steps = json!([
        {"name": "find", "order": 1, "worker": "paid", "input_mapping": {"topic": "$.topic"}},
        {"name": "curate", "order": 2, "worker": "bound"},
        {"name": "merge", "order": 3, "kind": "transform", "depends_on": ["find", "curate"],
            "input_mapping": {"sources": "=data.found + data.curated"}},
        {"name": "extra", "order": 4, "worker": "bound", "optional": true},
        {"name": "never", "order": 5, "worker": "bound", "depends_on": ["merge"],
            "condition": {"sources_available": "> 9"}},
        {"name": "report", "order": 6, "worker": "paid", "depends_on": [5, "extra"],
            "output_mapping": {"text": "$.report.text", "n": "=size(data.sources)"}},
    ]);
    let terms = Terms { skip_optional: true, ..terms() };
    let mut play = Play::begin(template(&steps), terms);
    play.succeed(
        "find",
        json!({"found": [{"url": "u", "q": 0.1}], "quality_score": 0.75}),
        Some(40),
    );
    play.succeed("curate", json!({"curated": ["é", "\u{1f41d}"]}), None);
    play.succeed("report", json!({"report": {"text": "line\nline"}, "big": u64::MAX}), None);
    play.end("smooth")
}

/// Every kind of failure, retries, a fallback, a lost driver, late answers, and what is left out.
fn troubled() -> Scenario {
    let once = json!({"max_retries": 1, "jitter": false, "retry_on": [503]});
    let twice = json!({"max_retries": 2, "jitter": false});
    let brief = json!({"max_retries": 5, "total_deadline_ms": 9_000});
    let steps = json!([
        {"name": "flaky", "order": 1, "worker": "paid", "retry": twice},
        {"name": "slow", "order": 2, "worker": "paid", "retry": once},
        {"name": "stood_in", "order": 3, "worker": "bound", "fallback_worker": "paid",
            "retry": {"max_retries": 1}},
        {"name": "limited", "order": 4, "worker": "bound", "optional": true, "retry": brief},
        {"name": "garbled", "order": 5, "worker": "bound", "optional": true},
        {"name": "refused", "order": 6, "worker": "bound", "optional": true},
        {"name": "unmapped", "order": 7, "worker": "bound", "optional": true,
            "output_mapping": {"x": "$.missing"}},
        {"name": "broken", "order": 8, "worker": "bound", "retry": {"max_retries": 1}},
        {"name": "behind", "order": 9, "worker": "bound", "depends_on": ["broken"]},
        {"name": "last", "order": 10, "kind": "transform", "depends_on": ["flaky"],
            "input_mapping": {"seen": "=steps.flaky.attempts"}},
    ]);
    let mut definition = template(&steps);
    definition["failure_tolerance"] = json!("partial");
    let mut play = Play::begin(definition, terms());
    let mut busy = Fault::new(FaultKind::Http(503), "worker.refused", "step `flaky`: busy");
    busy.retryable = Some(true);
    busy.retry_after = Some(Millis::from_secs(2));
    play.fail("flaky", busy, Some(5));
    play.fail("garbled", Fault::new(FaultKind::Output, "worker.malformed_output", "no JSON"), None);
    let refused = Fault::new(FaultKind::Refused, "worker.address_refused", "a private address");
    play.fail("refused", refused, None);
    play.succeed("unmapped", json!({"other": 1}), None);
    play.fail("stood_in", Fault::new(FaultKind::Http(400), "worker.refused", "no"), None);
    play.wait(2_000);
    let lost = [play.fence("slow"), play.fence("limited")];
    play.take_over();
    play.late(lost[0], Some(33));
    play.late(lost[1], None);
    play.fail("broken", Fault::new(FaultKind::Network, "worker.unreachable", "cut"), None);
    play.succeed("stood_in", json!(["no", "object"]), Some(100));
    play.succeed("flaky", json!({"n": 1e300}), Some(0));
    play.wait(30_000);
    play.end("troubled")
}

fn strict() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "paid"},
        {"name": "b", "order": 2, "worker": "bound"},
        {"name": "c", "order": 3, "worker": "bound", "depends_on": ["b"]},
    ]);
    let mut play = Play::begin(template(&steps), terms());
    play.fail("b", Fault::new(FaultKind::Http(422), "worker.refused", "not like this"), Some(0));
    play.end("strict")
}

fn overdue() -> Scenario {
    let steps = json!([{"name": "a", "order": 1, "worker": "paid"}]);
    let mut play = Play::begin(template(&steps), terms());
    play.wait(15_000);
    play.wait(600_000);
    play.end("overdue")
}

fn unaffordable() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "paid"},
        {"name": "b", "order": 2, "worker": "paid", "depends_on": ["a"]},
    ]);
    let terms = Terms { budget: Some(MicroUsd::from_micros(150)), ..terms() };
    let mut play = Play::begin(template(&steps), terms);
    play.succeed("a", json!({"articles": [1, 2, 3]}), Some(90));
    play.end("unaffordable")
}

fn reused() -> Scenario {
    let steps = json!([
        {"name": "a", "order": 1, "worker": "paid"},
        {"name": "b", "order": 2, "worker": "paid", "depends_on": ["a"]},
    ]);
    let definition: TemplateDefinition = read(template(&steps));
    let plan = Arc::new(
        Plan::compile_with(&definition, &Required).expect("a scenario's template is valid"),
    );
    let outputs = vec![("a".to_owned(), Payload::inline(json!({"sources": [1]})))];
    let from = ExecutionId::new(at(-5), ShardId(77), 3);
    let (_, events) = reuse(started(definition, terms()), plan, outputs, &from)
        .expect("the outputs fit the plan");
    Scenario { name: "reused", records: vec![events] }
}

/// An output that lies in object storage: the journal has its reference.
fn offloaded() -> Scenario {
    let steps = json!([{"name": "a", "order": 1, "worker": "bound"}]);
    let mut play = Play::begin(template(&steps), terms());
    play.succeed("a", json!({"articles": ["large"]}), Some(1));
    for event in play.records.iter_mut().flatten() {
        if let Event::StepSucceeded { output, .. } = event {
            output.set_stored(StoredRef { key: "outputs/x/a/1.json".to_owned(), bytes: 70_000 });
        }
    }
    play.end("offloaded")
}

/// An execution that is played, decision by decision.
struct Play {
    state: State,
    now: Timestamp,
    records: Vec<Vec<Event>>,
}

impl Play {
    fn begin(definition: Value, terms: Terms) -> Self {
        let definition: TemplateDefinition = read(definition);
        let plan = Arc::new(
            Plan::compile_with(&definition, &Required).expect("a scenario's template is valid"),
        );
        let (state, events) = start(started(definition, terms), plan, &context(at(0)));
        Self { state, now: at(0), records: vec![events] }
    }

    fn input(&mut self, input: Input) {
        let events = self.state.advance(&context(self.now), input);
        let events = events.expect("the execution goes on");
        if !events.is_empty() {
            self.records.push(events);
        }
    }

    fn fence(&self, step: &str) -> Fence {
        let unit = self.state.plan.find_unit(step).expect("the template has the step");
        let work = self.state.work(unit).expect("there is something to do");
        work.attempt.as_ref().expect("the step is in flight").fence
    }

    fn answer(&mut self, fence: Fence, result: Result<Payload, Fault>, cost: Option<u64>) {
        self.now = self.now.plus(Millis::new(7));
        let outcome = Outcome { result, cost: cost.map(MicroUsd::from_micros), memoised: None };
        self.input(Input::Answered { fence, outcome });
    }

    fn succeed(&mut self, step: &str, output: Value, cost: Option<u64>) {
        self.answer(self.fence(step), Ok(Payload::inline(output)), cost);
    }

    fn fail(&mut self, step: &str, fault: Fault, cost: Option<u64>) {
        self.answer(self.fence(step), Err(fault), cost);
    }

    fn late(&mut self, fence: Fence, cost: Option<u64>) {
        self.answer(fence, Ok(Payload::inline(json!({"late": true}))), cost);
    }

    fn message(&mut self, message: Message) {
        self.now = self.now.plus(Millis::new(3));
        self.input(Input::Message(message));
    }

    fn take_over(&mut self) {
        self.input(Input::TakenOver { epoch: Epoch(2), up_to: Fence(u64::MAX) });
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now.plus(Millis::new(ms));
        self.input(Input::Tick);
    }

    fn end(self, name: &'static str) -> Scenario {
        Scenario { name, records: self.records }
    }
}

fn context(now: Timestamp) -> Context<'static> {
    Context {
        now,
        entropy: 11,
        slots: 16,
        latest_end: now.plus(Millis::from_secs(9_999)),
        gates: &NO_GATES,
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_750_000_000_000 + ms)
}

fn read(definition: Value) -> TemplateDefinition {
    serde_json::from_value(definition).expect("a scenario's template is a definition")
}

fn template(steps: &Value) -> Value {
    json!({
        "name": "golden",
        "steps": steps,
        "workers": {
            "paid": {"base_url": "https://paid.test/v1/", "endpoints": ["/do"], "version": "1.2.0",
                "estimated_cost": 100, "avg_response_time_ms": 900, "timeout_ms": 12_000},
            "bound": {"service_binding": "BOUND", "max_retries": 0,
                "default_config": {"depth": 3}},
        },
    })
}

fn terms() -> Terms {
    Terms {
        strategy: "balanced".to_owned(),
        parallelism: 16,
        skip_optional: false,
        retries_max: None,
        deadline: Millis::from_secs(150),
        attempt_timeout: Millis::from_secs(20),
        budget: Some(MicroUsd::from_micros(500_000)),
        ..Terms::default()
    }
}

fn started(definition: TemplateDefinition, terms: Terms) -> Started {
    Started {
        format: FORMAT,
        id: ExecutionId::new(at(0), ShardId(3), 0x5eed),
        account: "default".to_owned(),
        at: at(0),
        revision: 12,
        content_hash: "9f86d081884c7d659a2feaa0c55ad015".to_owned(),
        definition: Arc::new(definition),
        request: json!({"topic": "bees", "input": {"depth": 2, "share": 0.30000000000000004}}),
        terms,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        parent: None,
        restarted_from: None,
        key: None,
        initiators: Vec::new(),
    }
}
