//! Money as integer micro-USD: one millionth of a dollar, so that sums are exact.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of money in micro-USD. It never goes below zero.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(u64);

/// The largest amount taken from outside: a million dollars. Sums of many stay far below `u64`,
/// and below 2^53, the largest integer that D1 keeps exactly.
pub const USD_MAX: f64 = 1_000_000.0;

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in micro-USD.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The amount in micro-USD.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Dollars as a decimal number, rounded up to the next micro-USD so that a cost is never
    /// understated; `None` for what is no amount (negative, not finite, above [`USD_MAX`]).
    pub fn from_usd(usd: f64) -> Option<Self> {
        if !usd.is_finite() || !(0.0..=USD_MAX).contains(&usd) {
            return None;
        }
        let micros = usd * 1_000_000.0;
        // A decimal such as 0.07 is a hair off in binary; only a real remainder rounds up.
        let nearest = micros.round();
        let exact = (micros - nearest).abs() < 1e-6 * micros.max(1.0);
        Some(Self(if exact { nearest } else { micros.ceil() } as u64))
    }

    /// The amount in dollars, for people and replies.
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }

    /// The sum, at most `u64::MAX`.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The amount taken `n` times.
    #[must_use]
    pub const fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.as_usd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_become_micros_without_drift() {
        for (usd, micros) in [(0.0, 0), (0.07, 70_000), (0.02, 20_000), (1.0, 1_000_000)] {
            assert_eq!(MicroUsd::from_usd(usd), Some(MicroUsd(micros)));
        }
        assert_eq!(MicroUsd::from_usd(0.000_000_1), Some(MicroUsd(1)), "rounded up");
        for bad in [-0.01, f64::NAN, f64::INFINITY, USD_MAX * 2.0] {
            assert_eq!(MicroUsd::from_usd(bad), None);
        }
    }
}
