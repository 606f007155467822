//! Issued keys of clients. The secret is shown once, when it is issued.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Start executions and act on them.
    Execute,
    /// Read what belongs to the account.
    Read,
    /// Administer the account; of the account `default`, the installation.
    Admin,
}

/// Whether a key is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// It is, as long as its account is active.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// A key that is to be issued.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "nightly reports", "scopes": ["execute", "read"], "rate_per_minute": 120,
    "daily_budget_usd": 5, "expires_at": "2027-06-30T00:00:00.000Z"
}))]
pub struct NewApiKey {
    /// What people call it.
    #[schema(min_length = 1, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: String,
    /// The account that it belongs to. Default: the caller's own.
    #[schema(min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// What it allows. Default `execute` and `read`. Nobody issues a right that they do not have.
    #[schema(min_items = 1, max_items = 3)]
    pub scopes: Option<Vec<KeyScope>>,
    /// How many requests a minute it may make; null is the installation's rate.
    #[schema(minimum = 1, maximum = 1000000)]
    pub rate_per_minute: Option<u32>,
    /// The most that its executions may spend in a day (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub daily_budget_usd: Option<f64>,
    /// The most that they may spend in a calendar month (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub monthly_budget_usd: Option<f64>,
    /// When it ends to be valid (RFC 3339, in the future); null is never.
    #[schema(format = DateTime, min_length = 1, max_length = 64)]
    pub expires_at: Option<String>,
}

/// What is to change of a key. A field that is left out stays as it is; null takes a limit or the
/// end away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "rate_per_minute": 600, "daily_budget_usd": null }))]
pub struct ApiKeyPatch {
    /// What people call it.
    #[schema(min_length = 1, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: Option<String>,
    /// What it allows; null is `execute` and `read`. Nobody gives a right that they do not have.
    #[schema(min_items = 1, max_items = 3)]
    pub scopes: Option<Vec<KeyScope>>,
    /// How many requests a minute it may make; null is the installation's rate.
    #[schema(minimum = 1, maximum = 1000000)]
    pub rate_per_minute: Option<u32>,
    /// The most that its executions may spend in a day (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub daily_budget_usd: Option<f64>,
    /// The most that they may spend in a calendar month (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub monthly_budget_usd: Option<f64>,
    /// When it ends to be valid (RFC 3339, in the future); null is never.
    #[schema(format = DateTime, min_length = 1, max_length = 64)]
    pub expires_at: Option<String>,
}

/// How a key is replaced. The body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "overlap_seconds": 3600 }))]
pub struct RotateRequest {
    /// How long the old secret is accepted beside the new one; default 86400, a day.
    #[schema(minimum = 0, maximum = 2592000)]
    pub overlap_seconds: Option<u32>,
    /// When the new key ends to be valid (RFC 3339, in the future). Default: as the old one.
    #[schema(format = DateTime, min_length = 1, max_length = 64)]
    pub expires_at: Option<String>,
}

/// Which keys are wanted, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApiKeysQuery {
    /// Only those of this account. An administrator of one account sees no other's.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Only those of this status.
    #[param(nullable = false, inline)]
    pub status: Option<KeyStatus>,
    /// The most keys; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeysReply {
    /// The keys, oldest first.
    pub api_keys: Vec<ApiKeyEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyEntry {
    /// Its id.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<KeyScope>,
    /// Whether it is accepted.
    pub status: KeyStatus,
    /// How many requests a minute it may make; null is the installation's rate.
    pub rate_per_minute: Option<u32>,
    /// The most that its executions may spend in a day (UTC), in USD; null is no limit.
    pub daily_budget_usd: Option<f64>,
    /// The most that they may spend in a calendar month (UTC), in USD; null is no limit.
    pub monthly_budget_usd: Option<f64>,
    /// When it ends to be valid; null is never.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
    /// When it was last seen, to the hour.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
    /// The key whose place it took; they share one budget.
    pub rotated_from: Option<String>,
    /// The key that took its place.
    pub rotated_to: Option<String>,
    /// When it was issued.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// A key that was just issued: the only reply that has its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedApiKey {
    /// What goes into `X-API-Key`. It is not stored, and never shown again.
    #[schema(pattern = "^bwk_[A-Za-z0-9_-]{43}$")]
    pub secret: String,
    /// The key.
    pub api_key: ApiKeyEntry,
}

/// A key that took another's place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RotatedApiKey {
    /// What goes into `X-API-Key` from now on. It is not stored, and never shown again.
    #[schema(pattern = "^bwk_[A-Za-z0-9_-]{43}$")]
    pub secret: String,
    /// The new key.
    pub api_key: ApiKeyEntry,
    /// The old one, with its end.
    pub replaced: ApiKeyEntry,
}
