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
