//! What keeps the tool registry in order: tools that follow their nodes, artifacts that nobody
//! holds any more, and bytes in the bucket that no artifact has.

use serde::Deserialize;

use super::paging::{Paging, page_of};
use super::tools::{Tool, tool_columns as columns};
use super::{Database, DbError, Statement, statements};

statements! { "registry_upkeep":
    /// Disables tools whose node is not active, at most ?2 of the account ?1, or of all where it is
    /// NULL; gives them.
    DISABLE = "UPDATE tools SET status = 'DISABLED', disabled_by_node = 1
      WHERE seq IN (
        SELECT t.seq FROM tools AS t JOIN nodes AS n ON n.node_id = t.target_node_id
        WHERE (?1 IS NULL OR t.account_id = ?1) AND t.status = 'ENABLED' AND n.status <> 'ACTIVE'
        ORDER BY t.seq LIMIT ?2)
      RETURNING tool_id";

    /// Enables tools that were disabled so and whose node is active again.
    ENABLE = "UPDATE tools SET status = 'ENABLED', disabled_by_node = 0
      WHERE seq IN (
        SELECT t.seq FROM tools AS t JOIN nodes AS n ON n.node_id = t.target_node_id
        WHERE (?1 IS NULL OR t.account_id = ?1) AND t.disabled_by_node = 1
          AND t.status = 'DISABLED' AND n.status = 'ACTIVE'
        ORDER BY t.seq LIMIT ?2)
      RETURNING tool_id";

    /// A page of an account's tools that no node runs, as they were added: behind ?2; ?3 is how
    /// many, ?4 how many are left out.
    WITHOUT_NODES = concat!(columns!(), "WHERE t.account_id = ?1 AND t.seq > ?2
        AND t.target_node_id IS NULL
      ORDER BY t.seq LIMIT ?3 OFFSET ?4");

    /// Artifacts of no tool and no execution that were added at ?2 or before, at most ?3.
    ORPHANS = "SELECT artifact_id, size_bytes, content_key FROM artifacts
      WHERE account_id = ?1 AND created_by_tool_id IS NULL AND pipeline_id IS NULL
        AND created_at <= ?2
      ORDER BY seq LIMIT ?3";

    /// Removes those of them that are in the JSON array ?2 and are orphans still; gives them.
    REMOVE_ORPHANS = "DELETE FROM artifacts
      WHERE account_id = ?1 AND created_by_tool_id IS NULL AND pipeline_id IS NULL
        AND artifact_id IN (SELECT j.value FROM json_each(?2) AS j)
      RETURNING artifact_id, size_bytes, content_key";

    /// Which of the keys in the JSON array ?1 are those of artifacts.
    HELD_KEYS = "SELECT content_key FROM artifacts
      WHERE content_key IN (SELECT j.value FROM json_each(?1) AS j)";
}

/// An artifact that nobody holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Orphan {
    /// Its id.
    pub artifact_id: String,
    /// How large it is.
    pub size_bytes: u64,
    /// The object of the bucket that has its bytes.
    pub content_key: Option<String>,
}

#[derive(Deserialize)]
struct Changed {
    tool_id: String,
}

#[derive(Deserialize)]
struct Held {
    content_key: String,
}

/// The tools that followed their nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Those that were disabled.
    pub disabled: Vec<String>,
    /// Those that came back.
    pub enabled: Vec<String>,
}

/// Lets tools follow their nodes, at most `limit` each way, and adds the entries of the audit log.
/// `account` `None` means the tools of all accounts.
pub async fn follow_nodes(
    db: &impl Database,
    account: Option<&str>,
    limit: u32,
    [disabling, enabling]: [Statement; 2],
) -> Result<Followed, DbError> {
    let statement = |sql: super::Sql| sql.with(account).with(limit);
    let batch = [statement(DISABLE), disabling, statement(ENABLE), enabling];
    let [disabled, _, enabled, _] = db.batch_of(batch).await?;
    let ids = |rows: super::Rows| -> Result<Vec<String>, DbError> {
        Ok(rows.decode()?.into_iter().map(|Changed { tool_id }| tool_id).collect())
    };
    Ok(Followed { disabled: ids(disabled)?, enabled: ids(enabled)? })
}

/// A page of an account's tools that no node runs, and whether there are more.
pub async fn without_nodes(
    db: &impl Database,
    account: &str,
    paging: Paging,
) -> Result<(Vec<Tool>, bool), DbError> {
    let Paging { after, skip, limit } = paging;
    let statement = WITHOUT_NODES.with(account).with(after).with(limit + 1).with(skip);
    page_of(&db.query(statement).await?, limit)
}

/// Artifacts of an account that belong to no tool and no execution and were added at the moment
/// `until` or before, and whether there are more.
pub async fn orphans(
    db: &impl Database,
    account: &str,
    until: &str,
    limit: u32,
) -> Result<(Vec<Orphan>, bool), DbError> {
    let statement = ORPHANS.with(account).with(until).with(limit + 1);
    page_of(&db.query(statement).await?, limit)
}

/// Removes artifacts that are orphans still and adds the entry of the audit log; gives those that
/// are gone.
pub async fn remove_orphans(
    db: &impl Database,
    account: &str,
    ids: &[&str],
    logged: Statement,
) -> Result<Vec<Orphan>, DbError> {
    let remove = REMOVE_ORPHANS.with(account).with(serde_json::json!(ids).to_string());
    let [gone, _] = db.batch_of([remove, logged]).await?;
    gone.decode()
}

/// Those of these objects that artifacts have.
pub async fn held_keys(db: &impl Database, keys: &[String]) -> Result<Vec<String>, DbError> {
    let rows = db.query(HELD_KEYS.with(serde_json::json!(keys).to_string())).await?;
    Ok(rows.decode()?.into_iter().map(|Held { content_key }| content_key).collect())
}
