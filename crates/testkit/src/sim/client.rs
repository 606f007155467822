//! Clients: they ask for executions, some with an idempotency key, and ask again.

use std::sync::Arc;

use engine::admission::{Funds, Reply as Admission};
use engine::execution::{Context, NO_GATES, start};
use engine::ids::{ExecutionId, ShardId};
use engine::money::MicroUsd;
use engine::shard::{After, Idempotency, Request};
use engine::time::Millis;

use super::governor::Asking;
use super::node::{Node, Stage};
use super::world::{Happening, Lived, World};

/// A client without an answer asks again so long after.
const ASK_AGAIN_MS: i64 = 3_000;
/// The longest that a client stands in the line for a place.
const PATIENCE_MS: i64 = 10_000;
/// What is reserved where neither a budget nor the plan says what an execution may spend.
const RESERVE_DEFAULT: MicroUsd = MicroUsd::from_micros(100_000);

/// What one client wants.
#[derive(Debug)]
pub struct Job {
    pub template: usize,
    pub key: Option<String>,
    /// The ids under which it was asked for.
    pub ids: Vec<ExecutionId>,
    /// Whether the client knows what came of it, or has given up.
    pub decided: bool,
    /// When it is asked for the last time of the client's own accord.
    pub last_ms: i64,
    /// The id that stands in the line for a place, and how long it does.
    pub standing: Option<(ExecutionId, i64)>,
}

impl World {
    pub fn add_job(&mut self) {
        let template = usize::try_from(self.rng.below(self.templates.len() as u64)).unwrap_or(0);
        let number = self.jobs.len();
        let key = self.rng.chance(500).then(|| format!("key {number}"));
        let first_ms = self.rng.between(0, 15_000);
        self.at(first_ms, Happening::Start(number));
        let mut last_ms = first_ms;
        // The same request once more, while the first is under way or long over.
        if key.is_some() && self.rng.chance(400) {
            last_ms = first_ms + self.rng.between(0, 60_000);
            self.at(last_ms, Happening::Start(number));
        }
        let (ids, decided, standing) = (Vec::new(), false, None);
        self.jobs.push(Job { template, key, ids, decided, last_ms, standing });
    }

    /// A request to start: a place, the first decision, the journal's first record.
    pub fn start(&mut self, number: usize) -> Lived {
        let ahead_ms = self.rng.between(0, self.odds.skew_ms);
        let now = self.clock(ahead_ms);
        let standing = self.jobs[number].standing.take();
        let (id, until_ms) = standing.unwrap_or_else(|| {
            let until_ms = self.now_ms + self.rng.between(0, PATIENCE_MS);
            (ExecutionId::new(now, ShardId(0), self.rng.wide()), until_ms)
        });
        if self.strikes(self.odds.governor_silent) {
            self.fault("the governor gives no answer");
            return self.ask_again(number, ASK_AGAIN_MS);
        }
        let asking = self.asking(number, until_ms);
        match self.governor.admit(self.clock(0), &id, asking)? {
            Admission::Refused { retry_after, .. } => {
                let ms = i64::try_from(retry_after.get()).unwrap_or(ASK_AGAIN_MS);
                return self.ask_again(number, ms);
            }
            Admission::Waits { ask_again, .. } => {
                let ms = i64::try_from(ask_again.get()).unwrap_or(ASK_AGAIN_MS);
                self.jobs[number].standing = Some((id, until_ms));
                return self.ask_again(number, ms);
            }
            // The client is told that the account has no money left, and gives up.
            Admission::Exhausted(_) => {
                self.jobs[number].decided = true;
                return Ok(());
            }
            _ => {}
        }
        self.jobs[number].ids.push(id.clone());
        let template = Arc::clone(&self.templates[self.jobs[number].template]);
        let window = if self.rng.chance(500) { self.rng.below(60_000) } else { 0 };
        let window = Millis::new(window);
        let limits = self.limits(now, window.plus(Millis::from_secs(25)));
        let context = Context {
            now,
            entropy: self.rng.next(),
            slots: limits.in_flight_max.min(limits.calls_max),
            latest_end: limits.lifetime_end,
            gates: &NO_GATES,
        };
        let started = template.started(id.clone(), now);
        let (state, events) = start(started, Arc::clone(&template.own.plan), &context);
        let after = if state.status.is_final() { After::Ended } else { After::Active };
        let record = serde_json::to_string(&events).expect("events are written");
        let idempotency = self.jobs[number]
            .key
            .clone()
            .map(|key_hash| Idempotency { key_hash, body_hash: template.own.content_hash.clone() });
        let account = "default".to_owned();
        let request = Request::Start {
            id: id.clone(),
            account,
            at: now,
            idempotency,
            after,
            parent: None,
            driven: true,
        };
        let stage = Stage::Starting {
            state: Box::new(state),
            events,
            request: Box::new(request),
            record,
            again: true,
        };
        let node = Node::new(self.next_node(), id, Some(number), ahead_ms, stage, limits);
        let number = node.id;
        self.tell(|| format!("{number} starts {}", node.exec));
        self.nodes.insert(number, node);
        self.send_start(number)
    }

    /// What a job asks the Governor for.
    fn asking(&self, number: usize, until_ms: i64) -> Asking {
        let template = &self.templates[self.jobs[number].template];
        let worst = template.own.plan.estimate(&template.terms).cost.worst;
        let reserve = [template.terms.budget, worst].into_iter().flatten().min();
        let reserve = reserve.unwrap_or(RESERVE_DEFAULT);
        let funds = |daily_max| Funds { reserve, daily_max: Some(daily_max), ..Funds::default() };
        Asking {
            limit: self.places_max,
            priority: i64::try_from(number % 3).unwrap_or(0),
            waits: self.now_ms < until_ms,
            funds: self.daily_max.map(funds),
        }
    }

    /// A client without an answer asks again where that is safe: with its key, or before anything
    /// was asked of the journal.
    pub fn ask_again(&mut self, number: usize, ms: i64) -> Lived {
        self.after(ms, Happening::Start(number));
        Ok(())
    }

    /// The journal gave a starter no answer twice.
    pub fn start_failed(&mut self, number: usize) -> Lived {
        if self.jobs[number].key.is_some() {
            return self.ask_again(number, ASK_AGAIN_MS);
        }
        self.jobs[number].decided = true;
        Ok(())
    }

    /// The execution that a start led to.
    pub fn start_decided(&mut self, number: usize, id: &ExecutionId) -> Lived {
        let job = &mut self.jobs[number];
        job.decided = true;
        if !job.ids.contains(id) {
            return Err(format!("a start with key {:?} found {id}, of another key", job.key));
        }
        let durable = job.ids.iter().filter(|id| self.checker.is_durable(id)).count();
        if durable > 1 {
            return Err(format!("a start with key {:?} began {durable} executions", job.key));
        }
        Ok(())
    }
}
