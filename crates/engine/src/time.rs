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
