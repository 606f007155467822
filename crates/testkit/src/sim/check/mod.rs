//! The checkers: what must hold whatever happens. They see records as they become durable, leases
//! as they are granted, calls as they are made and answers as they arrive; they keep books of their
//! own and ask no machine.

mod book;
mod clock;
mod facts;
mod inbox;
mod lease;
mod money;
mod undo;
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::execution::{Event, Outcome, Payload, Request, Started, State};
use engine::ids::{Epoch, ExecutionId, Fence, Seq};
use engine::shard::Projected;

use super::Report;
use super::child::Plans;
use super::plans::Template;
use super::reference;
use super::store::Durable;
use super::worker::Workers;
use book::Book;
use facts::Facts;

/// The number of an invocation that drives, or tries to.
pub type NodeId = u32;

/// What is wrong, in words.
pub type Checked = Result<(), String>;

/// See the module.
#[derive(Debug, Default)]
pub struct Checker {
    plans: Plans,
    facts: BTreeMap<String, Arc<Facts>>,
    executions: BTreeMap<ExecutionId, Seen>,
    projected: BTreeMap<ExecutionId, (Seq, bool)>,
    /// When a clock that others cannot see last jumped: the shard's.
    pub shard_jumped_at: Option<i64>,
    pub records: u64,
    pub digest: u64,
    pub open: usize,
    /// Ended executions that were opened again.
    reopened: u64,
}

/// What was seen of one execution.
#[derive(Debug)]
struct Seen {
    template: Arc<Template>,
    parent: Option<ExecutionId>,
    /// Whether somebody altered what comes of it, or of one that stands below it.
    altered: bool,
    records: Vec<String>,
    book: Book,
    epoch: Epoch,
    /// Who holds the lease that was granted last, until it is given back.
    holder: Option<NodeId>,
    called: BTreeSet<Fence>,
    answers: BTreeMap<Fence, Outcome>,
    charged: u64,
    posted: u64,
    met: BTreeMap<NodeId, u64>,
    /// What a driver acknowledged: it never comes again.
    acknowledged: u64,
}

impl Checker {
    pub fn new(plans: Plans) -> Self {
        Self { plans, ..Self::default() }
    }

    /// A record became durable; `template` for an execution that a client asked for.
    pub fn durable(
        &mut self,
        now_ms: i64,
        durable: &Durable,
        template: Option<Arc<Template>>,
    ) -> Checked {
        let Durable { id, seq, record, seen: acknowledged } = durable;
        self.records += 1;
        self.digest = mix(self.digest, record);
        let events: Vec<Event> =
            serde_json::from_str(record).map_err(|error| format!("{id}: {error} in {record}"))?;
        if let Some(Event::Started(started)) = events.first()
            && !self.executions.contains_key(id)
        {
            let seen = self.begins(started, template)?;
            self.executions.insert(id.clone(), seen);
            self.open += 1;
        }
        let seen = self.executions.get_mut(id).ok_or_else(|| format!("{id} has not begun"))?;
        if seq.0 != seen.records.len() as u64 + 1 {
            let known = seen.records.len();
            return Err(format!("{id}: a record at {seq}, and {known} are durable already"));
        }
        seen.records.push(record.clone());
        let (was_open, before) = (!seen.book.ended, seen.book.standing());
        let awaited = seen.book.awaited();
        for event in &events {
            seen.book.enter(now_ms, event, &seen.answers).map_err(|why| format!("{id}: {why}"))?;
        }
        seen.book.has_delivered().map_err(|why| format!("{id}: {why}"))?;
        if let Some(n) = acknowledged {
            let (after, book) = (seen.book.standing(), &seen.book);
            let still: BTreeSet<String> =
                awaited.into_iter().filter(|name| book.awaits(name)).collect();
            let inbox = &mut seen.book.inbox;
            let met = inbox.acknowledged(n.0, before, after, &events, &still);
            met.map_err(|why| format!("{id}: {why}"))?;
        }
        match (was_open, seen.book.ended) {
            (true, true) => self.open -= 1,
            (false, false) => self.open += 1,
            (true, false) | (false, true) => {}
        }
        Ok(())
    }

    /// An execution begins: one that a client asked for, or one that a step of another did.
    fn begins(
        &mut self,
        started: &Started,
        template: Option<Arc<Template>>,
    ) -> Result<Seen, String> {
        let id = &started.id;
        let parent = started.parent.as_ref().map(|parent| parent.id.clone());
        let template = match (&parent, template) {
            (None, Some(template)) => template,
            (Some(parent), None) => {
                let family = self.executions.get(parent);
                let family = family.ok_or_else(|| format!("{id} is the child of nobody"))?;
                if !family.book.children.contains_key(id) {
                    return Err(format!("{id}: no step of {parent} is known to begin it"));
                }
                Arc::clone(&family.template)
            }
            (_, template) => {
                return Err(format!("{id}: of {parent:?}, asked for: {}", template.is_some()));
            }
        };
        let hash = &started.content_hash;
        let recipe = template.recipes().find(|recipe| recipe.content_hash == *hash);
        let recipe = recipe.ok_or_else(|| format!("{id} follows {hash}"))?;
        let facts = self.facts.entry(hash.clone());
        let facts = facts.or_insert_with(|| Arc::new(Facts::of(&recipe.definition, &recipe.plan)));
        let book = Book::new(Arc::clone(facts));
        Ok(Seen::new(template, parent, book))
    }

    /// The template of an execution's family.
    pub fn template_of(&self, id: &ExecutionId) -> Option<&Arc<Template>> {
        Some(&self.executions.get(id)?.template)
    }

    pub fn is_comparable(&self, id: &ExecutionId) -> bool {
        self.template_of(id).is_some_and(|template| template.comparable)
    }

    /// A worker is called.
    pub fn called(&mut self, request: &Request) -> Checked {
        let Request { execution: id, step, fence, .. } = request;
        let Some(seen) = self.executions.get_mut(id) else {
            return Err(format!("{id}: `{step}` is called for an execution that never began"));
        };
        let Some(attempt) = seen.book.attempt(*fence).filter(|attempt| attempt.step == *step)
        else {
            return Err(format!("{id}: `{step}` is called under {fence} before that is durable"));
        };
        if !seen.called.insert(*fence) {
            return Err(format!("{id}: `{step}` is called twice under {fence}"));
        }
        let key = format!("{id}/{step}/{}", attempt.generation);
        if request.idempotency_key() != key || request.body.is_err() {
            return Err(format!("{id}: `{step}` is called as {}", request.idempotency_key()));
        }
        let sent = request.body.as_ref().is_ok_and(|body| body.get("topic").is_some());
        if request.tool.is_some() && !sent {
            return Err(format!("{id}: `{step}` sends a tool what it does not take"));
        }
        // Nobody can see a jump of the shard's clock between an append and the calls it allows.
        if self.shard_jumped_at.is_some_and(|jumped| jumped >= attempt.at_ms) {
            return Ok(());
        }
        if !seen.book.money.is_in_flight(*fence) {
            return Err(format!("{id}: `{step}` is called under {fence}, which is over"));
        }
        Ok(())
    }

    /// A call was answered.
    pub fn answered(&mut self, id: &ExecutionId, fence: Fence, outcome: &Outcome) {
        if let Some(seen) = self.executions.get_mut(id) {
            seen.answers.insert(fence, outcome.clone());
        }
    }

    /// Money went to a worker.
    pub fn charged(&mut self, id: &ExecutionId, micros: u64) -> Checked {
        let Some(seen) = self.executions.get_mut(id) else { return Ok(()) };
        seen.charged += micros;
        match seen.book.money.budget {
            Some(budget) if seen.charged > budget => {
                Err(format!("{id}: workers have charged {} of {budget}", seen.charged))
            }
            _ => Ok(()),
        }
    }

    /// A projection reached the database, which keeps the newer of two rows.
    pub fn projected(&mut self, done: &[Projected]) {
        for Projected { id, seq, ended } in done {
            let row = self.projected.entry(id.clone()).or_default();
            *row = (*row).max((*seq, ended.is_some()));
        }
    }

    /// Executions that ended and are not projected.
    pub fn behind(&self) -> usize {
        let shown = |id: &ExecutionId, seen: &Seen| {
            let row = self.projected.get(id);
            row.is_some_and(|(seq, ended)| *ended && seq.0 == seen.records.len() as u64)
        };
        self.executions.iter().filter(|(id, seen)| !shown(id, seen)).count()
    }

    /// The step of a durable attempt.
    pub fn step_of(&self, id: &ExecutionId, fence: Fence) -> Option<String> {
        let attempt = self.executions.get(id)?.book.attempt(fence)?;
        Some(attempt.step.clone())
    }

    pub fn is_durable(&self, id: &ExecutionId) -> bool {
        self.executions.contains_key(id)
    }

    /// The executions that have not ended.
    pub fn unfinished(&self) -> Vec<ExecutionId> {
        let open = self.executions.iter().filter(|(_, seen)| !seen.book.ended);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// The executions that have ended.
    pub fn ended(&self) -> Vec<ExecutionId> {
        let ended = self.executions.iter().filter(|(_, seen)| seen.book.ended);
        ended.map(|(id, _)| id.clone()).collect()
    }

    /// The state that a journal comes to.
    pub fn replay(&self, id: &ExecutionId) -> Result<State, String> {
        self.replay_records(id, &self.executions[id].records)
    }

    /// The state that these records come to.
    pub fn replay_records(&self, id: &ExecutionId, records: &[String]) -> Result<State, String> {
        let mut events = Vec::new();
        for record in records {
            let read: Vec<Event> = serde_json::from_str(record).map_err(|e| e.to_string())?;
            events.extend(read);
        }
        let plan = |started: &Started| self.plans.get(&started.content_hash).cloned().ok_or(());
        State::replay::<()>(events, plan)
            .map_err(|error| format!("{id}: the journal cannot be replayed: {error:?}"))
    }

    /// When nothing goes on any more: every journal replays, agrees with the books, and came to
    /// what it would have come to without faults. Where nothing failed, no step took longer than
    /// `step_ms`. How many were compared.
    pub fn at_the_end(&self, workers: &Workers, step_ms: Option<i64>) -> Result<u64, String> {
        let mut compared = 0;
        for (id, seen) in &self.executions {
            let state = self.replay(id)?;
            seen.book.agrees(&state).map_err(|why| format!("{id}: {why}"))?;
            for step in seen.book.units.succeeded().filter(|step| seen.book.was_called(step)) {
                let generation = seen.book.units.generation(step);
                let done = workers.done(&format!("{id}/{step}/{generation}"));
                if done != 1 {
                    return Err(format!("{id}: `{step}` succeeded and was done {done} times"));
                }
            }
            if let Some(step_ms) = step_ms.filter(|_| seen.template.plain && seen.posted == 0) {
                prompt(id, &state, step_ms)?;
            }
            if seen.template.comparable && seen.parent.is_none() && !seen.altered {
                compared += 1;
                let (came, expected) =
                    (reference::Outcome::of(&state), reference::outcome(&seen.template));
                if came != expected {
                    return Err(format!("{id} came to {came:?}; without faults to {expected:?}"));
                }
            }
        }
        Ok(compared)
    }

    /// What there was.
    pub fn tally(&self, report: &mut Report) {
        report.reopened = self.reopened;
        for seen in self.executions.values() {
            report.children += u64::from(seen.parent.is_some());
            report.elements += seen.book.units.element_count();
            report.compensations += seen.book.compensations;
        }
    }

    pub fn count(&self) -> u64 {
        self.executions.len() as u64
    }
}

impl Seen {
    fn new(template: Arc<Template>, parent: Option<ExecutionId>, book: Book) -> Self {
        Self {
            template,
            parent,
            altered: false,
            records: Vec::new(),
            book,
            epoch: Epoch(0),
            holder: None,
            called: BTreeSet::new(),
            answers: BTreeMap::new(),
            charged: 0,
            posted: 0,
            met: BTreeMap::new(),
            acknowledged: 0,
        }
    }
}

/// Where nothing failed, nothing may have waited: for a lease to run out, for a hint to be resent.
fn prompt(id: &ExecutionId, state: &State, step_ms: i64) -> Checked {
    let steps = i64::try_from(state.steps.len()).unwrap_or(i64::MAX);
    let took = state.finished_at.unwrap_or_default().since(state.started.at);
    let most = steps.saturating_add(1).saturating_mul(step_ms).unsigned_abs();
    if took.get() > most { Err(format!("{id} took {took} for {steps} steps")) } else { Ok(()) }
}

/// Whether two outputs are the same.
fn same(left: &Payload, right: &Payload) -> bool {
    left.value() == right.value()
}

fn mix(digest: u64, record: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    record.bytes().fold(digest ^ 0xcbf2_9ce4_8422_2325, fold)
}
