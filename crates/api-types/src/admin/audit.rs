//! Who changed what.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which entries are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what concerns this account. An administrator of one account sees no other.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Only by this key, worker or user.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub actor: Option<String>,
    /// Only this kind of change, such as `worker.updated`.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub change: Option<String>,
    /// Only things of this kind, such as `worker`.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub subject_type: Option<String>,
    /// Only the thing of this name or id.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub subject: Option<String>,
    /// Only at this moment or later (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub from: Option<String>,
    /// Only at this moment or earlier (RFC 3339).
    #[param(nullable = false, format = DateTime)]
    pub to: Option<String>,
    /// The most entries; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditReply {
    /// The entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub at: String,
    /// The account that the thing belongs to; null for what belongs to the installation.
    pub account: Option<String>,
    /// What made it: `api_key`, `worker`, `user` or `system`.
    #[schema(example = "worker")]
    pub actor_type: String,
    /// Which of them.
    pub actor: String,
    /// What was done.
    #[schema(example = "worker.updated")]
    pub change: String,
    /// What kind of thing was changed.
    #[schema(example = "worker")]
    pub subject_type: String,
    /// Its name or id.
    pub subject: String,
    /// How it was; null where it is new.
    pub before: Option<Value>,
    /// How it became; null where it went.
    pub after: Option<Value>,
    /// The request that made it.
    pub request_id: Option<String>,
}
