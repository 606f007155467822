//! What is wrong, from when it was noticed until it was over.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which alerts are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Only of this account. An administrator of one account sees no other.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Only those that stand so; `unresolved` are the open and the acknowledged ones.
    #[param(inline, nullable = false)]
    pub status: Option<AlertFilter>,
    /// Only of this kind.
    #[param(inline, nullable = false)]
    pub kind: Option<AlertKind>,
    /// Only as bad as this.
    #[param(inline, nullable = false)]
    pub severity: Option<AlertSeverity>,
    /// Only about things of this kind.
    #[param(inline, nullable = false)]
    pub subject_type: Option<AlertSubject>,
    /// Only about the thing of this name.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub subject: Option<String>,
    /// The most alerts; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// Which alerts are wanted by how they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertFilter {
    /// Open or acknowledged.
    Unresolved,
    /// Nobody has said that they saw it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody has said that they saw it.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Slower, or succeeds less often, than before.
    Degradation,
    /// Dearer than before.
    CostSpike,
    /// A worker fails.
    WorkerFailure,
    /// Results are worse than before.
    QualityDrop,
    /// Nearly as many executions are driven as may be.
    Capacity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// What kind of thing an alert concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSubject {
    /// The installation.
    System,
    /// An account.
    Account,
    /// A worker.
    Worker,
    /// A template.
    Template,
    /// A strategy.
    Strategy,
}

/// A page of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertReply {
    /// The alerts, newest first.
    pub alerts: Vec<AlertEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertEntry {
    /// Its id.
    pub id: String,
    /// The account that it concerns; null for what concerns the installation.
    pub account: Option<String>,
    /// What it is about.
    pub kind: AlertKind,
    /// How bad it is, or was last.
    pub severity: AlertSeverity,
    /// What kind of thing it concerns.
    pub subject_type: AlertSubject,
    /// Which of them.
    pub subject: String,
    /// What is wrong, in a sentence.
    #[schema(example = "The share of attempts that failed of worker feed_fetcher is 80.0 %")]
    pub message: String,
    /// What was measured, with its unit last.
    #[schema(example = "failed_attempts_share")]
    pub metric: String,
    /// The figure when it was last found bad.
    pub observed: f64,
    /// The figure of the period before the alert was opened; null where there was none.
    pub baseline: Option<f64>,
    /// What the figure must come back to.
    pub threshold: f64,
    /// How many samples the figure is made of.
    pub samples: u64,
    /// How many samples the baseline is made of.
    pub baseline_samples: u64,
    /// How it stands.
    pub status: AlertStatus,
    /// When it was noticed.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// When somebody said that they saw it.
    #[schema(format = DateTime)]
    pub acknowledged_at: Option<String>,
    /// Who: `key:<id>` or `worker:<id>`.
    pub acknowledged_by: Option<String>,
    /// When it was over.
    #[schema(format = DateTime)]
    pub resolved_at: Option<String>,
    /// Who said so; `system` where the figures did.
    pub resolved_by: Option<String>,
    /// When its figures were last looked at.
    #[schema(format = DateTime)]
    pub updated_at: String,
}
