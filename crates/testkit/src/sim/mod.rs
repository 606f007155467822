//! A whole installation in one seed: the shipped state machines of execution, driver, shard and
//! admission, over a simulated storage, network, queue, clock and workers.
//!
//! One seed decides everything: the templates, the requests, which faults there are and how often
//! (a swarm: each seed has its own mixture), and in which order things happen. Faults end at some
//! moment; after that everything must come to its end. The checkers (`check`) stand apart from
//! the workload: they see what became durable and what was called, and nothing else.
//!
//! The parts around the machines mirror the shell: `node` is `src/driver/`, `journal` is
//! `src/journal/mod.rs`. A [`Sabotage`] takes one protection out, in the layer between them: the
//! simulation must notice.

mod callbacks;
mod calls;
mod check;
mod child;
mod client;
mod gates;
mod governor;
mod journal;
mod letters;
mod network;
mod node;
mod odds;
mod plans;
mod reference;
mod rng;
mod round;
mod store;
mod verbs;
mod worker;
mod world;

use std::fmt;

/// A protection that is taken out, to show that the simulation would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Appends are accepted whatever their epoch.
    EpochCheck,
    /// Appends are accepted whatever their place.
    SequenceCheck,
    /// An answer counts for its step's current attempt, whatever fence it carries.
    FenceCheck,
    /// A lease is taken back though something came in that its driver has not met.
    InboxCheck,
    /// A hint that was lost is not sent again.
    HintResend,
    /// Nothing is kept back for calls in flight.
    Reservation,
    /// Calls are made before their attempts are durable.
    WriteAhead,
    /// What a driver has met of its inbox is not acknowledged.
    Acknowledgement,
    /// The shard does not know whose child an execution is.
    ChildNotice,
    /// An execution that has ended stays so.
    Reopening,
    /// Nothing is undone.
    Compensation,
    /// Calls begin whatever their gates say.
    Gate,
    /// Tools are sent, and may give, whatever it is.
    Schemas,
}

/// What a seed came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Executions that began, and ended.
    pub executions: u64,
    /// Executions whose outcome was compared with that of a world without faults.
    pub compared: u64,
    /// Things that happened.
    pub steps: u64,
    /// Calls of workers.
    pub calls: u64,
    /// Messages of operators that were stored.
    pub verbs: u64,
    /// Executions that steps began.
    pub children: u64,
    /// Elements of maps.
    pub elements: u64,
    /// Steps that were undone.
    pub compensations: u64,
    /// Ended executions that went on.
    pub reopened: u64,
    /// Records that became durable.
    pub records: u64,
    /// Faults that were injected.
    pub faults: u64,
    /// Times that a driver took an execution over.
    pub taken: u64,
    /// A digest of all durable records in their order: the same seed gives the same one.
    pub digest: u64,
}

impl Report {
    /// The sum over many seeds.
    pub fn add(&mut self, other: &Self) {
        self.executions += other.executions;
        self.compared += other.compared;
        self.steps += other.steps;
        self.calls += other.calls;
        self.verbs += other.verbs;
        self.children += other.children;
        self.elements += other.elements;
        self.compensations += other.compensations;
        self.reopened += other.reopened;
        self.records += other.records;
        self.faults += other.faults;
        self.taken += other.taken;
        self.digest ^= other.digest;
    }
}

/// A seed in which something is wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// When, in simulated milliseconds.
    pub at_ms: i64,
    /// What is wrong.
    pub what: String,
    /// What happened, up to that moment.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        write!(f, "SEED={} fails at {} ms: {}", self.seed, self.at_ms, self.what)
    }
}

/// Lives through one seed. A seed that fails is lived through again to tell its story.
pub fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Report, Box<Failure>> {
    let first = world::World::new(seed, sabotage, false).live();
    first.map_err(|_| {
        let again = world::World::new(seed, sabotage, true).live();
        again.expect_err("the same seed fails again")
    })
}

/// Lives through one seed and tells its story, whatever it comes to.
pub fn tell(seed: u64, sabotage: Option<Sabotage>) -> (Vec<String>, Result<Report, Box<Failure>>) {
    let mut world = world::World::new(seed, sabotage, true);
    let ended = world.live();
    (world.into_story(), ended)
}
