//! The ledger: what the executions of an account may spend in a day and a month, what is reserved
//! for those that have not ended, and what was spent.
//!
//! An execution reserves before it starts, settles by totals that only grow, and frees the rest at
//! its end. What is reserved counts against the day and the month that it is asked in, whenever it
//! was reserved; what was spent counts where it is settled. Money never expires: only a reservation
//! of which nothing was heard since, because its execution never began or did not go on, lapses
//! after [`UNSURE_MAX`]. Should such an execution settle after all, it is counted in full.
//!
//! Everything is in the [`Store`], and written before the answer leaves.

use std::collections::BTreeMap;

use super::calendar;
use super::protocol::{Exhausted, Funds, Period, Settlement};
use crate::ids::ExecutionId;
use crate::money::MicroUsd;
use crate::time::{Millis, Timestamp};

/// How long a reservation stands without a word of its execution having begun.
pub const UNSURE_MAX: Millis = Millis::from_secs(10 * 60);
/// How long it is known what an ended execution has spent: longer than it can be reopened (a day)
/// and then wait (7 days).
pub const SETTLED_KEPT: Millis = Millis::from_secs(10 * 24 * 3600);
/// How often old rows are looked for, and the most that are removed at once.
const PURGE_EVERY: Millis = Millis::from_secs(600);
const PURGE_MAX: usize = 500;

/// The money of one execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it has spent, as far as it is settled.
    pub spent: MicroUsd,
    /// What is reserved beyond that.
    pub held: MicroUsd,
    /// Whether the execution is known to have begun.
    pub sure: bool,
    /// When the row was last written.
    pub touched_at: Timestamp,
}

impl Row {
    /// Whether nothing of it is needed: it holds nothing, and was last written before this moment.
    pub fn is_over(&self, touched_before: Timestamp) -> bool {
        self.held == MicroUsd::ZERO && self.touched_at < touched_before
    }
}

/// The sums over all executions of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The day that is counted, from 1970-01-01.
    pub day: i64,
    /// What was settled on it.
    pub spent_day: MicroUsd,
    /// What was settled in its month.
    pub spent_month: MicroUsd,
    /// What is reserved.
    pub held: MicroUsd,
}

/// Where the ledger is kept.
pub trait Store {
    /// Why the storage could not do it.
    type Error;

    /// The sums, if any were ever written.
    fn totals(&self) -> Result<Option<Totals>, Self::Error>;
    /// The money of an execution.
    fn row(&self, id: &ExecutionId) -> Result<Option<Row>, Self::Error>;
    /// The executions that are not known to have begun, with the moment of their reservation.
    fn unsure(&self) -> Result<Vec<(ExecutionId, Timestamp)>, Self::Error>;
    /// Writes the sums and these rows together.
    fn put(&mut self, totals: &Totals, rows: &[(ExecutionId, Row)]) -> Result<(), Self::Error>;
    /// Removes rows that [are over](Row::is_over), at most `limit`.
    fn purge(&mut self, touched_before: Timestamp, limit: usize) -> Result<(), Self::Error>;
}

/// See the module.
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
    totals: Totals,
    unsure: BTreeMap<ExecutionId, Timestamp>,
    purged_at: Option<Timestamp>,
}

impl<S: Store> Ledger<S> {
    /// The ledger that `store` holds.
    pub fn load(store: S) -> Result<Self, S::Error> {
        let totals = store.totals()?.unwrap_or_default();
        let unsure = store.unsure()?.into_iter().collect();
        Ok(Self { store, totals, unsure, purged_at: None })
    }

    /// Whether an execution could reserve so much; nothing is reserved.
    pub fn fits(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        funds: &Funds,
    ) -> Result<Result<(), Exhausted>, S::Error> {
        self.roll(now);
        self.lapse(now)?;
        let row = self.store.row(id)?;
        Ok(self.room(&missing(row.as_ref(), funds), funds))
    }

    /// Reserves what an execution may spend in all, less what it has spent and holds. One that held
    /// nothing must be heard of before that is for sure. Without a limit nothing is written.
    pub fn reserve(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        funds: &Funds,
    ) -> Result<Result<(), Exhausted>, S::Error> {
        if funds.daily_max.is_none() && funds.monthly_max.is_none() {
            return Ok(Ok(()));
        }
        self.roll(now);
        self.lapse(now)?;
        let known = self.store.row(id)?;
        let more = missing(known.as_ref(), funds);
        if let Err(exhausted) = self.room(&more, funds) {
            return Ok(Err(exhausted));
        }
        let (spent, held) = known.map_or_else(Default::default, |row| (row.spent, row.held));
        if more == MicroUsd::ZERO && known.is_some() {
            return Ok(Ok(()));
        }
        let sure = known.is_some_and(|row| row.sure && row.held > MicroUsd::ZERO);
        let row = Row { spent, held: held.plus(more), sure, touched_at: now };
        self.totals.held = self.totals.held.plus(more);
        self.write(vec![(id.clone(), row)])?;
        Ok(Ok(()))
    }

    /// Notes what executions have spent. Those that reserved nothing are passed over.
    pub fn settle(&mut self, now: Timestamp, settlements: &[Settlement]) -> Result<(), S::Error> {
        self.roll(now);
        let mut rows: BTreeMap<ExecutionId, Row> = BTreeMap::new();
        for settlement in settlements {
            let known = match rows.get(&settlement.id) {
                Some(row) => Some(*row),
                None => self.store.row(&settlement.id)?,
            };
            let Some(mut row) = known else { continue };
            let spent = settlement.spent_total.minus(row.spent);
            let free = if settlement.ended { row.held } else { row.held.min(spent) };
            if row.sure && spent == MicroUsd::ZERO && free == MicroUsd::ZERO {
                continue;
            }
            row.spent = row.spent.plus(spent);
            row.held = row.held.minus(free);
            (row.sure, row.touched_at) = (true, now);
            self.totals.held = self.totals.held.minus(free);
            self.totals.spent_day = self.totals.spent_day.plus(spent);
            self.totals.spent_month = self.totals.spent_month.plus(spent);
            rows.insert(settlement.id.clone(), row);
        }
        if !rows.is_empty() {
            self.write(rows.into_iter().collect())?;
            self.purge(now)?;
        }
        Ok(())
    }

    /// Notes that an execution has begun: its reservation stands until it is settled.
    pub fn heard_of(&mut self, now: Timestamp, id: &ExecutionId) -> Result<(), S::Error> {
        if !self.unsure.contains_key(id) {
            return Ok(());
        }
        match self.store.row(id)? {
            Some(row) => self.write(vec![(id.clone(), Row { sure: true, touched_at: now, ..row })]),
            None => Ok(()),
        }
    }

    /// The sums as they stand.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Where it is kept.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Gives the store back.
    pub fn into_store(self) -> S {
        self.store
    }

    /// A new day or month begins with nothing spent. The clock may go back: a day does not.
    fn roll(&mut self, now: Timestamp) {
        let (today, counted) = (calendar::day(now), self.totals.day);
        if today > counted {
            self.totals.day = today;
            self.totals.spent_day = MicroUsd::ZERO;
            if calendar::month(today) != calendar::month(counted) {
                self.totals.spent_month = MicroUsd::ZERO;
            }
        }
    }

    /// Frees what was reserved for executions that never began.
    fn lapse(&mut self, now: Timestamp) -> Result<(), S::Error> {
        let old = self.unsure.iter().filter(|(_, since)| since.plus(UNSURE_MAX) <= now);
        let old: Vec<ExecutionId> = old.map(|(id, _)| id.clone()).collect();
        let mut rows = Vec::new();
        for id in old {
            if let Some(row) = self.store.row(&id)? {
                self.totals.held = self.totals.held.minus(row.held);
                let row = Row { held: MicroUsd::ZERO, sure: true, touched_at: now, ..row };
                rows.push((id, row));
            }
        }
        if rows.is_empty() { Ok(()) } else { self.write(rows) }
    }

    /// Whether the limits leave room for so much more. The month is looked at first: where both are
    /// exhausted, a new day would not help.
    fn room(&self, more: &MicroUsd, funds: &Funds) -> Result<(), Exhausted> {
        let totals = &self.totals;
        let emergency = funds.emergency.unwrap_or_default();
        let before_today = totals.spent_month.minus(totals.spent_day);
        let full = |period, max, spent: MicroUsd, renews_at| Exhausted {
            period,
            max,
            spent,
            reserved: totals.held,
            wanted: *more,
            renews_at,
        };
        let needs = |spent: MicroUsd| totals.held.plus(spent).plus(*more);
        if *more == MicroUsd::ZERO {
            return Ok(());
        }
        if let Some(max) = funds.monthly_max {
            // What was overdrawn on earlier days was allowed then; each day has its own emergency.
            let base = if funds.emergency.is_some() { max.max(before_today) } else { max };
            if needs(totals.spent_month) > base.plus(emergency) {
                let renews_at = calendar::next_month(calendar::month(totals.day));
                return Err(full(Period::Monthly, max, totals.spent_month, renews_at));
            }
        }
        if let Some(max) = funds.daily_max
            && needs(totals.spent_day) > max.plus(emergency)
        {
            let renews_at = calendar::next_day(totals.day);
            return Err(full(Period::Daily, max, totals.spent_day, renews_at));
        }
        Ok(())
    }

    fn write(&mut self, rows: Vec<(ExecutionId, Row)>) -> Result<(), S::Error> {
        self.store.put(&self.totals, &rows)?;
        for (id, row) in rows {
            if row.sure {
                self.unsure.remove(&id);
            } else {
                self.unsure.insert(id, row.touched_at);
            }
        }
        Ok(())
    }

    fn purge(&mut self, now: Timestamp) -> Result<(), S::Error> {
        if self.purged_at.is_some_and(|at| at.plus(PURGE_EVERY) > now) {
            return Ok(());
        }
        self.purged_at = Some(now);
        let kept_ms = i64::try_from(SETTLED_KEPT.get()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(kept_ms));
        self.store.purge(before, PURGE_MAX)
    }
}

/// What an execution must reserve beyond what it has spent and holds.
fn missing(row: Option<&Row>, funds: &Funds) -> MicroUsd {
    row.map_or(funds.reserve, |row| funds.reserve.minus(row.spent).minus(row.held))
}
