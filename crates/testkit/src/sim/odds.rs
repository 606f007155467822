//! The faults of a seed. Each seed draws which kinds there are and how often each strikes: a world
//! with few kinds of fault goes deeper than one where everything fails a little.

use super::rng::Rng;

/// How often each fault strikes, in permille of its occasions.
#[derive(Clone, Debug, Default)]
pub struct Odds {
    pub request_lost: u64,
    pub reply_lost: u64,
    pub request_doubled: u64,
    /// A message that takes seconds, or longer than a lease lasts.
    pub message_late: u64,
    pub driver_dies: u64,
    pub store_fails: u64,
    pub hint_lost: u64,
    pub hint_doubled: u64,
    pub hint_late: u64,
    pub projection_fails: u64,
    pub governor_silent: u64,
    /// The longest that a worker takes as a rule.
    pub latency_ms: i64,
    pub worker_fails: u64,
    pub worker_silent: u64,
    pub worker_slow: u64,
    pub worker_unspoken_cost: u64,
    pub answer_doubled: u64,
    /// An abort that comes too late: the answer arrives after it.
    pub abort_late: u64,
    /// How many of each there are while faults last.
    pub shard_restarts: u64,
    pub governor_restarts: u64,
    pub alarms_early: u64,
    pub posts: u64,
    pub jumps: u64,
    /// How often somebody says something to an execution, and in how many permille of these cases
    /// it is something that alters what comes of it.
    pub verbs: u64,
    pub harsh: u64,
    /// A worker that took an attempt and forgets it, whose report is twice as late as its
    /// heartbeat, or which reports before it has said that it works on.
    pub callback_missed: u64,
    pub callback_late: u64,
    pub callback_early: u64,
    /// How far clocks are apart, in milliseconds.
    pub skew_ms: i64,
}

impl Odds {
    pub fn draw(rng: &mut Rng) -> Self {
        // One world in sixteen knows no faults at all.
        if rng.chance(62) {
            return Self { latency_ms: 400, ..Self::default() };
        }
        let latency_ms = [300, 2_000, 8_000][usize::try_from(rng.below(3)).unwrap_or(0)];
        let mut odd = |most: u64| if rng.chance(450) { rng.below(most) + 1 } else { 0 };
        Self {
            request_lost: odd(150),
            reply_lost: odd(150),
            request_doubled: odd(150),
            message_late: odd(80),
            driver_dies: odd(60),
            store_fails: odd(60),
            hint_lost: odd(500),
            hint_doubled: odd(300),
            hint_late: odd(300),
            projection_fails: odd(500),
            governor_silent: odd(200),
            latency_ms,
            worker_fails: odd(300),
            worker_silent: odd(80),
            worker_slow: odd(150),
            worker_unspoken_cost: odd(300),
            answer_doubled: odd(200),
            abort_late: odd(1_000),
            shard_restarts: odd(6),
            governor_restarts: odd(3),
            alarms_early: odd(10),
            posts: odd(30),
            jumps: odd(3),
            verbs: odd(40),
            harsh: odd(900),
            callback_missed: odd(150),
            callback_late: odd(150),
            callback_early: odd(300),
            skew_ms: i64::try_from(odd(4_000)).unwrap_or(0),
        }
    }
}
