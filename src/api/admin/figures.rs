//! What the endpoints of figures have in common: whose figures a caller may see, and what only the
//! Governors of accounts know.

use engine::admission::Figures;
use engine::money::MicroUsd;
use futures::stream::{self, StreamExt};

use crate::auth::{Caller, Reach};
use crate::db::rollups::{AccountTotal, Executions, Scope};
use crate::governor;
use crate::request::RequestContext;

/// The most accounts whose Governors are asked where all accounts are meant.
pub const ACCOUNTS_ASKED_MAX: usize = 20;
/// The rows of a list that are shown where nobody says how many.
const SHOWN_DEFAULT: u32 = 50;
/// Governors that are asked at the same time: the platform allows six connections.
const ASKED_AT_ONCE: usize = 4;

/// The account that the caller's sight ends at; `None` for the operator.
pub fn confined(caller: &Caller) -> Option<&str> {
    match caller.reach() {
        Reach::Installation => None,
        Reach::Account(account) => Some(account),
    }
}

/// The account that is meant: an administrator of one account sees no other.
pub fn account_of(caller: &Caller, wanted: Option<String>) -> Option<String> {
    confined(caller).map(str::to_owned).or(wanted)
}

/// Whose figures are counted.
pub fn scope(account: Option<&str>) -> Scope<'_> {
    account.map_or(Scope::Installation, Scope::Account)
}

/// Executions that ended.
pub fn ended(row: &Executions) -> i64 {
    row.completed + row.partial + row.failed + row.cancelled
}

/// The account that is meant, or the busiest.
pub fn busiest(account: Option<&str>, by_account: Vec<AccountTotal>) -> Vec<String> {
    if let Some(account) = account {
        return vec![account.to_owned()];
    }
    let mut rows = by_account;
    rows.sort_by_key(|row| std::cmp::Reverse(row.ended()));
    rows.into_iter().take(ACCOUNTS_ASKED_MAX).map(|row| row.account_id).collect()
}

/// The part of a list that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    skip: usize,
    shown: usize,
}

impl Part {
    /// `limit` rows, [`SHOWN_DEFAULT`] where nothing is said, behind `skip`.
    pub fn of(skip: Option<u32>, limit: Option<u32>) -> Self {
        let shown = limit.unwrap_or(SHOWN_DEFAULT) as usize;
        Self { skip: skip.unwrap_or(0) as usize, shown }
    }

    /// How many rows are shown.
    pub fn shown(self) -> usize {
        self.shown
    }

    /// The rows of it, and whether more come behind them.
    pub fn cut<T>(self, rows: Vec<T>) -> (Vec<T>, bool) {
        let more = rows.len() > self.skip.saturating_add(self.shown);
        (rows.into_iter().skip(self.skip).take(self.shown).collect(), more)
    }
}

/// What the Governors of these accounts know; one that does not answer is left out.
pub async fn governed(context: &RequestContext, accounts: &[String]) -> Vec<(String, Figures)> {
    let asked = accounts.iter().map(async |account| {
        let figures = governor::figures(context.bindings(), account).await.ok()?;
        Some((account.clone(), figures))
    });
    let found: Vec<Option<(String, Figures)>> =
        stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    found.into_iter().flatten().collect()
}

/// Micro-USD of a figure as dollars.
pub fn usd(micro_usd: i64) -> f64 {
    MicroUsd::from_micros(u64::try_from(micro_usd).unwrap_or(0)).as_usd()
}

/// A count that is never below zero.
pub fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A share, or none of nothing.
pub fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_walked_part_by_part() {
        let rows = |skip, limit| Part::of(skip, limit).cut((0..5).collect::<Vec<_>>());
        assert_eq!(rows(None, Some(2)), (vec![0, 1], true));
        assert_eq!(rows(Some(2), Some(2)), (vec![2, 3], true));
        assert_eq!(rows(Some(4), Some(2)), (vec![4], false));
        assert_eq!(rows(Some(5), Some(2)), (vec![], false));
        assert_eq!(rows(Some(u32::MAX), None), (vec![], false));
        assert_eq!(rows(None, None).0.len(), 5);
    }
}
