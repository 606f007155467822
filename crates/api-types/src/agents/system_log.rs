//! What the programs around agents log.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// How much an entry matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// For whoever looks for a defect.
    Debug,
    /// What goes as it should.
    #[default]
    Info,
    /// What may become an error.
    Warning,
    /// What went wrong.
    Error,
}

/// An entry of the system log. It is never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemLog {
    /// Its id: the sender's, or one that was given to it.
    #[schema(example = "0193a1f2-8c44-7d10-9a5e-3f1b2c4d5e71")]
    pub id: String,
    /// Its number in the order of arrival.
    pub seq: u64,
    /// The program's file.
    pub file_path: Option<String>,
    /// The piece of developer work (ADW).
    pub adw_id: Option<String>,
    /// The step there.
    pub adw_step: Option<String>,
    /// How much it matters.
    pub level: LogLevel,
    /// What happened.
    pub message: String,
    /// It in a few words.
    pub summary: Option<String>,
    /// Whatever belongs to it besides.
    pub metadata: Map<String, Value>,
    /// When it was, by the sender's clock.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// When it arrived.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// An entry to append.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "level": "ERROR", "message": "the feed answered 500",
    "file_path": "feeds.py"
}))]
pub struct NewSystemLog {
    /// Its id; what is sent again under the same id is there once. Left out, it gets one.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    pub id: Option<String>,
    /// The program's file.
    #[schema(max_length = 1000)]
    pub file_path: Option<String>,
    /// The piece of developer work (ADW).
    #[schema(max_length = 200)]
    pub adw_id: Option<String>,
    /// The step there.
    #[schema(max_length = 200)]
    pub adw_step: Option<String>,
    /// How much it matters.
    pub level: LogLevel,
    /// What happened.
    #[schema(min_length = 1, max_length = 500000)]
    pub message: String,
    /// It in a few words; it may be added later.
    #[schema(max_length = 4000)]
    pub summary: Option<String>,
    /// Whatever belongs to it besides.
    pub metadata: Option<Map<String, Value>>,
    /// When it was (RFC 3339); left out, now.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
}

/// Entries to append, all or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemLogBatch {
    /// The entries, in their order.
    #[schema(min_items = 1, max_items = 1000)]
    pub entries: Vec<NewSystemLog>,
}

/// Which entries are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SystemLogQuery {
    /// Only at this level.
    #[param(inline, nullable = false)]
    pub level: Option<LogLevel>,
    /// Only of this file.
    #[param(nullable = false, min_length = 1, max_length = 1000)]
    pub file_path: Option<String>,
    /// Only of this piece of developer work (ADW).
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub adw_id: Option<String>,
    /// Only of this step of it.
    #[param(nullable = false, min_length = 1, max_length = 200)]
    pub adw_step: Option<String>,
    /// Only at this moment or later (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub from: Option<String>,
    /// Only at this moment or earlier (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub to: Option<String>,
    /// Only those in whose text all these words stand, whatever their case and accents; `word*`
    /// finds what begins so. Those that arrived last come first.
    #[param(nullable = false, min_length = 1, max_length = 500)]
    pub q: Option<String>,
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemLogsReply {
    /// They, newest first.
    pub system_logs: Vec<SystemLog>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}
