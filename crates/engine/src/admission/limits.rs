//! What a budget leaves room for.

use super::calendar;
use super::ledger::Totals;
use super::protocol::{Exhausted, Period};
use crate::money::MicroUsd;

/// The most that may be spent.
pub struct Limits {
    /// In a day (UTC).
    pub daily_max: Option<MicroUsd>,
    /// In a calendar month (UTC).
    pub monthly_max: Option<MicroUsd>,
}

impl Limits {
    /// Whether they leave room for so much more; `emergency` is how far they may be overdrawn. The
    /// month is looked at first: where both are exhausted, a new day would not help.
    pub fn room(
        &self,
        totals: &Totals,
        more: MicroUsd,
        emergency: Option<MicroUsd>,
    ) -> Result<(), Exhausted> {
        let overdraws = emergency.is_some();
        let emergency = emergency.unwrap_or_default();
        let before_today = totals.spent_month.minus(totals.spent_day);
        let full = |period, max, spent: MicroUsd, renews_at| Exhausted {
            period,
            max,
            spent,
            reserved: totals.held,
            wanted: more,
            renews_at,
            of_key: false,
        };
        let needs = |spent: MicroUsd| totals.held.plus(spent).plus(more);
        if let Some(max) = self.monthly_max {
            // What was overdrawn on earlier days was allowed then; each day has its own emergency.
            let base = if overdraws { max.max(before_today) } else { max };
            if needs(totals.spent_month) > base.plus(emergency) {
                let renews_at = calendar::next_month(calendar::month(totals.day));
                return Err(full(Period::Monthly, max, totals.spent_month, renews_at));
            }
        }
        if let Some(max) = self.daily_max
            && needs(totals.spent_day) > max.plus(emergency)
        {
            let renews_at = calendar::next_day(totals.day);
            return Err(full(Period::Daily, max, totals.spent_day, renews_at));
        }
        Ok(())
    }
}
