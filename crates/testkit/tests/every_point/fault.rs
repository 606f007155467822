//! What goes wrong in a world, and where: each world has one fault, at one point.

use engine::execution::{Asked, Message};

/// A world's fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// A unit of work fails.
    Unit { unit: String, ill: Ill },
    /// The answer of a call comes otherwise than it should.
    Answer { nth: usize, odd: Odd },
    /// The driver dies at something that it asks for: before or after that is performed.
    Dies { action: usize, performed: bool },
    /// Another driver takes over while the first one lives on.
    Usurped { round: usize, how: Zombie },
    /// A message between a driver or a sender and the shard, in either direction.
    Message { nth: usize, post: Post },
    /// A message of the shard that asks for a driver.
    Hint { nth: usize, post: Post },
    /// All clocks jump ahead.
    Jump { at: usize, ms: i64 },
    /// The shard restarts before or after it handles a message.
    Restart { nth: usize, handled: bool },
    /// Somebody asks for something.
    Verb { at: usize, verb: Verb },
}

/// How a unit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ill {
    /// Busy, once.
    Busy,
    /// It does its work, and the connection breaks before it says so; once.
    Breaks,
    /// It says nothing, once.
    Silent,
    /// It refuses whatever it is sent.
    Refuses,
}

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// Twice, one after the other.
    Twice,
    /// Once in time and once long after.
    TwiceLater,
    /// After its attempt was given up.
    Late,
}

/// How the first driver lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zombie {
    /// It never stops; the shard's clock is ahead of its own.
    Unaware,
    /// The same, and whoever takes over takes its time.
    Ahead,
    /// Nothing reaches it for longer than its lease.
    Asleep,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    Lost,
    ReplyLost,
    Doubled,
    DoubledLate,
    /// It arrives behind the next one.
    Delayed,
    ReplyDelayed,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Cancel,
    Kill,
    /// And resumes it later.
    Pause,
}

/// What points there are in a world.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// Units of work that were called, by template and path.
    pub units: Vec<String>,
    pub calls: usize,
    pub actions: usize,
    pub rounds: usize,
    pub messages: usize,
    pub hints: usize,
    pub happenings: usize,
}

fn units(points: &Points, ills: &[Ill]) -> Vec<Fault> {
    let each = points.units.iter().flat_map(|unit| ills.iter().map(move |ill| (unit, *ill)));
    each.map(|(unit, ill)| Fault::Unit { unit: unit.clone(), ill }).collect()
}

pub fn ill_for_good(points: &Points) -> Vec<Fault> {
    units(points, &[Ill::Refuses])
}

pub fn once_ill(points: &Points) -> Vec<Fault> {
    units(points, &[Ill::Busy, Ill::Breaks, Ill::Silent])
}

pub fn odd_answers(points: &Points) -> Vec<Fault> {
    let odd = [Odd::Twice, Odd::TwiceLater, Odd::Late];
    cross(points.calls, &odd, |nth, odd| Fault::Answer { nth, odd })
}

pub fn deaths(points: &Points) -> Vec<Fault> {
    cross(points.actions, &[false, true], |action, performed| Fault::Dies { action, performed })
}

pub fn zombies(points: &Points) -> Vec<Fault> {
    let how = [Zombie::Unaware, Zombie::Ahead, Zombie::Asleep];
    cross(points.rounds, &how, |round, how| Fault::Usurped { round, how })
}

pub fn messages(points: &Points) -> Vec<Fault> {
    use Post::{Delayed, Doubled, DoubledLate, Lost, ReplyDelayed, ReplyLost};
    let posts = [Lost, ReplyLost, Doubled, DoubledLate, Delayed, ReplyDelayed];
    let hints = [Lost, Doubled, DoubledLate, Delayed];
    let mut all = cross(points.messages, &posts, |nth, post| Fault::Message { nth, post });
    all.extend(cross(points.hints, &hints, |nth, post| Fault::Hint { nth, post }));
    all
}

pub fn jumps(points: &Points) -> Vec<Fault> {
    cross(points.happenings, &[1_000, 60_000, 3_600_000], |at, ms| Fault::Jump { at, ms })
}

pub fn restarts(points: &Points) -> Vec<Fault> {
    cross(points.messages, &[false, true], |nth, handled| Fault::Restart { nth, handled })
}

pub fn cancels(points: &Points) -> Vec<Fault> {
    cross(points.happenings, &[Verb::Cancel], |at, verb| Fault::Verb { at, verb })
}

pub fn kills(points: &Points) -> Vec<Fault> {
    cross(points.happenings, &[Verb::Kill], |at, verb| Fault::Verb { at, verb })
}

pub fn pauses(points: &Points) -> Vec<Fault> {
    cross(points.happenings, &[Verb::Pause], |at, verb| Fault::Verb { at, verb })
}

fn cross<T: Copy>(points: usize, how: &[T], make: impl Fn(usize, T) -> Fault) -> Vec<Fault> {
    (0..points)
        .flat_map(|at| how.iter().map(move |how| (at, *how)))
        .map(|(at, how)| make(at, how))
        .collect()
}

/// Who asks, in all worlds.
pub fn asked() -> Asked {
    Asked { by: "user:ada".to_owned(), reason: None }
}

impl Verb {
    pub fn message(self) -> Message {
        let asked = asked();
        match self {
            Self::Cancel => Message::Cancel { asked },
            Self::Kill => Message::Kill { asked },
            Self::Pause => Message::Pause { asked },
        }
    }
}
