//! One world: a shard over its store, the drivers of one execution and of those that it begins, a
//! clock, and a fault or two. Nothing in it is left to chance.

use std::collections::{BTreeMap, VecDeque};

use engine::driver::Answer;
use engine::execution::{Applies, Message, PauseReason, Payload, Status};
use engine::ids::ExecutionId;
use engine::shard::memory::MemoryStore;
use engine::shard::{Shard, Timing};
use engine::time::{Millis, Timestamp};

use super::cases::Case;
use super::check::Books;
use super::fault::{Fault, Points, Verb, asked};
use super::network::{Letter, Parcel, Replied};
use super::node::Node;
use super::outcome::Outcome;
use super::workers::{Answered, Workers};

/// What holds, or what does not.
pub type Held = Result<(), String>;

/// The moment at which worlds begin.
pub const EPOCH_MS: i64 = 1_800_000_000_000;
/// Whatever goes on beyond that many happenings goes in circles.
const HAPPENINGS_MAX: usize = 3_000;
/// When nothing happens for so long, nothing will before somebody asks for it.
const REST_MS: i64 = 3_700_000;
/// When somebody signals, and resumes what was paused.
const SIGNAL_MS: i64 = 500;
const SIGNAL_AGAIN_MS: i64 = 3_000;
const RESUME_AFTER_MS: i64 = 5_000;
/// What an operator raises the budget to.
const RAISED_MICRO_USD: u64 = 5_000_000;

/// Takes a protection out, to show that the worlds notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The shard takes appends under any lease.
    Epochs,
    /// An answer counts for its step's attempt, whichever that is.
    Fences,
    /// The shard takes appends whatever their place.
    Sequences,
    /// Calls are made before their attempts are durable.
    WriteAhead,
}

/// What happens next.
#[derive(Clone, Debug)]
pub enum Happening {
    Arrives(Box<Parcel>),
    Replied(Replied),
    Wake {
        node: usize,
        version: u64,
    },
    Called {
        node: usize,
        answered: Box<Answered>,
    },
    Letter(Box<Letter>),
    Hint(ExecutionId),
    Alarm {
        version: u64,
    },
    /// What was delayed behind the next message goes, though none came.
    Unhold,
    /// The Governor has heard a driver's report: all gates are open.
    Gates {
        node: usize,
    },
}

/// See the module.
pub struct World<'c> {
    pub case: &'c Case,
    pub faults: Vec<Fault>,
    pub sabotage: Option<Sabotage>,
    pub now_ms: i64,
    /// How far all clocks have jumped, and the shard's beyond.
    pub ahead_ms: i64,
    pub shard_ahead_ms: i64,
    agenda: BTreeMap<(i64, u64), Happening>,
    order: u64,
    pub shard: Shard<MemoryStore>,
    pub timing: Timing,
    pub alarm_version: u64,
    pub nodes: BTreeMap<usize, Node>,
    pub node_last: usize,
    pub token_last: u64,
    pub held: VecDeque<Parcel>,
    pub workers: Workers,
    pub books: Books,
    pub root: ExecutionId,
    pub points: Points,
    /// How often somebody helped an execution that was paused.
    helped: u32,
}

impl<'c> World<'c> {
    pub fn new(case: &'c Case, faults: &[Fault], sabotage: Option<Sabotage>) -> Self {
        let timing = Timing::default();
        let now = Timestamp::from_millis(EPOCH_MS);
        let store = MemoryStore::default();
        let shard = match Shard::load(store, timing, now) {
            Ok(shard) => shard,
            Err(never) => match never {},
        };
        Self {
            case,
            faults: faults.to_vec(),
            sabotage,
            now_ms: 0,
            ahead_ms: 0,
            shard_ahead_ms: 0,
            agenda: BTreeMap::new(),
            order: 0,
            shard,
            timing,
            alarm_version: 0,
            nodes: BTreeMap::new(),
            node_last: 0,
            token_last: 0,
            held: VecDeque::new(),
            workers: Workers::default(),
            books: Books::default(),
            root: case.started(now).id,
            points: Points::default(),
            helped: 0,
        }
    }

    /// Lives until nothing more happens by itself.
    pub fn live(&mut self) -> Result<Outcome, String> {
        self.start()?;
        self.signal("signal", SIGNAL_MS);
        self.until_rest()
    }

    fn signal(&mut self, key: &str, in_ms: i64) {
        let Some((name, payload)) = &self.case.signal else { return };
        let (asked, name, payload) =
            (asked(), (*name).to_owned(), Payload::inline(payload.clone()));
        let message = Message::Signal { asked, name, payload, answers: None };
        let letter = Letter::new(&self.root, &message, Some(key));
        self.after(in_ms, Happening::Letter(Box::new(letter)));
    }

    /// Goes on after somebody asked for something when all was at rest; `None` when it is refused.
    pub fn ask(&mut self, message: &Message) -> Result<Option<Outcome>, String> {
        self.workers.heal();
        let state = self.books.state(&self.root)?;
        if state.applies(message) != Applies::Yes {
            return Ok(None);
        }
        self.after(1, Happening::Letter(Box::new(Letter::new(&self.root, message, Some("ask")))));
        self.signal("once more", SIGNAL_AGAIN_MS);
        self.until_rest().map(Some)
    }

    fn until_rest(&mut self) -> Result<Outcome, String> {
        let most = self.points.happenings + HAPPENINGS_MAX;
        while let Some(((at, _), _)) = self.agenda.first_key_value().map(|(k, v)| (*k, v)) {
            if at - self.now_ms > REST_MS && !self.help()? {
                break;
            }
            let Some(((at, _), happening)) = self.agenda.pop_first() else { break };
            self.now_ms = at;
            if self.points.happenings > most {
                return Err(format!("it goes in circles: {happening:?}"));
            }
            self.strike_at_happening();
            self.points.happenings += 1;
            self.let_happen(happening)?;
        }
        self.at_rest()?;
        Outcome::of(self.books.state(&self.root)?)
    }

    fn let_happen(&mut self, happening: Happening) -> Held {
        match happening {
            Happening::Arrives(parcel) => self.arrives(*parcel),
            Happening::Replied(replied) => self.replied(replied),
            Happening::Wake { node, version } => self.wake(node, version),
            Happening::Called { node, answered } => self.call_answered(node, *answered),
            Happening::Letter(letter) => {
                self.send_letter(*letter);
                Ok(())
            }
            Happening::Hint(id) => self.resume(&id),
            Happening::Alarm { version } => {
                if version == self.alarm_version {
                    self.alarm();
                }
                Ok(())
            }
            Happening::Unhold => self.unhold(),
            Happening::Gates { node } => self.bring(node, Answer::Gates(Vec::new())),
        }
    }

    fn strike_at_happening(&mut self) {
        let here = self.points.happenings;
        for nth in 0..self.faults.len() {
            match self.faults[nth] {
                Fault::Jump { at, ms } if at == here => {
                    self.ahead_ms += ms;
                    self.keep_alarm();
                    for node in self.nodes.keys().copied().collect::<Vec<_>>() {
                        self.wake_in(node, 0);
                    }
                }
                Fault::Verb { at, verb } if at == here => self.say_verb(verb),
                _ => {}
            }
        }
    }

    fn say_verb(&mut self, verb: Verb) {
        let letter = Letter::new(&self.root, &verb.message(), Some("verb"));
        self.after(0, Happening::Letter(Box::new(letter)));
        if verb == Verb::Pause {
            let message = Message::Resume { asked: asked(), budget: None };
            let letter = Letter::new(&self.root, &message, Some("resume"));
            self.after(RESUME_AFTER_MS, Happening::Letter(Box::new(letter)));
        }
    }

    /// Whether a fault of this world is so.
    pub fn struck(&self, is: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().any(is)
    }

    /// An operator helps an execution that is paused for want of money.
    fn help(&mut self) -> Result<bool, String> {
        let paused = self.books.state(&self.root)?.paused.clone();
        let Some(PauseReason::Budget { .. }) = paused else { return Ok(false) };
        if self.helped > 0 {
            return Err("it is paused for want of money once more".to_owned());
        }
        self.helped += 1;
        let budget = Some(engine::money::MicroUsd::from_micros(RAISED_MICRO_USD));
        let message = Message::Resume { asked: asked(), budget };
        let letter = Letter::new(&self.root, &message, Some("help"));
        self.after(1, Happening::Letter(Box::new(letter)));
        Ok(true)
    }

    /// What was done anew when all was over is the step, and what depends on it.
    pub fn check_generations(&self, path: &str) -> Held {
        let state = self.books.state(&self.root)?;
        if state.status != Status::Completed {
            return Ok(());
        }
        let step = path.split('[').next().unwrap_or(path);
        let mut anew = vec![step.to_owned()];
        for definition in &self.case.definition.steps {
            let on = definition.depends_on.iter().filter_map(serde_json::Value::as_str);
            if on.into_iter().any(|on| anew.iter().any(|anew| anew == on)) {
                anew.push(definition.name.clone());
            }
        }
        for (planned, step) in state.plan.steps.iter().zip(&state.steps) {
            let expected = if anew.contains(&planned.name) { 2 } else { 1 };
            let elements = step.map.iter().flat_map(|map| &map.elements);
            let again = elements.filter(|element| element.generation != 1).count();
            let alone = path == format!("{}[0]", planned.name) && again != 1;
            if step.generation != expected && step.map.is_none() || alone {
                let generation = step.generation;
                return Err(format!("`{}` is of generation {generation}", planned.name));
            }
        }
        Ok(())
    }

    /// Nothing is left open, but an execution that waits for an operator.
    fn at_rest(&mut self) -> Held {
        let state = self.books.state(&self.root)?;
        let parked = matches!(state.paused, Some(PauseReason::Failure { .. }));
        if !state.status.is_final() && !parked {
            return Err(format!("it does not end: {:?}", state.why(self.clock())));
        }
        if !self.nodes.is_empty() {
            return Err(format!("drivers are left: {:?}", self.nodes.keys()));
        }
        let open = usize::from(state.status == Status::Paused);
        if self.shard.open_count() != open {
            return Err(format!("{} executions are open", self.shard.open_count()));
        }
        self.books.at_rest(&self.workers)
    }

    pub fn clock(&self) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.now_ms + self.ahead_ms)
    }

    pub fn shard_clock(&self) -> Timestamp {
        self.clock().plus(Millis::new(self.shard_ahead_ms.unsigned_abs()))
    }

    pub fn after(&mut self, ms: i64, happening: Happening) {
        self.order += 1;
        self.agenda.insert((self.now_ms + ms.max(0), self.order), happening);
    }
}
