//! Stories of one account: who is admitted, what is spent, which calls pass.

mod figures;
mod gates;
mod keys;
mod money;
mod wire;

use super::memory::MemoryStore;
use super::*;
use crate::ids::ShardId;
use crate::money::MicroUsd;

/// 2026-11-21T12:00:00Z, a Saturday nine days before the end of its month.
const NOON_MS: i64 = 1_795_262_400_000;
const HOUR_MS: i64 = 3_600_000;
/// More places than any story takes.
const LIMIT: u32 = 100;

/// An account, and a clock that stands at so many milliseconds after noon.
struct Account {
    admission: Admission<MemoryStore>,
    ms: i64,
}

impl Account {
    fn new() -> Self {
        let Ok(admission) = Admission::load(MemoryStore::default());
        Self { admission, ms: 0 }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOON_MS + self.ms)
    }

    fn ask(&mut self, request: Request) -> Reply {
        let now = self.now();
        let Ok(reply) = self.admission.handle(now, request);
        reply
    }

    /// The Governor restarts: only what is stored is left.
    fn restarted(self) -> Self {
        let Ok(admission) = Admission::load(self.admission.into_store());
        Self { admission, ms: self.ms }
    }
}

fn id(n: u128) -> ExecutionId {
    ExecutionId::new(Timestamp::from_millis(0), ShardId(0), n)
}

fn micros(amount: u64) -> MicroUsd {
    MicroUsd::from_micros(amount)
}

fn granted() -> Reply {
    Reply::Granted { gates: Vec::new() }
}

impl Account {
    /// Asks for a place and money.
    fn start(&mut self, n: u128, funds: Funds) -> Reply {
        let funds = Some(funds);
        self.ask(Request::Admit { id: id(n), limit: LIMIT, priority: 0, waits: true, funds })
    }

    fn settle(&mut self, n: u128, spent_total: u64, ended: bool) {
        let settlement = Settlement { id: id(n), spent_total: micros(spent_total), ended };
        let reply = self.ask(Request::Settle { settlements: vec![settlement] });
        assert_eq!(reply, Reply::Settled);
    }

    fn keep(&mut self, n: u128) {
        self.ask(Request::Keep { id: id(n), reports: Vec::new() });
    }

    /// What was spent today, this month, and what is reserved.
    fn sums(&self) -> (u64, u64, u64) {
        let Totals { spent_day, spent_month, held, .. } = self.admission.totals();
        (spent_day.as_micros(), spent_month.as_micros(), held.as_micros())
    }
}

/// The limit that a refusal names.
fn exhausted(reply: Reply) -> Exhausted {
    match reply {
        Reply::Exhausted(exhausted) => exhausted,
        other => panic!("it was answered with {other:?}"),
    }
}
