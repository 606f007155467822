//! What an execution starts from, and the figures that it ends with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Terms;
use crate::ids::ExecutionId;
use crate::plan::definition::TemplateDefinition;
use crate::time::Timestamp;

/// What an execution starts from. Nothing that is published later alters it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The version of the journal format.
    pub format: u32,
    /// The execution.
    pub id: ExecutionId,
    /// The tenant that it belongs to.
    pub account: String,
    /// The key that it was started with, or the first of its line where that was rotated: what it
    /// spends counts against the key's budget. None for a start without an issued key, and for a
    /// sub-execution, which spends what its parent reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who asked for it, as far as approvals must know: nobody known for what older builds started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initiators: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// The template's revision number.
    pub revision: u64,
    /// SHA-256 of the definition, in hex: compiled plans are kept by it.
    pub content_hash: String,
    /// The template with the workers that it names, as they were.
    pub definition: Arc<TemplateDefinition>,
    /// The request's parameters: `request` in expressions.
    pub request: Value,
    /// What the execution may do.
    pub terms: Terms,
    /// W3C trace context that calls continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The step of another execution that began this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// The execution that this one does again, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_from: Option<ExecutionId>,
}

/// The step of another execution that began this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The execution.
    pub id: ExecutionId,
    /// The step's path.
    pub step: String,
    /// How many executions stand above this one.
    pub depth: u32,
}

/// The figures of an execution that its reply shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Size of `data.sources`.
    pub sources_discovered: u64,
    /// Size of `data.articles`.
    pub articles_processed: u64,
    /// The final quality score, 0 to 1: the mean of the scores that steps report about their own
    /// output (`quality_score`, else `avg_quality_score`, at the top level), times the share of
    /// steps that succeeded among those that were not left out by condition or strategy. `None`
    /// when no step reports a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
}
