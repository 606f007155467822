//! The world of a seed: what happens when, and when it is over.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use engine::driver::Answer;
use engine::ids::{ExecutionId, Fence};
use engine::money::MicroUsd;
use engine::shard::{Projected, Shard, Timing};
use engine::time::{Millis, Timestamp};

use super::callbacks::Callback;
use super::check::{Checker, NodeId};
use super::client::Job;
use super::gates::Petition;
use super::governor::Governor;
use super::journal::Outbox;
use super::letters::Letter;
use super::network::{Answered, Parcel};
use super::node::Node;
use super::odds::Odds;
use super::plans::{self, Template};
use super::rng::Rng;
use super::store::{Disk, SimStore};
use super::worker::{Said, Workers};
use super::{Failure, Report, Sabotage};

/// Simulated time begins here: any moment far from zero.
pub const EPOCH_MS: i64 = 1_700_000_000_000;
/// After the last fault everything must end within this time.
const PATIENCE_MS: i64 = 60 * 60_000;
/// A world in which more happens goes in circles.
const STEPS_MAX: u64 = 100_000;
/// The longest that a change of drivers takes in a world without faults.
const CHANGE_MS_MAX: i64 = 400;
/// The last lines of a story that are kept.
const STORY_LINES_MAX: usize = 400;

/// Something that happens at its moment.
#[derive(Debug)]
pub enum Happening {
    /// A client asks for an execution.
    Start(usize),
    /// A request reaches the shard.
    Arrives(Box<Parcel>),
    /// The answer to a request, or the news that there is none, reaches an invocation.
    Replied {
        node: NodeId,
        token: u64,
        answer: Answered,
    },
    /// The moment that a driver asked for.
    Wake {
        node: NodeId,
        version: u64,
    },
    /// A worker's answer reaches an invocation.
    Called {
        node: NodeId,
        fence: Fence,
        id: ExecutionId,
        said: Said,
    },
    /// A worker that took an attempt has something to say of it.
    Callback(Callback),
    /// Something is posted, and arrives.
    Letter(Box<Letter>),
    LetterArrives(Box<Letter>),
    /// A driver's request reaches the Governor, and the answer reaches the driver.
    Petition(Box<Petition>),
    Told {
        node: NodeId,
        answer: Answer,
    },
    /// An operator says something; one looks after what stands.
    Say,
    Tend,
    /// The shard's alarm.
    Alarm {
        version: u64,
    },
    /// An alarm that nobody set.
    EarlyAlarm,
    /// The shard loses its memory.
    Restart,
    /// The Governor loses its memory.
    GovernorRestart,
    /// A message of the queue is delivered.
    Hint(ExecutionId),
    /// A projection is over.
    Projection {
        life: u64,
        done: Vec<Projected>,
        reached: bool,
    },
    /// Somebody sends something to an execution.
    Post,
    /// A clock jumps ahead.
    Jump,
}

/// See the module.
#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub sabotage: Option<Sabotage>,
    pub rng: Rng,
    pub odds: Odds,
    /// Simulated time, which no clock shows exactly.
    pub now_ms: i64,
    /// How far all clocks are ahead of it.
    pub ahead_ms: i64,
    pub quiet_ms: i64,
    pub order: u64,
    pub agenda: BTreeMap<(i64, u64), Happening>,
    pub templates: Vec<Arc<Template>>,
    pub jobs: Vec<Job>,
    pub nodes: BTreeMap<NodeId, Node>,
    pub node_last: NodeId,
    pub token_last: u64,
    pub disk: Rc<RefCell<Disk>>,
    pub shard: Option<Shard<SimStore>>,
    /// How often the shard was loaded.
    pub life: u64,
    pub shard_ahead_ms: i64,
    pub timing: Timing,
    pub outbox: Outbox,
    pub governor: Governor,
    pub places_max: u32,
    /// What the account may spend in a day.
    pub daily_max: Option<MicroUsd>,
    pub workers: Workers,
    pub checker: Checker,
    pub report: Report,
    story: Option<Vec<String>>,
}

/// What a happening comes to: an error is a broken promise.
pub type Lived = Result<(), String>;

impl World {
    pub fn new(seed: u64, sabotage: Option<Sabotage>, told: bool) -> Self {
        let mut rng = Rng::new(seed);
        let odds = Odds::draw(&mut rng);
        let count = usize::try_from(rng.between(1, 2)).unwrap_or(1);
        let workers = plans::workers(&mut rng, sabotage);
        let draw = |n| Arc::new(Template::draw(&mut rng, n, &workers, sabotage));
        let templates: Vec<Arc<Template>> = (0..count).map(draw).collect();
        let recipes = templates.iter().flat_map(|template| template.recipes());
        let plans = recipes.map(|of| (of.content_hash.clone(), Arc::clone(&of.plan))).collect();
        let lease_ms = [6_000, 15_000, 30_000][usize::try_from(rng.below(3)).unwrap_or(0)];
        let timing = Timing { lease: Millis::new(lease_ms), ..Timing::default() };
        let disk = Rc::new(RefCell::new(Disk::default()));
        let mut world = Self {
            seed,
            sabotage,
            now_ms: 0,
            ahead_ms: 0,
            quiet_ms: rng.between(20_000, 120_000),
            order: 0,
            agenda: BTreeMap::new(),
            templates,
            jobs: Vec::new(),
            nodes: BTreeMap::new(),
            node_last: 0,
            token_last: 0,
            disk,
            shard: None,
            life: 0,
            shard_ahead_ms: rng.between(0, odds.skew_ms),
            timing,
            outbox: Outbox::default(),
            governor: Governor::default(),
            places_max: u32::try_from(rng.between(1, 6)).unwrap_or(1),
            daily_max: rng.chance(500).then(|| MicroUsd::from_micros(rng.below(2_000_000))),
            workers: Workers::default(),
            checker: Checker::new(plans),
            report: Report::default(),
            story: told.then(Vec::new),
            rng,
            odds,
        };
        world.plan_ahead();
        world
    }

    /// Puts on the agenda what the seed decides beforehand.
    fn plan_ahead(&mut self) {
        let jobs = self.rng.between(1, 8);
        for _ in 0..jobs {
            self.add_job();
        }
        let odds = self.odds.clone();
        let faults: [(u64, fn() -> Happening); 6] = [
            (odds.verbs, || Happening::Say),
            (odds.shard_restarts, || Happening::Restart),
            (odds.governor_restarts, || Happening::GovernorRestart),
            (odds.alarms_early, || Happening::EarlyAlarm),
            (odds.posts, || Happening::Post),
            (odds.jumps, || Happening::Jump),
        ];
        for (count, happening) in faults {
            for _ in 0..count {
                let at = self.rng.between(0, self.quiet_ms);
                self.at(at, happening());
            }
        }
        let quiet_ms = self.quiet_ms;
        self.at(quiet_ms, Happening::Tend);
    }

    /// Lives until everything is over, or something is wrong.
    pub fn live(&mut self) -> Result<Report, Box<Failure>> {
        let lived = self.until_the_end();
        // A call, a change of drivers, and clocks that are apart.
        let step_ms = self.odds.latency_ms + CHANGE_MS_MAX + self.odds.skew_ms;
        let step_ms = (self.report.faults == 0).then_some(step_ms);
        let now = self.clock(0);
        let lived = lived.and_then(|()| self.governor.at_the_end(now));
        let lived = lived.and_then(|()| self.checker.at_the_end(&self.workers, step_ms));
        match lived {
            Ok(compared) => {
                self.report.compared = compared;
                self.checker.tally(&mut self.report);
                self.report.executions = self.checker.count();
                self.report.records = self.checker.records;
                self.report.digest = self.checker.digest;
                Ok(self.report)
            }
            Err(what) => Err(Box::new(Failure {
                seed: self.seed,
                at_ms: self.now_ms,
                what,
                story: self.story.take().unwrap_or_default(),
            })),
        }
    }

    fn until_the_end(&mut self) -> Lived {
        while let Some(((at, _), happening)) = self.agenda.pop_first() {
            self.now_ms = at;
            self.report.steps += 1;
            if self.report.steps > STEPS_MAX {
                return Err(format!("it goes in circles: {STEPS_MAX} things happened"));
            }
            if self.now_ms > self.quiet_ms + PATIENCE_MS {
                break;
            }
            self.let_happen(happening)?;
            if self.is_over() {
                return Ok(());
            }
        }
        if self.is_over() { Ok(()) } else { Err(self.what_is_left()) }
    }

    fn let_happen(&mut self, happening: Happening) -> Lived {
        match happening {
            Happening::Start(job) => self.start(job),
            Happening::Arrives(parcel) => self.arrives(*parcel),
            Happening::Replied { node, token, answer } => self.replied(node, token, answer),
            Happening::Wake { node, version } => self.wake(node, version),
            Happening::Called { node, fence, id, said } => {
                self.call_answered(node, fence, &id, said)
            }
            Happening::Callback(callback) => self.call_back(callback),
            Happening::Letter(letter) => {
                self.send_letter(*letter);
                Ok(())
            }
            Happening::LetterArrives(letter) => self.letter_arrives(*letter),
            Happening::Petition(petition) => self.petitioned(*petition),
            Happening::Told { node, answer } => self.told(node, answer),
            Happening::Say => self.say(),
            Happening::Tend => self.tend(),
            Happening::Alarm { version } => self.alarm(version),
            Happening::EarlyAlarm => self.work(),
            Happening::Restart => {
                self.fault("the shard restarts");
                self.shard = None;
                Ok(())
            }
            Happening::GovernorRestart => {
                self.fault("the governor restarts");
                self.governor.restart();
                Ok(())
            }
            Happening::Hint(id) => self.resume(&id),
            Happening::Projection { life, done, reached } => self.projection(life, &done, reached),
            Happening::Post => self.post(),
            Happening::Jump => self.jump(),
        }
    }

    /// Whether nothing is left to do: every request has its answer, every execution its end, every
    /// end its projection.
    fn is_over(&self) -> bool {
        self.checker.open == 0
            && self.nodes.is_empty()
            && self.jobs.iter().all(|job| job.decided)
            && self.now_ms >= self.jobs_until_ms()
            && self.checker.behind() == 0
            && self.disk.borrow().is_projected()
            && self.disk.borrow().is_all_ended()
    }

    fn jobs_until_ms(&self) -> i64 {
        self.jobs.iter().map(|job| job.last_ms).max().unwrap_or(0)
    }

    fn what_is_left(&self) -> String {
        let now = self.clock(0);
        let held = self.checker.unfinished().into_iter().map(|id| match self.checker.replay(&id) {
            Ok(state) => format!("{id}: {:?}", state.why(now)),
            Err(error) => error,
        });
        let held: Vec<String> = held.collect();
        let waiting = self.jobs.iter().filter(|job| !job.decided).count();
        format!(
            "it does not end: {} drivers at work, {waiting} requests without an answer, \
             {} not projected, unfinished: {held:?}",
            self.nodes.len(),
            self.checker.behind(),
        )
    }

    /// Lets one clock jump ahead, or all of them.
    fn jump(&mut self) -> Lived {
        let ms = self.rng.between(1_000, 400_000);
        match self.rng.below(3) {
            0 => {
                self.fault(&format!("all clocks jump by {ms} ms"));
                self.ahead_ms += ms;
            }
            1 => {
                self.fault(&format!("the shard's clock jumps by {ms} ms"));
                self.shard_ahead_ms += ms;
                self.checker.shard_jumped_at = Some(self.now_ms);
            }
            _ => {
                let picked = self.rng.below(self.nodes.len() as u64);
                let picked = usize::try_from(picked).unwrap_or(0);
                let Some(node) = self.nodes.values_mut().nth(picked) else { return Ok(()) };
                node.ahead_ms += ms;
                let id = node.id;
                self.fault(&format!("the clock of {id} jumps by {ms} ms"));
            }
        }
        self.set_alarm_again();
        let nodes: Vec<NodeId> = self.nodes.keys().copied().collect();
        for node in nodes {
            self.wake_at(node, Some(self.now_ms));
        }
        Ok(())
    }

    /// What a clock shows that is so far ahead of the others.
    pub fn clock(&self, ahead_ms: i64) -> Timestamp {
        Timestamp::from_millis(EPOCH_MS + self.now_ms + self.ahead_ms + ahead_ms)
    }

    pub fn at(&mut self, at_ms: i64, happening: Happening) {
        self.order += 1;
        self.agenda.insert((at_ms.max(self.now_ms), self.order), happening);
    }

    pub fn after(&mut self, ms: i64, happening: Happening) {
        self.at(self.now_ms + ms, happening);
    }

    pub fn is_quiet(&self) -> bool {
        self.now_ms >= self.quiet_ms
    }

    /// Whether a fault strikes that has these odds.
    pub fn strikes(&mut self, permille: u64) -> bool {
        !self.is_quiet() && self.rng.chance(permille)
    }

    pub fn fault(&mut self, what: &str) {
        self.report.faults += 1;
        self.tell(|| what.to_owned());
    }

    /// Tells what happens, where somebody listens.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            if story.len() >= STORY_LINES_MAX {
                story.remove(0);
            }
            story.push(format!("{:>8} {}", self.now_ms, what()));
        }
    }

    pub fn into_story(self) -> Vec<String> {
        self.story.unwrap_or_default()
    }
}
