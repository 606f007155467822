//! What must hold in every world, judged by what became durable and what was called alone.

use std::collections::{BTreeMap, BTreeSet};

use engine::execution::{Event, Request as Call, State, Status, Verb};
use engine::ids::{ExecutionId, Fence, Seq};
use engine::shard::memory::MemoryStore;
use engine::shard::{Request, Store};

use super::cases;
use super::workers::Workers;
use super::world::Held;

/// What is known of all executions.
#[derive(Debug, Default)]
pub struct Books {
    books: BTreeMap<ExecutionId, Book>,
}

/// What is known of one.
#[derive(Debug)]
struct Book {
    state: State,
    seq: Seq,
    /// The path and the generation of each attempt.
    attempts: BTreeMap<Fence, (String, u32)>,
    /// What has succeeded, and what was called.
    succeeded: BTreeSet<(String, u32)>,
    called: BTreeSet<Fence>,
    /// Steps that have succeeded and were not done anew, in that order.
    completions: Vec<String>,
    /// Steps whose undoing has begun since the last reset, in that order; and those undone.
    undo_begun: Vec<String>,
    undone: BTreeSet<String>,
    killed: bool,
}

/// What a journal comes to.
pub fn replay(records: &[String]) -> Result<State, String> {
    let mut events = Vec::new();
    for record in records {
        events.extend(read(record)?);
    }
    fold(events)
}

fn fold(events: Vec<Event>) -> Result<State, String> {
    let plan = |started: &engine::execution::Started| Ok::<_, ()>(cases::plan(&started.definition));
    State::replay(events, plan).map_err(|error| format!("a journal does not replay: {error:?}"))
}

fn read(record: &str) -> Result<Vec<Event>, String> {
    serde_json::from_str(record).map_err(|error| format!("a record cannot be read: {error}"))
}

impl Books {
    pub fn state(&self, id: &ExecutionId) -> Result<&State, String> {
        self.books.get(id).map(|book| &book.state).ok_or_else(|| format!("{id} has not begun"))
    }

    /// Takes in what a request made durable.
    pub fn read(&mut self, store: &MemoryStore, request: &Request) -> Held {
        let (Request::Start { id, .. } | Request::Append { id, .. }) = request else {
            return Ok(());
        };
        let after = self.books.get(id).map_or(Seq(0), |book| book.seq);
        let records = match store.records(id, after) {
            Ok(records) => records,
            Err(never) => match never {},
        };
        let mut records = records.into_iter();
        if !self.books.contains_key(id) {
            let Some(first) = records.next() else { return Ok(()) };
            self.books.insert(id.clone(), Book::begin(&first)?);
        }
        let book = self.books.get_mut(id).expect("it has just begun");
        for record in records {
            book.seq = book.seq.next();
            for event in read(&record)? {
                book.state.apply(&event).map_err(|error| format!("{id}: {error}"))?;
                book.note(&event).map_err(|what| format!("{id}: {what}"))?;
            }
            book.check_money()?;
        }
        Ok(())
    }

    /// A call is made once for each fence, when its attempt is durable, and never once its step
    /// has succeeded in the same generation.
    pub fn called(&mut self, call: &Call) -> Held {
        let (path, fence) = (&call.step, call.fence);
        let book = self.books.get_mut(&call.execution).ok_or("a call for nobody")?;
        let unit = (path.clone(), call.generation);
        if book.attempts.get(&fence) != Some(&unit) {
            return Err(format!("`{path}` is called under {fence}, which is not durable"));
        }
        if !book.called.insert(fence) {
            return Err(format!("`{path}` is called twice under {fence}"));
        }
        if book.succeeded.contains(&unit) {
            return Err(format!("`{path}` is called under {fence}, and had succeeded"));
        }
        Ok(())
    }

    /// What is said to have succeeded was done, and what was charged was counted.
    pub fn at_rest(&self, workers: &Workers) -> Held {
        for (id, book) in &self.books {
            let own = book.state.spent.as_micros();
            let charged = workers.charged.get(id).copied().unwrap_or_default();
            if own < charged {
                return Err(format!("{id} was charged {charged} and counts {own}"));
            }
            let calls = book.called.iter().filter_map(|fence| book.attempts.get(fence));
            let mut done = calls.filter(|unit| book.succeeded.contains(*unit));
            let lost = done
                .find(|(path, generation)| !workers.has_done(&format!("{id}/{path}/{generation}")));
            if let Some((path, _)) = lost {
                return Err(format!("`{path}` succeeded, and nobody did it"));
            }
        }
        Ok(())
    }
}

impl Book {
    fn begin(first: &str) -> Result<Self, String> {
        let events = read(first)?;
        let mut book = Self {
            state: fold(events.clone())?,
            seq: Seq(1),
            attempts: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            called: BTreeSet::new(),
            completions: Vec::new(),
            undo_begun: Vec::new(),
            undone: BTreeSet::new(),
            killed: false,
        };
        for event in &events {
            book.note(event)?;
        }
        Ok(book)
    }

    fn note(&mut self, event: &Event) -> Held {
        match event {
            Event::AttemptStarted { step, generation, fence, .. } => {
                if self.attempts.last_key_value().is_some_and(|(last, _)| last >= fence) {
                    return Err(format!("{fence} is given out again"));
                }
                if self.succeeded.contains(&(step.clone(), *generation)) {
                    return Err(format!("`{step}` begins, and had succeeded"));
                }
                if let Some(of) = step.strip_suffix("/compensate")
                    && !self.undo_begun.iter().any(|begun| begun == of)
                {
                    self.undo_begun.push(of.to_owned());
                }
                self.attempts.insert(*fence, (step.clone(), *generation));
            }
            Event::StepSucceeded { step, fence, .. } => return self.note_success(step, *fence),
            Event::Reset { steps, .. } => {
                self.killed = false;
                self.undo_begun.clear();
                let undone = std::mem::take(&mut self.undone);
                let anew = |step: &String| steps.contains(step) || undone.contains(step);
                self.completions.retain(|step| !anew(step));
                for unit in steps {
                    let step = unit.split('[').next().unwrap_or(unit);
                    self.completions.retain(|done| done != step);
                }
            }
            Event::Asked { verb: Verb::Kill, .. } => self.killed = true,
            Event::Finished { status, fault, .. } => {
                let cut = fault.as_ref().is_some_and(|f| f.code == "compensation.failed");
                return self.check_undone(*status, cut);
            }
            _ => {}
        }
        Ok(())
    }

    fn note_success(&mut self, step: &str, fence: Option<Fence>) -> Held {
        if let Some(fence) = fence {
            let unit = self.attempts.get(&fence).cloned();
            let unit = unit.ok_or_else(|| format!("`{step}` succeeds under unknown {fence}"))?;
            if unit.0 != step {
                return Err(format!("`{step}` succeeds under the fence of `{}`", unit.0));
            }
            if !self.succeeded.insert(unit) {
                return Err(format!("`{step}` succeeds twice in one generation"));
            }
        }
        match step.strip_suffix("/compensate") {
            Some(of) => {
                self.undone.insert(of.to_owned());
            }
            None if !step.contains('[') => self.completions.push(step.to_owned()),
            None => {}
        }
        Ok(())
    }

    /// Undone is what had succeeded and can be undone, the last first; after a kill, a success or
    /// a part of one, nothing is.
    fn check_undone(&self, status: Status, cut: bool) -> Held {
        let undoes = match status {
            Status::Failed | Status::Cancelled => !self.killed,
            Status::Completed | Status::Partial => false,
            other => return Err(format!("it ends {other:?}")),
        };
        if !undoes {
            let begun = self.undo_begun.first().filter(|_| !self.killed);
            return begun.map_or(Ok(()), |step| Err(format!("`{step}` is undone: {status:?}")));
        }
        let definition = &self.state.started.definition;
        let can = |name: &String| {
            let step = definition.steps.iter().find(|step| step.name == *name);
            let config = step.and_then(|step| step.config.as_ref());
            config.is_some_and(|config| config.get("compensate").is_some())
        };
        let cut_maps = definition.steps.iter().map(|step| step.name.clone()).filter(|name| {
            let some = |(path, _): &(String, u32)| path.starts_with(&format!("{name}["));
            !self.completions.contains(name) && self.succeeded.iter().any(some)
        });
        let done = self.completions.iter().cloned().chain(cut_maps).filter(can);
        let mut expected: Vec<String> = done.collect();
        expected.reverse();
        if cut && expected.starts_with(&self.undo_begun) {
            return Ok(());
        }
        if expected != self.undo_begun || expected.iter().any(|step| !self.undone.contains(step)) {
            let (begun, undone) = (&self.undo_begun, &self.undone);
            return Err(format!("undone are {begun:?} ({undone:?}), to be were {expected:?}"));
        }
        Ok(())
    }

    fn check_money(&self) -> Held {
        let Some(budget) = self.state.budget else { return Ok(()) };
        let taken = self.state.spent.plus(self.state.reserved);
        if taken > budget {
            return Err(format!("{taken} of {budget} is spent or kept back"));
        }
        Ok(())
    }
}
