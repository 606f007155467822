//! Accounts: the tenants, and the limits that are theirs alone.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whether an account may do anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Its keys are accepted.
    #[default]
    Active,
    /// Its keys are refused, and nothing of it starts. What is in progress goes on.
    Suspended,
}

/// An account that is to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "id": "acme", "name": "Acme Research", "daily_budget_usd": 25, "monthly_budget_usd": 400,
    "max_concurrent_executions": 8
}))]
pub struct NewAccount {
    /// Its id, for good: lower-case letters, digits, `_` and `-`.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,63}$", example = "acme")]
    pub id: String,
    /// What people call it.
    #[schema(max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: Option<String>,
    /// Default `active`.
    pub status: Option<AccountStatus>,
    /// The most that its executions may spend in a day (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub daily_budget_usd: Option<f64>,
    /// The most that they may spend in a calendar month (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub monthly_budget_usd: Option<f64>,
    /// How many of them may be driven at the same time; null is the environment's limit.
    #[schema(minimum = 1, maximum = 100000)]
    pub max_concurrent_executions: Option<u32>,
}

/// What is to change of an account. A field that is left out stays as it is; null takes a limit
/// away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "status": "suspended" }))]
pub struct AccountPatch {
    /// What people call it.
    #[schema(max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: Option<String>,
    /// Whether it may do anything; null is `active`.
    pub status: Option<AccountStatus>,
    /// The most that its executions may spend in a day (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub daily_budget_usd: Option<f64>,
    /// The most that they may spend in a calendar month (UTC), in USD; null is no limit.
    #[schema(minimum = 0, maximum = 1000000)]
    pub monthly_budget_usd: Option<f64>,
    /// How many of them may be driven at the same time; null is the environment's limit.
    #[schema(minimum = 1, maximum = 100000)]
    pub max_concurrent_executions: Option<u32>,
}

/// Which accounts are wanted, by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccountsQuery {
    /// Only those of this status.
    #[param(nullable = false, inline)]
    pub status: Option<AccountStatus>,
    /// The most accounts; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountsReply {
    /// The accounts, by id.
    pub accounts: Vec<AccountEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccountEntry {
    /// Its id.
    #[schema(example = "acme")]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether it may do anything.
    pub status: AccountStatus,
    /// The most that its executions may spend in a day (UTC), in USD; null is no limit.
    pub daily_budget_usd: Option<f64>,
    /// The most that they may spend in a calendar month (UTC), in USD; null is no limit.
    pub monthly_budget_usd: Option<f64>,
    /// How many of them may be driven at the same time; null is the environment's limit.
    pub max_concurrent_executions: Option<u32>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}
