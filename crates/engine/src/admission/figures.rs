//! What an account has in hand, for operators and its own clients.

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Places that are taken: executions that are driven.
    pub places: u32,
    /// Executions that wait for a place.
    pub waiting: u32,
    /// What was spent and is reserved, as far as the ledger counts: it does for budgets.
    pub money: Money,
    /// The gates of workers of which anything is remembered, by name.
    pub gates: Vec<GateFigures>,
}

/// What the ledger of an account says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Money {
    /// What was spent today (UTC).
    pub spent_day: MicroUsd,
    /// What was spent this month.
    pub spent_month: MicroUsd,
    /// What is reserved for executions that have not ended.
    pub held: MicroUsd,
}

/// What the gate of one worker has in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFigures {
    /// The worker.
    pub worker: String,
    /// Where its breaker stands.
    pub circuit: Circuit,
    /// Until when the breaker stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// Until when the worker wants to be left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<Timestamp>,
    /// Calls in progress that needed a permit.
    pub calls: u32,
    /// Calls that wait for one.
    pub waiting: u32,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// Every call may begin.
    #[default]
    Closed,
    /// None may.
    Open,
    /// One may, as a probe.
    HalfOpen,
}

impl Circuit {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The word in replies and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}
