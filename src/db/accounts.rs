//! Accounts: the tenants, and the limits that are theirs alone.

use serde::Deserialize;

use super::row::flag;
use super::{Database, DbError, statements};

statements! { "accounts":
    /// An account by id.
    BY_ID = "SELECT id, name, status, daily_budget_micro_usd, monthly_budget_micro_usd,
        max_concurrent_executions
      FROM accounts WHERE id = ?1";

    /// Which of the accounts in the JSON array ?1 have budgets, and when each was last changed.
    CHANGED = "SELECT id, updated_at,
        daily_budget_micro_usd IS NOT NULL OR monthly_budget_micro_usd IS NOT NULL AS limited
      FROM accounts WHERE id IN (SELECT value FROM json_each(?1))";
}

/// An account. A limit that is `None` is the environment's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// The key.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `active` or `suspended`.
    pub status: String,
    /// The most that its executions may cost in a day (UTC).
    pub daily_budget_micro_usd: Option<u64>,
    /// The most that its executions may cost in a month (UTC).
    pub monthly_budget_micro_usd: Option<u64>,
    /// How many of its executions may be driven at the same time.
    pub max_concurrent_executions: Option<u32>,
}

/// The account `id`.
pub async fn by_id(db: &impl Database, id: &str) -> Result<Option<Account>, DbError> {
    db.query(BY_ID.with(id)).await?.first()
}

/// Whether an account has budgets, and since when nothing of it was changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Changed {
    /// The key.
    pub id: String,
    /// Whether it has a daily or a monthly budget.
    #[serde(deserialize_with = "flag")]
    pub limited: bool,
    /// When its row was last changed, ISO 8601 UTC.
    pub updated_at: String,
}

/// Those of these accounts that exist.
pub async fn changed(db: &impl Database, ids: &[&str]) -> Result<Vec<Changed>, DbError> {
    let ids = serde_json::json!(ids).to_string();
    db.query(CHANGED.with(ids)).await?.decode()
}
