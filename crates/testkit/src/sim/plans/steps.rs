//! The steps of a template: every kind, every setting.

use std::collections::BTreeMap;

use engine::plan::definition::{RetryDefinition, StepDefinition, StepKind};
use serde_json::{Map, Value, json};

use crate::sim::rng::Rng;

/// How steps are drawn, and what came of it.
#[derive(Debug)]
pub struct Drawing {
    /// More retries than a seed has faults, and no limits of time.
    pub patient: bool,
    /// Whether there is more than calls and transforms.
    pub rich: bool,
    /// Whether the outcome hangs on who is quicker.
    pub races: bool,
    /// Whether something waits for a gate, a callback or an operator.
    pub waits_for_others: bool,
}

impl Drawing {
    pub fn new(patient: bool, rich: bool) -> Self {
        Self { patient, rich, races: false, waits_for_others: false }
    }

    pub fn steps(&mut self, rng: &mut Rng, count: i64, below: &[String]) -> Vec<StepDefinition> {
        let count = usize::try_from(count).unwrap_or(1);
        let mut steps: Vec<StepDefinition> = Vec::with_capacity(count);
        for at in 0..count {
            let step = self.step(rng, at, &steps, below);
            steps.push(step);
        }
        steps
    }

    fn step(
        &mut self,
        rng: &mut Rng,
        at: usize,
        before: &[StepDefinition],
        below: &[String],
    ) -> StepDefinition {
        let needs: Vec<usize> = (0..at).filter(|_| rng.chance(330)).collect();
        let kind = self.kind(rng, below);
        let tool = match kind {
            StepKind::Tool => Some(self.tool(rng)),
            StepKind::Map if rng.chance(200) => Some(self.tool(rng)),
            _ => None,
        };
        let calls = matches!(kind, StepKind::Worker | StepKind::Map) && tool.is_none();
        let worker = calls.then(|| self.worker(rng));
        let endpoint = calls.then(|| self.endpoint(rng, kind));
        let by_worker = calls;
        let mut config = self.config(rng, kind, below, &needs);
        if let Some(worker) = worker.as_deref().or(tool) {
            self.config_of_call(rng, worker, &mut config);
        }
        if let Some(tool) = tool {
            config.insert("tool".to_owned(), json!(tool));
            if rng.chance(150) {
                config.insert("fallback_tool".to_owned(), json!("counts"));
            }
        }
        let retry: fn(&mut Rng) -> RetryDefinition =
            if self.patient { patience } else { impatience };
        let tried = !matches!(kind, StepKind::Transform | StepKind::Wait | StepKind::Pipeline);
        let mut input = (kind != StepKind::Wait).then(|| input(at, kind, &needs, before));
        if let Some(input) = input.as_mut().filter(|_| tool.is_some() && rng.chance(100)) {
            input.as_object_mut().map(|fields| fields.remove("topic"));
        }
        let calls = calls || tool.is_some();
        let limited = rng.chance(300);
        StepDefinition {
            name: format!("s{at}"),
            order: rng.between(-2, 6),
            kind,
            worker,
            endpoint: endpoint.map(str::to_owned),
            fallback_worker: (by_worker && rng.chance(150)).then(|| "paid".to_owned()),
            depends_on: needs.iter().map(|n| json!(format!("s{n}"))).collect(),
            condition: needs.first().filter(|_| rng.chance(200)).map(|n| condition(rng, *n)),
            input_mapping: input,
            // What a signal brings is another thing each time.
            output_mapping: (kind == StepKind::Wait).then(|| json!({ format!("s{at}"): 500 })),
            optional: rng.chance(200),
            timeout_ms: (calls && limited).then(|| 2_000 + rng.below(6_000)),
            retry: tried.then(|| retry(rng)),
            config: (!config.is_empty()).then_some(Value::Object(config)),
        }
    }

    fn kind(&mut self, rng: &mut Rng, below: &[String]) -> StepKind {
        if !self.rich {
            return if rng.chance(160) { StepKind::Transform } else { StepKind::Worker };
        }
        match rng.below(100) {
            0..=11 => StepKind::Transform,
            12..=29 => StepKind::Map,
            30..=41 => StepKind::Wait,
            42..=57 if !below.is_empty() => StepKind::Pipeline,
            58..=69 => StepKind::Tool,
            _ => StepKind::Worker,
        }
    }

    fn worker(&mut self, rng: &mut Rng) -> String {
        let most = if self.rich { 6 } else { 4 };
        let known = ["paid", "bound", "bound", "free", "gated", "paced"];
        let worker = known[usize::try_from(rng.below(most)).unwrap_or(0)];
        self.waits_for_others |= most > 4;
        worker.to_owned()
    }

    fn tool(&mut self, rng: &mut Rng) -> &'static str {
        let reports = rng.chance(300);
        self.waits_for_others |= reports;
        if reports { "reports" } else { "counts" }
    }

    fn endpoint(&mut self, rng: &mut Rng, kind: StepKind) -> &'static str {
        match rng.below(30) {
            0..=2 => "/refuses",
            3 => "/garbles",
            4..=9 if kind == StepKind::Map => "/picks",
            4..=10 if self.rich => {
                self.waits_for_others = true;
                "/later"
            }
            _ => "/ok",
        }
    }

    fn config(
        &mut self,
        rng: &mut Rng,
        kind: StepKind,
        below: &[String],
        needs: &[usize],
    ) -> Map<String, Value> {
        let mut config = Map::new();
        match kind {
            StepKind::Map => {
                config.insert("items".to_owned(), json!("$.items"));
                if rng.chance(500) {
                    config.insert("concurrency".to_owned(), json!(rng.between(1, 4)));
                }
                match rng.below(3) {
                    0 => drop(config.insert("tolerated_failures".to_owned(), json!(rng.below(6)))),
                    1 => drop(config.insert("tolerated_failure_share".to_owned(), json!(0.5))),
                    _ => {}
                }
            }
            StepKind::Wait => self.wait(rng, &mut config),
            StepKind::Pipeline => {
                let picked = usize::try_from(rng.below(below.len() as u64)).unwrap_or(0);
                config.insert("template".to_owned(), json!(below[picked]));
                if rng.chance(250) {
                    config.insert("accept_partial".to_owned(), json!(false));
                }
                if !self.patient && rng.chance(300) {
                    let micros = i32::try_from(rng.below(900)).unwrap_or(0);
                    config.insert("budget_usd".to_owned(), json!(f64::from(micros) / 1e6));
                }
            }
            StepKind::Worker | StepKind::Transform | StepKind::Tool => {}
        }
        if self.rich && needs.len() > 1 && rng.chance(200) {
            self.races = true;
            let several = json!({"n_of_m": rng.between(1, 2)});
            let join = if rng.chance(500) { json!("any") } else { several };
            config.insert("join".to_owned(), join);
            if rng.chance(500) {
                config.insert("losers".to_owned(), json!("cancel"));
            }
        }
        if !self.patient && self.rich && rng.chance(120) {
            let longest = rng.between(2_000, 40_000);
            config.insert("queue_timeout_ms".to_owned(), json!(longest));
        }
        let does = !matches!(kind, StepKind::Transform | StepKind::Wait);
        if self.rich && does && rng.chance(350) {
            config.insert("compensate".to_owned(), self.compensation(rng));
        }
        config
    }

    fn wait(&mut self, rng: &mut Rng, config: &mut Map<String, Value>) {
        match rng.below(4) {
            0 => drop(config.insert("delay_ms".to_owned(), json!(rng.below(60_000)))),
            1 => drop(config.insert("until".to_owned(), json!("$.until"))),
            of => {
                if of == 2 {
                    config.insert("signal".to_owned(), json!("go"));
                } else {
                    let guarded = json!({
                        "signal": "yes", "candidates": ["role:admin"], "due_ms": 1_000,
                        "escalation": {"after_ms": 2_000, "candidates": ["ada@example.org"]},
                    });
                    let name = match rng.below(3) {
                        0 => json!("yes"),
                        1 => json!(true),
                        _ => guarded,
                    };
                    config.insert("approval".to_owned(), name);
                }
                if !self.patient && rng.chance(500) {
                    config.insert("timeout_ms".to_owned(), json!(rng.between(1_000, 90_000)));
                    if rng.chance(500) {
                        config.insert("on_timeout".to_owned(), json!("continue"));
                    }
                }
            }
        }
    }

    fn config_of_call(&mut self, rng: &mut Rng, worker: &str, config: &mut Map<String, Value>) {
        match worker {
            "free" | "counts" | "reports" => {}
            _ if rng.chance(150) => drop(config.insert("alternatives".to_owned(), json!(["free"]))),
            _ => {}
        }
        if self.rich {
            config.insert("heartbeat_ms".to_owned(), json!(rng.between(3_000, 12_000)));
            config.insert("accepted_max_ms".to_owned(), json!(rng.between(20_000, 90_000)));
        }
    }

    fn compensation(&self, rng: &mut Rng) -> Value {
        let worker = ["paid", "bound", "free"][usize::try_from(rng.below(3)).unwrap_or(0)];
        let retry = if self.patient { patience(rng) } else { impatience(rng) };
        let endpoint = if rng.chance(80) { "/refuses" } else { "/undo" };
        json!({"worker": worker, "endpoint": endpoint, "retry": retry})
    }
}

/// What a step is sent: something of all that it depends on.
fn input(at: usize, kind: StepKind, needs: &[usize], before: &[StepDefinition]) -> Value {
    let told = needs.iter().filter(|need| before[**need].kind != StepKind::Wait);
    let of: BTreeMap<String, String> =
        told.map(|n| (format!("s{n}"), format!("=steps.s{n}.output"))).collect();
    match kind {
        StepKind::Map => json!({"topic": "$.topic", "step": at, "of": of, "item": "=item"}),
        StepKind::Pipeline => json!({
            "n": "$.n", "items": "$.items", "until": "$.until", "step": at, "of": of,
        }),
        _ => json!({"topic": "$.topic", "step": at, "of": of}),
    }
}

fn condition(rng: &mut Rng, need: usize) -> Value {
    match rng.below(3) {
        0 => json!(format!("steps.s{need}.succeeded")),
        1 => json!("data.n >= 500"),
        _ => json!(format!("!steps.s{need}.succeeded || data.s{need} > 300")),
    }
}

/// More retries than a seed has faults.
fn patience(rng: &mut Rng) -> RetryDefinition {
    RetryDefinition {
        max_retries: Some(100),
        initial_ms: Some(if rng.chance(700) { rng.between(0, 3_000) } else { 45_000 }),
        cap_ms: Some(rng.between(500, 60_000)),
        ..RetryDefinition::default()
    }
}

fn impatience(rng: &mut Rng) -> RetryDefinition {
    RetryDefinition {
        max_retries: Some(rng.between(0, 3)),
        initial_ms: Some(rng.between(0, 5_000)),
        total_deadline_ms: rng.chance(300).then(|| rng.between(3_000, 40_000)),
        ..RetryDefinition::default()
    }
}
