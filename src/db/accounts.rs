//! Accounts: the tenants, and the limits that are theirs alone.

use serde::Deserialize;

use super::row::flag;
use super::{Database, DbError, Statement, statements};

macro_rules! state {
    () => {
        "json_array(name, status, daily_budget_micro_usd, monthly_budget_micro_usd,
        max_concurrent_executions)"
    };
}

/// All that a row says. `state` is what administrators change, to tell one state from another.
macro_rules! columns {
    () => {
        concat!(
            "SELECT id, name, status, daily_budget_micro_usd, monthly_budget_micro_usd,
        max_concurrent_executions, created_at, updated_at, ",
            state!(),
            " AS state FROM accounts "
        )
    };
}

statements! { "accounts":
    /// An account by id.
    BY_ID = concat!(columns!(), "WHERE id = ?1");

    /// A page of accounts, by id: of status ?1 and after ?2, where these are not NULL; ?3 of them.
    PAGE = concat!(columns!(), "WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR id > ?2)
      ORDER BY id LIMIT ?3");

    /// A new account, unless there is one of this id.
    CREATE = "INSERT INTO accounts (id, name, status, daily_budget_micro_usd,
        monthly_budget_micro_usd, max_concurrent_executions)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING";

    /// Changes an account that is still in the state ?7.
    CHANGE = concat!("UPDATE accounts SET name = ?2, status = ?3, daily_budget_micro_usd = ?4,
        monthly_budget_micro_usd = ?5, max_concurrent_executions = ?6
      WHERE id = ?1 AND ", state!(), " = ?7");

    /// How many executions each of the accounts in the JSON array ?1 may have driven.
    PLACES = "SELECT id, max_concurrent_executions FROM accounts
      WHERE id IN (SELECT value FROM json_each(?1))";

    /// Which of the accounts in the JSON array ?1 have budgets, their own or their keys', and when
    /// they or any of their keys were last changed.
    CHANGED = "SELECT a.id, max(a.updated_at, coalesce((
          SELECT max(k.updated_at) FROM api_keys AS k WHERE k.account_id = a.id
        ), '')) AS updated_at,
        a.daily_budget_micro_usd IS NOT NULL OR a.monthly_budget_micro_usd IS NOT NULL OR EXISTS (
          SELECT 1 FROM api_keys AS k WHERE k.account_id = a.id AND (
            k.daily_budget_micro_usd IS NOT NULL OR k.monthly_budget_micro_usd IS NOT NULL)
        ) AS limited
      FROM accounts AS a WHERE a.id IN (SELECT value FROM json_each(?1))";
}

/// An account. A limit that is `None` is the environment's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
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
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// All of it that administrators change, as one text.
    pub state: String,
}

/// The account `id`.
pub async fn by_id(db: &impl Database, id: &str) -> Result<Option<Account>, DbError> {
    db.query(BY_ID.with(id)).await?.first()
}

/// A page of accounts of a status, by id, and whether there are more behind it.
pub async fn page(
    db: &impl Database,
    status: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Account>, bool), DbError> {
    let statement = PAGE.with(status).with(after).with(limit.saturating_add(1));
    let mut found: Vec<Account> = db.query(statement).await?.decode()?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok((found, more))
}

/// The statement that makes an account, unless there is one of its id.
pub fn create(account: &Account) -> Statement {
    settings(CREATE.with(account.id.as_str()), account)
}

/// The statement that changes an account that is still in the state that `account` was read in.
pub fn change(account: &Account) -> Statement {
    settings(CHANGE.with(account.id.as_str()), account).with(account.state.as_str())
}

fn settings(statement: Statement, account: &Account) -> Statement {
    statement
        .with(account.name.as_str())
        .with(account.status.as_str())
        .with(account.daily_budget_micro_usd)
        .with(account.monthly_budget_micro_usd)
        .with(account.max_concurrent_executions)
}

/// How many executions of an account may be driven.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Places {
    /// The key.
    pub id: String,
    /// The account's own limit; `None` is the environment's.
    pub max_concurrent_executions: Option<u32>,
}

/// The limits of those of these accounts that exist.
pub async fn places(db: &impl Database, ids: &[&str]) -> Result<Vec<Places>, DbError> {
    let ids = serde_json::json!(ids).to_string();
    db.query(PLACES.with(ids)).await?.decode()
}

/// Whether an account has budgets, and since when nothing of it was changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Changed {
    /// The key.
    pub id: String,
    /// Whether it, or a key of it, has a daily or a monthly budget.
    #[serde(deserialize_with = "flag")]
    pub limited: bool,
    /// When its row, or that of a key, was last changed, ISO 8601 UTC.
    pub updated_at: String,
}

/// Those of these accounts that exist.
pub async fn changed(db: &impl Database, ids: &[&str]) -> Result<Vec<Changed>, DbError> {
    let ids = serde_json::json!(ids).to_string();
    db.query(CHANGED.with(ids)).await?.decode()
}
