//! Random requests: a shard that restarts between any two of them answers as one that never does.

use super::*;

const SEEDS: u64 = 150;
const REQUESTS: u64 = 250;
const EXECUTIONS: u64 = 8;

/// Leases that never run out: a restart prolongs those that are held, which is no difference then.
fn timing() -> Timing {
    Timing { lease: Millis::from_secs(400 * 24 * 3600), ..Timing::default() }
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// What drivers and callers know of an execution.
#[derive(Clone, Debug, Default)]
struct Known {
    epoch: u64,
    seq: u64,
    met: u64,
    last: Option<(Request, String)>,
    posted: BTreeMap<String, InboxSeq>,
    seen: InboxSeq,
}

struct Twins {
    rng: Rng,
    now_ms: i64,
    steady: Shard<MemoryStore>,
    restarting: Shard<MemoryStore>,
    known: BTreeMap<u128, Known>,
    last_ended: u64,
    reopened: usize,
    notices: usize,
}

impl Twins {
    fn new(seed: u64) -> Self {
        let load = || {
            let Ok(shard) = Shard::load(MemoryStore::default(), timing(), at(0));
            shard
        };
        let (steady, restarting) = (load(), load());
        let known = BTreeMap::new();
        let (rng, now_ms, last_ended) = (Rng(seed), 0, 0);
        Self { rng, now_ms, steady, restarting, known, last_ended, reopened: 0, notices: 0 }
    }

    fn restart(&mut self) {
        let store = self.restarting.store().clone();
        let Ok(shard) = Shard::load(store, timing(), at(self.now_ms));
        self.restarting = shard;
    }

    fn request(&mut self) -> (u128, Request, String) {
        let n = u128::from(self.rng.below(EXECUTIONS)) + 1;
        let known = self.known.get(&n).cloned().unwrap_or_default();
        let epoch = Epoch(known.epoch);
        let request = match self.rng.below(16) {
            0..=1 => self.start(n),
            2..=6 => {
                let repeated = self.rng.one_in(6);
                if let Some((request, record)) = known.last.filter(|_| repeated) {
                    return (n, request, record);
                }
                let after = if self.rng.one_in(4) { After::Ended } else { After::Active };
                let ahead = u64::from(self.rng.one_in(12));
                let seq = Seq(known.seq + 1 + ahead);
                Request::Append { id: id(n), epoch, seq, after, seen: InboxSeq(known.met) }
            }
            7..=8 => Request::Take { id: id(n) },
            9 => Request::Renew { id: id(n), epoch },
            10..=11 => {
                let wake_at = at(self.now_ms + [0, 3_000, 1 << 40][self.rng.below(3) as usize]);
                Request::Release { seq: None, id: id(n), epoch, seen: InboxSeq(known.met), wake_at }
            }
            12..=14 => {
                let key = self.rng.below(6);
                let key = (key < 3).then(|| format!("key {key}"));
                let entry = json!({ "at": self.now_ms });
                Request::Post { id: id(n), entry, key, reopens: self.rng.one_in(2) }
            }
            _ => Request::Read { id: id(n), after: Seq(self.rng.below(3)) },
        };
        (n, request, format!("[{}]", self.rng.below(1_000)))
    }

    /// The second half are children of the first.
    fn start(&mut self, n: u128) -> Request {
        let half = u128::from(EXECUTIONS / 2);
        let after = if self.rng.one_in(8) { After::Ended } else { After::Active };
        if n > half {
            return child(n, n - half, after);
        }
        let key = self.rng.one_in(2).then(|| (format!("start {n}"), "body"));
        start_with(key.as_ref().map(|(key, body)| (key.as_str(), *body)), n, after)
    }

    fn step(&mut self) {
        let passed = [0, 1, 300, 7_000][self.rng.below(4) as usize];
        self.now_ms += passed;
        if self.rng.one_in(60) {
            self.now_ms += 25 * 3600 * 1000;
            self.project();
            self.both(&Request::Sweep, "");
            self.check();
        } else if self.rng.one_in(6) {
            self.project();
        }
        let (n, request, record) = self.request();
        let times = if self.rng.one_in(6) { 2 } else { 1 };
        for _ in 0..times {
            let before = self.steady.open.contains_key(&id(n));
            let reply = self.both(&request, &record);
            let opens = matches!(request, Request::Post { .. }) && !before;
            self.reopened += usize::from(opens && self.steady.open.contains_key(&id(n)));
            self.learn(n, &request, &record, &reply);
        }
        self.check();
    }

    /// Asks both, one of them perhaps after a restart.
    fn both(&mut self, request: &Request, record: &str) -> Reply {
        if self.rng.one_in(4) {
            self.restart();
        }
        let now = at(self.now_ms);
        let Ok((reply, records)) = self.steady.handle(now, request.clone(), record);
        let Ok((other, others)) = self.restarting.handle(now, request.clone(), record);
        assert_eq!(timeless(&reply), timeless(&other), "{request:?}");
        assert_eq!(records, others, "{request:?}");
        reply
    }

    /// Projects all that is behind, so that both have forgotten the same.
    fn project(&mut self) {
        for _ in 0..6 {
            self.now_ms += 5_000;
            for shard in [&mut self.steady, &mut self.restarting] {
                hints(shard, self.now_ms);
            }
            if self.rng.one_in(4) {
                self.restart();
            }
        }
        for shard in [&self.steady, &self.restarting] {
            let Ok(left) = shard.store().ended_after(shard.projected, 1);
            assert_eq!((left, shard.behind.len()), (Vec::new(), 0), "all is projected");
        }
    }

    fn learn(&mut self, n: u128, request: &Request, record: &str, reply: &Reply) {
        let known = self.known.entry(n).or_default();
        if let Reply::Appended { inbox }
        | Reply::Taken { inbox, .. }
        | Reply::Renewed { inbox }
        | Reply::InboxNotEmpty { inbox } = reply
        {
            let row = row_of(&self.steady, n);
            assert!(inbox.iter().all(|entry| entry.n > row.inbox_seen), "it was acknowledged");
            known.met = inbox.last().map_or(known.met, |entry| entry.n.0);
            self.notices += inbox.iter().filter(|entry| entry.entry["type"].is_string()).count();
        }
        match (request, reply) {
            (_, Reply::Started { .. }) if known.epoch == 0 => (known.epoch, known.seq) = (1, 1),
            (Request::Append { seq, .. }, Reply::Appended { .. }) => {
                known.seq = known.seq.max(seq.0);
                known.last = Some((request.clone(), record.to_owned()));
            }
            (_, Reply::Taken { epoch, seq, .. }) => (known.epoch, known.seq) = (epoch.0, seq.0),
            (Request::Post { key: Some(key), .. }, Reply::Posted { n }) => {
                let first = *known.posted.entry(key.clone()).or_insert(*n);
                assert_eq!(first, *n, "one entry for a key");
            }
            (_, Reply::Unknown) => *known = Known::default(),
            _ => {}
        }
    }

    fn check(&mut self) {
        let now = at(self.now_ms);
        for n in 1..=u128::from(EXECUTIONS) {
            let (Ok(row), Ok(other)) =
                (self.steady.store().execution(&id(n)), self.restarting.store().execution(&id(n)));
            let shown = |row: ExecutionRow| ExecutionRow { projected: Seq(0), ..row };
            let (row, other) = (row.map(shown), other.map(shown));
            assert_eq!(row, other);
            let known = self.known.entry(n).or_default();
            let Some(row) = row else {
                *known = Known::default();
                continue;
            };
            assert!(row.inbox_seen >= known.seen, "what is acknowledged stays so");
            known.seen = row.inbox_seen;
            let stores = [self.steady.store(), self.restarting.store()];
            let [Ok(entries), Ok(others)] = stores.map(|store| store.inbox(&id(n), InboxSeq(0)));
            assert_eq!(entries, others);
        }
        let Ok(last) = self.steady.store().last_ended();
        assert!(last >= self.last_ended && self.steady.ended == last, "numbers only rise");
        let Ok(ends) = self.steady.store().ended_after(0, usize::MAX);
        let ended = ends.iter().map(|end| end.id.clone()).collect::<BTreeSet<_>>();
        assert_eq!(ended.len(), ends.len(), "an execution ends once at a time");
        assert!(
            self.steady.open.keys().all(|id| !ended.contains(id)),
            "what is open has no number"
        );
        self.last_ended = last;
        for shard in [&self.steady, &self.restarting] {
            let Ok(mut probe) = Shard::load(shard.store().clone(), timing(), now);
            let Ok(tasks) = probe.tasks(now);
            for id in tasks.hints {
                let timer = shard.open[&id].timer;
                let again = shard.timing.hint_again.get() << crate::shard::head::HINT_DOUBLINGS_MAX;
                let soon = now.plus(Millis::new(again));
                assert!(timer.is_some_and(|timer| timer <= soon), "{id} needs a driver");
            }
            assert_eq!(shard.timers.len(), shard.open.values().filter_map(|h| h.timer).count());
        }
    }
}

/// A reply without the ends of leases, which a restart prolongs.
fn timeless(reply: &Reply) -> Reply {
    let mut reply = reply.clone();
    match &mut reply {
        Reply::Held { until } => *until = at(0),
        Reply::Records { lease_until, .. } | Reply::Standing { lease_until, .. } => {
            *lease_until = lease_until.map(|_| at(0));
        }
        _ => {}
    }
    reply
}

#[test]
fn a_restart_between_any_two_requests_makes_no_difference() {
    let (mut notices, mut ended, mut reopened) = (0, 0, 0);
    for seed in 0..SEEDS {
        let mut twins = Twins::new(seed);
        for _ in 0..REQUESTS {
            twins.step();
        }
        reopened += twins.reopened;
        notices += twins.notices;
        ended += twins.last_ended;
    }
    assert!(
        notices > 300 && ended > 500 && reopened > 100,
        "too little happened: {notices} notices, {ended} ends, {reopened} reopenings"
    );
}
