//! The Governor of the one account, and a model of it that the checks are made against.

use std::collections::BTreeMap;

use super::check::NodeId;
use engine::admission::memory::MemoryStore;
use engine::admission::{
    Admission, Funds, PLACE_LEASE, Reply, Request, SILENCE_MAX, Settlement, UNSURE_MAX,
};
use engine::ids::ExecutionId;
use engine::money::MicroUsd;
use engine::time::{Millis, Timestamp};

/// See the module.
#[derive(Debug)]
pub struct Governor {
    account: Admission<MemoryStore>,
    /// Until when a place is known to be taken.
    taken: BTreeMap<ExecutionId, Timestamp>,
    /// Until when somebody is known to stand in the line.
    line: BTreeMap<ExecutionId, Timestamp>,
    /// What executions that reserved have spent.
    spent: BTreeMap<ExecutionId, MicroUsd>,
    /// Calls that were let through, the driver that asked, and until when.
    permits: BTreeMap<Permit, (NodeId, Timestamp)>,
    /// Whether permits may have been given back that others use: it lost its memory, or a driver
    /// that was lost and its successor used the same one.
    pub forgot: bool,
}

/// What a permit is given for: the execution, the path, the worker.
pub type Permit = (ExecutionId, String, String);

/// A request for a place.
#[derive(Clone, Debug)]
pub struct Asking {
    pub limit: u32,
    pub priority: i64,
    pub waits: bool,
    pub funds: Option<Funds>,
}

impl Default for Governor {
    fn default() -> Self {
        Self::over(MemoryStore::default())
    }
}

impl Governor {
    fn over(store: MemoryStore) -> Self {
        let Ok(account) = Admission::load(store);
        Self {
            account,
            taken: BTreeMap::new(),
            line: BTreeMap::new(),
            spent: BTreeMap::new(),
            permits: BTreeMap::new(),
            forgot: false,
        }
    }

    fn ask(&mut self, now: Timestamp, request: Request) -> Reply {
        let Ok(reply) = self.account.handle(now, request);
        reply
    }

    /// Asks for a place. Too many is an error, and so is a free one that nobody may have.
    pub fn admit(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        asking: Asking,
    ) -> Result<Reply, String> {
        let Asking { limit, priority, waits, funds } = asking;
        let asked = funds.clone();
        let request = Request::Admit { id: id.clone(), limit, priority, waits, funds: asked };
        let reply = self.ask(now, request);
        let live = |of: &BTreeMap<ExecutionId, Timestamp>| {
            of.iter().filter(|(of, until)| *of != id && **until > now).count()
        };
        let (others, before) = (live(&self.taken), live(&self.line));
        self.line.remove(id);
        match &reply {
            Reply::Granted { .. } => {
                self.taken.insert(id.clone(), now.plus(PLACE_LEASE));
                if others >= limit as usize {
                    return Err(format!("{id} got a place though {others} of {limit} are taken"));
                }
                self.check_money(id, funds)?;
            }
            Reply::Refused { .. } | Reply::Waits { .. } if others + before < limit as usize => {
                return Err(format!(
                    "{id} got no place though {others} of {limit} are taken and {before} wait"
                ));
            }
            Reply::Waits { ask_again, .. } => {
                let known = ask_again.plus(SILENCE_MAX).plus(Millis::new(1));
                self.line.insert(id.clone(), now.plus(known));
            }
            Reply::Refused { .. } | Reply::Exhausted(_) => {}
            other => return Err(format!("a request for a place was answered with {other:?}")),
        }
        Ok(reply)
    }

    pub fn keep(&mut self, now: Timestamp, id: &ExecutionId) {
        self.ask(now, Request::Keep { id: id.clone(), reports: Vec::new() });
        self.taken.insert(id.clone(), now.plus(PLACE_LEASE));
    }

    /// What a driver asks about gates, or of its place.
    pub fn hear(&mut self, now: Timestamp, from: NodeId, request: Request) -> Reply {
        if let Request::Keep { id, .. } = &request {
            self.taken.insert(id.clone(), now.plus(PLACE_LEASE));
        }
        let asked = request.clone();
        let reply = self.ask(now, request);
        match (asked, &reply) {
            (Request::Pass { id, path, worker, .. }, Reply::Passed { until }) => {
                let before = self.permits.insert((id, path, worker), (from, *until));
                self.forgot |= before.is_some_and(|(of, until)| of != from && until > now);
            }
            (Request::Return { id, path, worker, .. }, _) => {
                let of = self.permits.get(&(id, path, worker));
                self.forgot |= of.is_some_and(|(of, _)| *of != from);
            }
            _ => {}
        }
        reply
    }

    /// Until when a call is let through; an error where it never was.
    pub fn permit(&self, permit: &Permit) -> Result<Timestamp, String> {
        let (id, path, worker) = permit;
        let known = self.permits.get(permit).map(|(_, until)| *until);
        known.ok_or_else(|| format!("{id}: `{worker}` is called for `{path}` without a permit"))
    }

    pub fn leave(&mut self, now: Timestamp, id: &ExecutionId) {
        self.ask(now, Request::Leave { id: id.clone(), reports: Vec::new() });
        self.taken.remove(id);
    }

    /// An execution did not begin, or nobody knows whether it did: see the shell's `withdraw`.
    pub fn withdraw(&mut self, now: Timestamp, id: &ExecutionId, certain: bool) {
        let limited = self.spent.contains_key(id);
        if limited && certain {
            self.settle(now, id, MicroUsd::ZERO);
        }
        if certain || !limited {
            self.leave(now, id);
        }
    }

    /// What an execution has spent that has ended.
    pub fn settle(&mut self, now: Timestamp, id: &ExecutionId, spent_total: MicroUsd) {
        let settlement = Settlement { id: id.clone(), spent_total, ended: true };
        self.ask(now, Request::Settle { settlements: vec![settlement] });
        if let Some(spent) = self.spent.get_mut(id) {
            *spent = spent_total.max(*spent);
        }
    }

    /// Places live in memory: a restart forgets them. Money does not.
    pub fn restart(&mut self) {
        let before = std::mem::take(self);
        let Self { account, spent, permits, .. } = before;
        *self = Self { spent, permits, forgot: true, ..Self::over(account.into_store()) };
    }

    /// When nothing goes on any more: what was spent is counted once, nothing is reserved.
    pub fn at_the_end(&mut self, now: Timestamp) -> Result<(), String> {
        let later = now.plus(UNSURE_MAX);
        let id = self.spent.keys().next().cloned();
        let Some(id) = id else { return Ok(()) };
        let funds = Funds { daily_max: Some(MicroUsd::ZERO), ..Funds::default() };
        self.ask(later, Request::Raise { id, funds });
        let totals = self.account.totals();
        let spent = self.spent.values().fold(MicroUsd::ZERO, |sum, spent| sum.plus(*spent));
        if totals.held != MicroUsd::ZERO || totals.spent_month != spent {
            return Err(format!("{spent} was spent in all, and the ledger says {totals:?}"));
        }
        Ok(())
    }

    /// All that is reserved and spent fits into the budget, as long as nobody spends more than it
    /// reserved.
    fn check_money(&mut self, id: &ExecutionId, funds: Option<Funds>) -> Result<(), String> {
        let Some(funds) = funds else { return Ok(()) };
        self.spent.entry(id.clone()).or_default();
        let totals = self.account.totals();
        let all = totals.held.plus(totals.spent_day);
        match funds.daily_max {
            Some(max) if all > max => Err(format!("{id} was let in: {totals:?} of {max}")),
            Some(_) | None => Ok(()),
        }
    }
}
