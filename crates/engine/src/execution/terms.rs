//! The terms of an execution: what the request, the policy rows and the environment come to.

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;
use crate::time::Millis;

/// What an execution may do, fixed at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Label of the execution strategy, such as `quality_optimized`.
    pub strategy: String,
    /// The most steps in progress at the same time; 1 does one step after the other.
    pub parallelism: u32,
    /// Whether optional steps are left out.
    #[serde(default)]
    pub skip_optional: bool,
    /// The strategy's cap on retries of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_max: Option<u32>,
    /// The longest the execution may take.
    pub deadline: Millis,
    /// The longest an attempt may take, and its time-out where step and worker name none.
    pub attempt_timeout: Millis,
    /// The longest the execution may wait or be paused before it is given up.
    #[serde(default = "waiting_default", skip_serializing_if = "is_waiting_default")]
    pub waiting_max: Millis,
    /// Which of several workers that can do the same is asked.
    #[serde(default, skip_serializing_if = "Choice::is_declared")]
    pub choice: Choice,
    /// Whether answers to the same call may be served from earlier executions of the account.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub memo: bool,
    /// What has more passes gates first: the urgency's.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i64,
    /// The most the execution may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<MicroUsd>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            strategy: "balanced".to_owned(),
            parallelism: 8,
            skip_optional: false,
            retries_max: None,
            deadline: Millis::from_secs(150),
            attempt_timeout: Millis::from_secs(60),
            waiting_max: WAITING_DEFAULT,
            choice: Choice::Declared,
            memo: true,
            priority: 0,
            budget: None,
        }
    }
}

/// The longest that an execution waits or is paused where nothing else is said: 7 days.
pub const WAITING_DEFAULT: Millis = Millis::from_secs(7 * 24 * 3600);

/// Which of several workers that can do the same is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The one that the step names first.
    #[default]
    Declared,
    /// The one with the lowest estimated cost.
    Cheapest,
    /// The one with the lowest average response time.
    Fastest,
    /// The one with the highest quality score.
    Best,
}

impl Choice {
    fn is_declared(&self) -> bool {
        *self == Self::Declared
    }
}

fn waiting_default() -> Millis {
    WAITING_DEFAULT
}

fn is_waiting_default(length: &Millis) -> bool {
    *length == WAITING_DEFAULT
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
