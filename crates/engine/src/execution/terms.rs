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
    /// The most the execution may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<MicroUsd>,
}
