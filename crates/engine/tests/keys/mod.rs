//! Two of three executions are of one of two keys, which may spend less than the account.

use engine::admission::{KeyFunds, Totals};
use engine::money::MicroUsd;

pub const KEYS: [&str; 2] = ["a", "b"];
const DAILY_MAX: u64 = 60;
const MONTHLY_MAX: u64 = 90;

/// Which key an execution is of.
pub fn key_at(n: u8) -> Option<usize> {
    usize::from(n % 3).checked_sub(1)
}

/// Its budget.
pub fn key_of(n: u8) -> Option<KeyFunds> {
    key_at(n).map(|at| KeyFunds {
        id: KEYS[at].to_owned(),
        daily_max: Some(micros(DAILY_MAX)),
        monthly_max: Some(micros(MONTHLY_MAX)),
    })
}

/// The sums of a key are those that its executions add up to, and within its limits.
pub fn check(totals: &Totals, (day, month): (u64, u64), held: u64) {
    let sums = (totals.spent_day, totals.spent_month, totals.held);
    assert_eq!(sums, (micros(day), micros(month), micros(held)));
    assert!(held + day <= DAILY_MAX, "{held} and {day} of the day");
    assert!(held + month <= MONTHLY_MAX, "{held} and {month} of the month");
}

fn micros(amount: u64) -> MicroUsd {
    MicroUsd::from_micros(amount)
}
