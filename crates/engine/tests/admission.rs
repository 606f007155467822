//! What holds for every account, in whatever order its executions, drivers and shards ask: money,
//! places, permits, rates and probes keep their limits. The model here knows nothing but what was
//! asked and answered.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod keys;

use std::collections::{BTreeMap, VecDeque};

use engine::admission::memory::MemoryStore;
use engine::admission::{
    Admission, Funds, PLACE_LEASE, Reply, Report, Request, Settlement, UNSURE_MAX,
};
use engine::ids::{ExecutionId, ShardId};
use engine::money::MicroUsd;
use engine::plan::{BreakerPolicy, Gate};
use engine::time::{Millis, Timestamp};
use keys::{key_at, key_of};
use proptest::prelude::*;
use proptest::test_runner::Config;

/// An hour before the end of 2026-11-30: days and months change on the way.
const START_MS: i64 = 1_796_079_600_000;
const EXECUTIONS: u8 = 12;
const PLACES_MAX: u32 = 3;
const DAILY_MAX: u64 = 100;
const MONTHLY_MAX: u64 = 150;
const EMERGENCY: u64 = 40;

fn config() -> Config {
    Config { cases: 512, failure_persistence: None, ..Config::default() }
}

/// What happens next, after so many milliseconds.
#[derive(Clone, Debug)]
enum Move {
    Start {
        n: u8,
        reserve: u64,
        priority: i64,
        waits: bool,
        critical: bool,
    },
    Keep(u8),
    Leave(u8),
    /// Spends a share of what it reserved, in percent.
    Settle {
        n: u8,
        percent: u64,
        ended: bool,
    },
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<(i64, Move)>> {
    let n = 0..EXECUTIONS;
    let start = (n.clone(), 0..80_u64, 0..3_i64, any::<bool>(), any::<bool>()).prop_map(
        |(n, reserve, priority, waits, critical)| Move::Start {
            n,
            reserve,
            priority,
            waits,
            critical,
        },
    );
    let settle = (n.clone(), 0..=100_u64, any::<bool>())
        .prop_map(|(n, percent, ended)| Move::Settle { n, percent, ended });
    let one = prop_oneof![
        6 => start,
        2 => n.clone().prop_map(Move::Keep),
        2 => n.prop_map(Move::Leave),
        5 => settle,
        1 => Just(Move::Restart),
    ];
    let pause = prop_oneof![6 => 0..500_i64, 2 => 0..40_000_i64, 1 => 0..7_200_000_i64];
    prop::collection::vec((pause, one), 1..120)
}

/// The money of one execution as those know it who asked.
#[derive(Clone, Copy, Default)]
struct Known {
    reserved: u64,
    spent: u64,
    held: u64,
    ended: bool,
    /// Since when nothing was heard of it, while it may lapse.
    unsure_since: Option<i64>,
}

struct Account {
    admission: Admission<MemoryStore>,
    ms: i64,
    money: BTreeMap<u8, Known>,
    /// What was settled today and this month, by the clock of the test.
    day: (i64, u64),
    month: u64,
    of_keys: [(u64, u64); keys::KEYS.len()],
    taken: BTreeMap<u8, i64>,
}

impl Account {
    fn new() -> Self {
        let Ok(admission) = Admission::load(MemoryStore::default());
        Self {
            admission,
            ms: START_MS,
            money: BTreeMap::new(),
            day: (START_MS / 86_400_000, 0),
            month: 0,
            of_keys: Default::default(),
            taken: BTreeMap::new(),
        }
    }

    fn ask(&mut self, request: Request) -> Reply {
        let Ok(reply) = self.admission.handle(at(self.ms), request);
        reply
    }

    fn pass_time(&mut self, ms: i64) {
        self.ms += ms;
        let today = self.ms / 86_400_000;
        if today > self.day.0 {
            // The only month that ends within the hours of a case ends with the first day.
            let month_ends = self.day.0 == START_MS / 86_400_000;
            self.month = if month_ends { 0 } else { self.month };
            for (day, month) in &mut self.of_keys {
                (*day, *month) = (0, if month_ends { 0 } else { *month });
            }
            self.day = (today, 0);
        }
    }

    fn make(&mut self, one: &Move) {
        match *one {
            Move::Start { n, reserve, priority, waits, critical } => {
                self.start(n, reserve, (priority, waits, critical));
            }
            Move::Keep(n) => {
                if self.taken.contains_key(&n) {
                    self.ask(Request::Keep { id: id(n), reports: Vec::new() });
                    self.taken.insert(n, self.ms);
                    self.heard_of(n);
                }
            }
            Move::Leave(n) => {
                self.ask(Request::Leave { id: id(n), reports: Vec::new() });
                self.taken.remove(&n);
                self.heard_of(n);
            }
            Move::Settle { n, percent, ended } => self.settle(n, percent, ended),
            Move::Restart => {
                let Ok(fresh) = Admission::load(MemoryStore::default());
                let store = std::mem::replace(&mut self.admission, fresh).into_store();
                let Ok(loaded) = Admission::load(store);
                self.admission = loaded;
                self.taken.clear();
            }
        }
    }

    fn start(&mut self, n: u8, reserve: u64, (priority, waits, critical): (i64, bool, bool)) {
        if self.money.contains_key(&n) {
            return;
        }
        let funds = Funds {
            reserve: micros(reserve),
            daily_max: Some(micros(DAILY_MAX)),
            monthly_max: Some(micros(MONTHLY_MAX)),
            emergency: critical.then(|| micros(EMERGENCY)),
            key: key_of(n),
        };
        let funds = Some(funds);
        let request = Request::Admit { id: id(n), limit: PLACES_MAX, priority, waits, funds };
        let reply = self.ask(request);
        self.lapse();
        let lease_ms = i64::try_from(PLACE_LEASE.get()).unwrap();
        let taken = self.taken.values().filter(|since| **since + lease_ms > self.ms).count();
        match reply {
            Reply::Granted { .. } => {
                assert!(taken < PLACES_MAX as usize, "{taken} places are taken");
                self.taken.insert(n, self.ms);
                let unsure_since = Some(self.ms);
                let (reserved, held) = (reserve, reserve);
                self.money.insert(n, Known { reserved, held, unsure_since, ..Known::default() });
                if reserve > 0 {
                    self.check_money(critical);
                    self.check_key(n);
                }
            }
            Reply::Exhausted(full) => {
                let needed = full.spent.plus(full.reserved).plus(full.wanted);
                assert!(needed > full.max, "{full:?}");
                assert!(!full.of_key || key_at(n).is_some(), "{full:?}");
                assert!(full.renews_at > at(self.ms));
            }
            Reply::Waits { .. } => assert!(waits),
            Reply::Refused { .. } => assert!(!waits),
            other => panic!("a start was answered with {other:?}"),
        }
    }

    fn settle(&mut self, n: u8, percent: u64, ended: bool) {
        let Some(known) = self.money.get_mut(&n) else { return };
        let total = (known.reserved * percent / 100).max(known.spent);
        let more = total - known.spent;
        if known.ended && more > 0 {
            return;
        }
        known.spent = total;
        known.held = if ended { 0 } else { known.held.saturating_sub(more) };
        known.ended |= ended;
        known.unsure_since = None;
        self.day.1 += more;
        self.month += more;
        if let Some(at) = key_at(n) {
            let (day, month) = &mut self.of_keys[at];
            (*day, *month) = (*day + more, *month + more);
        }
        let settlement = Settlement { id: id(n), spent_total: micros(total), ended };
        let twice = vec![settlement.clone(), settlement];
        self.ask(Request::Settle { settlements: twice });
        let totals = self.admission.totals();
        assert_eq!(totals.spent_day, micros(self.day.1));
        assert_eq!(totals.spent_month, micros(self.month));
    }

    fn heard_of(&mut self, n: u8) {
        if let Some(known) = self.money.get_mut(&n) {
            known.unsure_since = None;
        }
    }

    /// What was reserved for executions of which nothing was heard is free again.
    fn lapse(&mut self) {
        let lapse_ms = i64::try_from(UNSURE_MAX.get()).unwrap();
        for known in self.money.values_mut() {
            if known.unsure_since.is_some_and(|since| since + lapse_ms <= self.ms) {
                (known.held, known.unsure_since) = (0, None);
            }
        }
    }

    fn check_key(&self, n: u8) {
        let Some(at) = key_at(n) else { return };
        let of_key = self.money.iter().filter(|(n, _)| key_at(**n) == Some(at));
        let held: u64 = of_key.map(|(_, known)| known.held).sum();
        let Ok(totals) = self.admission.key_totals(crate::at(self.ms), keys::KEYS[at]);
        keys::check(&totals, self.of_keys[at], held);
    }

    /// All that may still be spent, and was, is within the limits, whoever it was promised to.
    fn check_money(&self, critical: bool) {
        let held: u64 = self.money.values().map(|known| known.held).sum();
        assert_eq!(self.admission.totals().held, micros(held));
        let emergency = if critical { EMERGENCY } else { 0 };
        assert!(held + self.day.1 <= DAILY_MAX + emergency, "{held} and {}", self.day.1);
        let before = if critical { self.month - self.day.1 } else { 0 };
        let month_max = MONTHLY_MAX.max(before) + emergency;
        assert!(held + self.month <= month_max, "{held} and {} of {month_max}", self.month);
    }
}

/// What happens at a gate next, after so many milliseconds.
#[derive(Clone, Debug)]
enum Knock {
    Pass {
        n: u8,
        priority: i64,
        lasts_ms: i64,
    },
    /// The call is over; it failed or not, or nobody knows.
    Return {
        n: u8,
        failed: Option<bool>,
    },
    /// A call that began without asking fails or not.
    Stray {
        n: u8,
        failed: bool,
    },
}

fn knocks() -> impl Strategy<Value = Vec<(i64, Knock)>> {
    let n = 0..EXECUTIONS;
    let one = prop_oneof![
        5 => (n.clone(), 0..3_i64, 1_000..30_000_i64)
            .prop_map(|(n, priority, lasts_ms)| Knock::Pass { n, priority, lasts_ms }),
        4 => (n.clone(), any::<Option<bool>>()).prop_map(|(n, failed)| Knock::Return { n, failed }),
        1 => (n, any::<bool>()).prop_map(|(n, failed)| Knock::Stray { n, failed }),
    ];
    let pause = prop_oneof![6 => 0..300_i64, 2 => 0..3_000_i64, 1 => 0..30_000_i64];
    prop::collection::vec((pause, one), 1..150)
}

fn policy() -> impl Strategy<Value = Gate> {
    let breaker = BreakerPolicy { failures: 2, failure_rate: 0.5, window: 6, open_ms: 2_000 };
    (prop::option::of(1..4_u32), prop::option::of(1..8_u32)).prop_map(move |(most, rate)| Gate {
        concurrency_max: most,
        per_minute_max: rate,
        breaker,
    })
}

/// A gate as those know it who asked at it.
#[derive(Default)]
struct Seen {
    permits: BTreeMap<u8, i64>,
    begun: VecDeque<i64>,
    /// Whether the breaker is not closed, and whose call probes, until when.
    barred: bool,
    probe: Option<(u8, i64)>,
}

fn knock(account: &mut Account, gate: &Gate, seen: &mut Seen, one: &Knock) {
    let ms = account.ms;
    seen.permits.retain(|_, until| *until > ms);
    let report = |failed: bool| Report {
        worker: "w".to_owned(),
        breaker: gate.breaker,
        succeeded: u32::from(!failed),
        failed: u32::from(failed),
        failed_last_in_row: u32::from(failed),
        cooldown_until: None,
    };
    let reply = match *one {
        Knock::Pass { n, priority, lasts_ms } => {
            let (path, worker, gate) = ("s".to_owned(), "w".to_owned(), gate.clone());
            let until = at(ms + lasts_ms);
            account.ask(Request::Pass { id: id(n), path, worker, gate, priority, until })
        }
        Knock::Return { n, failed } => {
            seen.permits.remove(&n);
            seen.probe = seen.probe.filter(|(of, _)| *of != n);
            let reports = failed.map(report).into_iter().collect();
            let (path, worker) = ("s".to_owned(), "w".to_owned());
            account.ask(Request::Return { id: id(n), path, worker, reports })
        }
        Knock::Stray { n, failed } => {
            // The prober's word decides, wherever it comes from.
            seen.probe = seen.probe.filter(|(of, _)| *of != n);
            account.ask(Request::Report { id: id(n), reports: vec![report(failed)] })
        }
    };
    match (one, reply) {
        (Knock::Pass { n, lasts_ms, .. }, Reply::Passed { .. }) => {
            let others = seen.permits.keys().filter(|of| *of != n).count();
            let most = gate.concurrency_max.map_or(usize::MAX, |most| most as usize);
            assert!(others < most, "{others} calls are in progress");
            seen.begun.push_back(ms);
            seen.begun.retain(|begun| *begun > ms - 60_000);
            let rate = gate.per_minute_max.map_or(usize::MAX, |rate| rate as usize);
            assert!(seen.begun.len() <= rate, "{:?} begun", seen.begun);
            if seen.barred {
                let other = seen.probe.filter(|(of, until)| of != n && *until > ms);
                assert_eq!(other, None, "two probe");
                seen.probe = Some((*n, ms + lasts_ms));
            }
            seen.permits.insert(*n, ms + lasts_ms);
        }
        (Knock::Pass { .. }, Reply::Held { ask_again, .. }) => assert!(ask_again > Millis::ZERO),
        (_, Reply::Noted { gates }) => seen.barred = !gates.is_empty(),
        (one, reply) => panic!("{one:?} was answered with {reply:?}"),
    }
}

fn id(n: u8) -> ExecutionId {
    ExecutionId::new(at(0), ShardId(0), n.into())
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn micros(amount: u64) -> MicroUsd {
    MicroUsd::from_micros(amount)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn money_and_places_keep_their_limits(moves in moves()) {
        let mut account = Account::new();
        for (pause_ms, one) in &moves {
            account.pass_time(*pause_ms);
            account.make(one);
        }
    }

    #[test]
    fn gates_keep_theirs(gate in policy(), knocks in knocks()) {
        let mut account = Account::new();
        let mut seen = Seen::default();
        for (pause_ms, one) in &knocks {
            account.pass_time(*pause_ms);
            knock(&mut account, &gate, &mut seen, one);
        }
    }
}
