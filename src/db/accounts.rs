//! Accounts: the tenants, and the limits that are theirs alone.

use serde::Deserialize;

use super::{Database, DbError, statements};

statements! { "accounts":
    /// An account by id.
    BY_ID = "SELECT id, name, status, daily_budget_micro_usd, monthly_budget_micro_usd,
        max_concurrent_executions
      FROM accounts WHERE id = ?1";
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
