//! The ledger: what the executions of an account may spend in a day and a month, what is reserved
//! for those that have not ended, and what was spent.
//!
//! An execution reserves before it starts, settles by totals that only grow, and frees the rest at
//! its end. What is reserved counts against the day and the month that it is asked in, whenever it
//! was reserved; what was spent counts where it is settled. Money never expires: only a reservation
//! of which nothing was heard since, because its execution never began or did not go on, lapses
//! after [`UNSURE_MAX`]. Should such an execution settle after all, it is counted in full.
//!
//! A client's key may have a budget of its own. What its executions reserve and spend counts
//! against it as well; it is the key that they reserved under, whoever goes on with them. What is
//! reserved under a key is not stored but summed up from the rows, so that older code, which knows
//! of no keys, leaves nothing behind that would count for ever.
//!
//! Everything is in the [`Store`], and written before the answer leaves.

use std::collections::BTreeMap;

use super::calendar;
use super::limits::Limits;
use super::protocol::{Exhausted, Funds, Settlement};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it has spent, as far as it is settled.
    pub spent: MicroUsd,
    /// What is reserved beyond that.
    pub held: MicroUsd,
    /// Whether the execution is known to have begun.
    pub sure: bool,
    /// When the row was last written.
    pub touched_at: Timestamp,
    /// The key whose budget it counts against, if that has one.
    pub key: Option<String>,
}

impl Row {
    /// Whether nothing of it is needed: it holds nothing, and was last written before this moment.
    pub fn is_over(&self, touched_before: Timestamp) -> bool {
        self.held == MicroUsd::ZERO && self.touched_at < touched_before
    }
}

/// The sums over all executions of the account, or of one key.
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

impl Totals {
    /// A new day or month begins with nothing spent. The clock may go back: a day does not.
    fn roll(&mut self, now: Timestamp) {
        let (today, counted) = (calendar::day(now), self.day);
        if today > counted {
            self.day = today;
            self.spent_day = MicroUsd::ZERO;
            if calendar::month(today) != calendar::month(counted) {
                self.spent_month = MicroUsd::ZERO;
            }
        }
    }

    /// An execution has spent more, and holds something else.
    fn count(&mut self, spent: MicroUsd, held_before: MicroUsd, held: MicroUsd) {
        self.held = self.held.minus(held_before).plus(held);
        self.spent_day = self.spent_day.plus(spent);
        self.spent_month = self.spent_month.plus(spent);
    }
}

/// What is written together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The executions whose money changed.
    pub rows: BTreeMap<ExecutionId, Row>,
    /// The sums of the keys that they count against; what these hold need not be kept.
    pub keys: BTreeMap<String, Totals>,
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
    /// What the executions of a key have spent, if anything was ever counted. What they hold is
    /// not asked for here.
    fn key(&self, key: &str) -> Result<Option<Totals>, Self::Error>;
    /// What executions hold under each key.
    fn held_by_keys(&self) -> Result<Vec<(String, MicroUsd)>, Self::Error>;
    /// Writes the sums and the change together.
    fn put(&mut self, totals: &Totals, change: &Change) -> Result<(), Self::Error>;
    /// Removes rows that [are over](Row::is_over), at most `limit`.
    fn purge(&mut self, touched_before: Timestamp, limit: usize) -> Result<(), Self::Error>;
}

/// See the module.
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
    totals: Totals,
    held_by_key: BTreeMap<String, MicroUsd>,
    unsure: BTreeMap<ExecutionId, Timestamp>,
    purged_at: Option<Timestamp>,
}

impl<S: Store> Ledger<S> {
    /// The ledger that `store` holds.
    pub fn load(store: S) -> Result<Self, S::Error> {
        let totals = store.totals()?.unwrap_or_default();
        let unsure = store.unsure()?.into_iter().collect();
        let held_by_key = store.held_by_keys()?.into_iter().collect();
        Ok(Self { store, totals, held_by_key, unsure, purged_at: None })
    }

    /// Whether an execution could reserve so much; nothing is reserved.
    pub fn fits(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        funds: &Funds,
    ) -> Result<Result<(), Exhausted>, S::Error> {
        self.totals.roll(now);
        self.lapse(now)?;
        let row = self.store.row(id)?;
        self.room(now, row.as_ref(), funds)
    }

    /// Reserves what an execution may spend in all, less what it has spent and holds. One that held
    /// nothing must be heard of before that is for sure. Without a limit nothing is written.
    pub fn reserve(
        &mut self,
        now: Timestamp,
        id: &ExecutionId,
        funds: &Funds,
    ) -> Result<Result<(), Exhausted>, S::Error> {
        if !funds.is_limited() {
            return Ok(Ok(()));
        }
        self.totals.roll(now);
        self.lapse(now)?;
        let known = self.store.row(id)?;
        if let Err(exhausted) = self.room(now, known.as_ref(), funds)? {
            return Ok(Err(exhausted));
        }
        let more = missing(known.as_ref(), funds);
        if more == MicroUsd::ZERO && known.is_some() {
            return Ok(Ok(()));
        }
        let (spent, held) =
            known.as_ref().map_or_else(Default::default, |row| (row.spent, row.held));
        let sure = known.as_ref().is_some_and(|row| row.sure && row.held > MicroUsd::ZERO);
        let key = charged(known.as_ref(), funds).map(str::to_owned);
        let row = Row { spent, held: held.plus(more), sure, touched_at: now, key };
        let mut change = Change::default();
        self.post(now, &mut change, (id, known.as_ref()), row)?;
        self.write(change)?;
        Ok(Ok(()))
    }

    /// Notes what executions have spent. Those that reserved nothing are passed over.
    pub fn settle(&mut self, now: Timestamp, settlements: &[Settlement]) -> Result<(), S::Error> {
        self.totals.roll(now);
        let mut change = Change::default();
        for Settlement { id, spent_total, ended } in settlements {
            let known = match change.rows.get(id) {
                Some(row) => Some(row.clone()),
                None => self.store.row(id)?,
            };
            let Some(was) = known else { continue };
            let spent = spent_total.minus(was.spent);
            let free = if *ended { was.held } else { was.held.min(spent) };
            if was.sure && spent == MicroUsd::ZERO && free == MicroUsd::ZERO {
                continue;
            }
            let row = Row {
                spent: was.spent.plus(spent),
                held: was.held.minus(free),
                sure: true,
                touched_at: now,
                key: was.key.clone(),
            };
            self.post(now, &mut change, (id, Some(&was)), row)?;
        }
        if !change.rows.is_empty() {
            self.write(change)?;
            self.purge(now)?;
        }
        Ok(())
    }

    /// Notes that an execution has begun: its reservation stands until it is settled.
    pub fn heard_of(&mut self, now: Timestamp, id: &ExecutionId) -> Result<(), S::Error> {
        if !self.unsure.contains_key(id) {
            return Ok(());
        }
        let Some(row) = self.store.row(id)? else { return Ok(()) };
        let rows = BTreeMap::from([(id.clone(), Row { sure: true, touched_at: now, ..row })]);
        self.write(Change { rows, ..Change::default() })
    }

    /// The sums as they stand now: a new day begins with nothing spent.
    pub fn standing(&self, now: Timestamp) -> Totals {
        let mut totals = self.totals;
        totals.roll(now);
        totals
    }

    /// The sums as they stand.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The sums of a key.
    pub fn key_totals(&self, now: Timestamp, key: &str) -> Result<Totals, S::Error> {
        let mut totals = self.store.key(key)?.unwrap_or_default();
        totals.roll(now);
        totals.held = self.held_by_key.get(key).copied().unwrap_or_default();
        Ok(totals)
    }

    /// Where it is kept.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Gives the store back.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Frees what was reserved for executions that never began.
    fn lapse(&mut self, now: Timestamp) -> Result<(), S::Error> {
        let old = self.unsure.iter().filter(|(_, since)| since.plus(UNSURE_MAX) <= now);
        let old: Vec<ExecutionId> = old.map(|(id, _)| id.clone()).collect();
        let mut change = Change::default();
        for id in old {
            if let Some(was) = self.store.row(&id)? {
                let row = Row { held: MicroUsd::ZERO, sure: true, touched_at: now, ..was.clone() };
                self.post(now, &mut change, (&id, Some(&was)), row)?;
            }
        }
        if change.rows.is_empty() { Ok(()) } else { self.write(change) }
    }

    /// Whether the limits leave room for what an execution needs beyond what it has: those of the
    /// account, and then those of its key.
    fn room(
        &self,
        now: Timestamp,
        row: Option<&Row>,
        funds: &Funds,
    ) -> Result<Result<(), Exhausted>, S::Error> {
        let more = missing(row, funds);
        if more == MicroUsd::ZERO {
            return Ok(Ok(()));
        }
        let Funds { reserve: _, daily_max, monthly_max, emergency, key } = funds;
        let limits = Limits { daily_max: *daily_max, monthly_max: *monthly_max };
        if let Err(exhausted) = limits.room(&self.totals, more, *emergency) {
            return Ok(Err(exhausted));
        }
        let Some(key) = key.as_ref().filter(|key| charged(row, funds) == Some(key.id.as_str()))
        else {
            return Ok(Ok(()));
        };
        let limits = Limits { daily_max: key.daily_max, monthly_max: key.monthly_max };
        let room = limits.room(&self.key_totals(now, &key.id)?, more, None);
        Ok(room.map_err(|exhausted| Exhausted { of_key: true, ..exhausted }))
    }

    /// Counts what becomes of the money of one execution: with the account, and with its key.
    fn post(
        &mut self,
        now: Timestamp,
        change: &mut Change,
        (id, was): (&ExecutionId, Option<&Row>),
        row: Row,
    ) -> Result<(), S::Error> {
        let (spent, held) = was.map_or_else(Default::default, |was| (was.spent, was.held));
        let spent = row.spent.minus(spent);
        self.totals.count(spent, held, row.held);
        if let Some(key) = &row.key {
            let known = match change.keys.get(key) {
                Some(totals) => *totals,
                None => self.key_totals(now, key)?,
            };
            // Nothing is held where the key is another one than before: see `charged`.
            let held =
                if was.is_some_and(|was| was.key == row.key) { held } else { MicroUsd::ZERO };
            let mut totals = known;
            totals.count(spent, held, row.held);
            change.keys.insert(key.clone(), totals);
        }
        change.rows.insert(id.clone(), row);
        Ok(())
    }

    fn write(&mut self, change: Change) -> Result<(), S::Error> {
        self.store.put(&self.totals, &change)?;
        let Change { rows, keys } = change;
        for (id, row) in rows {
            if row.sure {
                self.unsure.remove(&id);
            } else {
                self.unsure.insert(id, row.touched_at);
            }
        }
        self.held_by_key.extend(keys.into_iter().map(|(key, totals)| (key, totals.held)));
        self.held_by_key.retain(|_, held| *held > MicroUsd::ZERO);
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

/// The key that an execution counts against: the one that it holds money under; it may be another
/// one only while it holds nothing.
fn charged<'a>(row: Option<&'a Row>, funds: &'a Funds) -> Option<&'a str> {
    let known = row.and_then(|row| row.key.as_deref());
    if row.is_some_and(|row| row.held > MicroUsd::ZERO) {
        return known;
    }
    funds.key.as_ref().filter(|key| key.is_limited()).map(|key| key.id.as_str()).or(known)
}

/// What an execution must reserve beyond what it has spent and holds.
fn missing(row: Option<&Row>, funds: &Funds) -> MicroUsd {
    row.map_or(funds.reserve, |row| funds.reserve.minus(row.spent).minus(row.held))
}
