//! What this isolate knows of the limits of accounts: how many executions of one are driven
//! together, and what they may spend.
//!
//! A change of the row is seen within [`FRESH_FOR`]. Where the database does not answer, what is
//! known stays good for [`KNOWN_FOR_MAX`]; where nothing is known, nothing starts: a limit that
//! cannot be read must not be exceeded.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use engine::admission::{Funds, KeyFunds};
use engine::money::MicroUsd;
use engine::time::{Millis, Timestamp};

use crate::db::accounts::{self, Account, Changed};
use crate::db::{Database, DbError, iso};

/// How long an account is not looked at after a look.
pub const FRESH_FOR: Millis = Millis::from_secs(60);
/// How long what is known stays good while the database does not answer.
pub const KNOWN_FOR_MAX: Millis = Millis::from_secs(600);
/// The most accounts that are kept.
const ACCOUNTS_MAX: usize = 10_000;
/// How long before an execution began its account must have had no limits for it to be certain
/// that it reserved nothing: what an isolate may have known longest, and clocks that differ.
const UNLIMITED_BEFORE: Millis = Millis::from_secs(900);

/// The limits of an account. `None` is the environment's, or no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Whether it may do nothing.
    pub suspended: bool,
    /// The most executions that are driven at the same time.
    pub executions_max: Option<u32>,
    /// The most that its executions may spend in a day (UTC).
    pub daily_max: Option<MicroUsd>,
    /// The most that they may spend in a month (UTC).
    pub monthly_max: Option<MicroUsd>,
}

impl Limits {
    fn of(account: Option<Account>) -> Self {
        let Some(account) = account else { return Self::default() };
        Self {
            suspended: account.status != "active",
            executions_max: account.max_concurrent_executions,
            daily_max: account.daily_budget_micro_usd.map(MicroUsd::from_micros),
            monthly_max: account.monthly_budget_micro_usd.map(MicroUsd::from_micros),
        }
    }

    /// Whether spending is limited.
    pub fn has_budget(&self) -> bool {
        self.daily_max.is_some() || self.monthly_max.is_some()
    }

    /// What to ask the Governor for, for an execution that may spend `reserve` in all; `emergency`
    /// is the budget by which a critical one may overdraw, `key` that of the client's key.
    pub fn funds(
        &self,
        reserve: MicroUsd,
        emergency: Option<MicroUsd>,
        key: Option<KeyFunds>,
    ) -> Option<Funds> {
        let Self { suspended: _, executions_max: _, daily_max, monthly_max } = *self;
        let funds = Funds { reserve, daily_max, monthly_max, emergency, key };
        funds.is_limited().then_some(funds)
    }
}

/// What one isolate knows. Nothing is held across an `await`.
#[derive(Debug, Default)]
pub struct AccountCache {
    known: RefCell<BTreeMap<String, (Timestamp, Limits)>>,
}

thread_local! {
    static SHARED: OnceCell<Rc<AccountCache>> = const { OnceCell::new() };
}

impl AccountCache {
    /// The cache of this isolate.
    pub fn shared() -> Rc<Self> {
        SHARED.with(|shared| Rc::clone(shared.get_or_init(Rc::default)))
    }

    /// The limits of an account.
    pub async fn limits(
        &self,
        db: &impl Database,
        account: &str,
        now: Timestamp,
    ) -> Result<Limits, DbError> {
        let known = self.known.borrow().get(account).copied();
        let good = |length: Millis| {
            let recent = |at: Timestamp| at <= now && now < at.plus(length);
            known.filter(|(at, _)| recent(*at)).map(|(_, limits)| limits)
        };
        if let Some(limits) = good(FRESH_FOR) {
            return Ok(limits);
        }
        match accounts::by_id(db, account).await {
            Ok(found) => {
                let limits = Limits::of(found);
                self.keep(account, now, limits);
                Ok(limits)
            }
            Err(error) if error.is_outage() => good(KNOWN_FOR_MAX).ok_or(error),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, account: &str, now: Timestamp, limits: Limits) {
        let mut known = self.known.borrow_mut();
        if known.len() >= ACCOUNTS_MAX {
            known.clear();
        }
        known.insert(account.to_owned(), (now, limits));
    }
}

/// Whether an execution that began at `started_at` may have reserved money of its account, as the
/// account's row reads after that moment. It has not where the row has no limits and was not
/// changed since well before.
pub fn may_have_reserved(account: Option<&Changed>, started_at: Timestamp) -> bool {
    let Some(account) = account else { return true };
    let before_ms = i64::try_from(UNLIMITED_BEFORE.get()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(started_at.as_millis().saturating_sub(before_ms));
    account.limited || account.updated_at >= iso(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(limited: bool, updated_at: &str) -> Changed {
        Changed { id: "a".to_owned(), limited, updated_at: updated_at.to_owned() }
    }

    #[test]
    fn only_an_account_that_long_had_no_limits_is_passed_over() {
        // 2026-11-21T12:00:00Z
        let started = Timestamp::from_millis(1_795_262_400_000);
        for (row, expected) in [
            (changed(false, "2026-11-21T11:44:59.999Z"), false),
            (changed(false, "2026-11-21T11:45:00.000Z"), true),
            (changed(false, "2026-11-21T12:00:01.000Z"), true),
            (changed(true, "2020-01-01T00:00:00.000Z"), true),
        ] {
            assert_eq!(may_have_reserved(Some(&row), started), expected, "{row:?}");
        }
        assert!(may_have_reserved(None, started), "nobody knows");
    }

    #[test]
    fn an_account_without_budgets_asks_for_no_money() {
        let limits = Limits { executions_max: Some(3), ..Limits::default() };
        assert_eq!(limits.funds(MicroUsd::from_micros(5), None, None), None);
        let daily_max = Some(MicroUsd::from_micros(9));
        let funds = Limits { daily_max, ..limits }.funds(MicroUsd::from_micros(5), None, None);
        let reserve = MicroUsd::from_micros(5);
        assert_eq!(funds, Some(Funds { reserve, daily_max, ..Funds::default() }));
        let key = Some(KeyFunds { id: "k".into(), daily_max, monthly_max: None });
        let funds = limits.funds(reserve, None, key.clone());
        assert_eq!(funds, Some(Funds { reserve, key, ..Funds::default() }));
    }
}
