//! Moments and durations. The engine has no clock: `now` is always an argument.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment in Unix milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A length of time in milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(u64);

impl Timestamp {
    /// A moment from Unix milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// The moment in Unix milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `length` later.
    #[must_use]
    pub const fn plus(self, length: Millis) -> Self {
        let ms = if length.0 > i64::MAX as u64 { i64::MAX } else { length.0 as i64 };
        Self(self.0.saturating_add(ms))
    }

    /// How long after `earlier` this moment is; zero when the clock went back.
    pub const fn since(self, earlier: Self) -> Millis {
        let gap = self.0.saturating_sub(earlier.0);
        Millis(if gap > 0 { gap as u64 } else { 0 })
    }
}

impl Millis {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// A length in milliseconds.
    pub const fn new(ms: u64) -> Self {
        Self(ms)
    }

    /// A length in seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The length in milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The rest after `other` is taken away; at least zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The day of a date of the proleptic Gregorian calendar; 1970-01-01 is 0. After Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`: the year is taken to begin in
/// March, so that the leap day is its last.
pub(crate) fn days_from_civil(year: i64, month: i64, of_month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + of_month - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}
