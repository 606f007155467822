//! What keeps the tool registry in order: tools that follow their nodes, artifacts that nobody
//! holds any more, and bytes in the bucket that no artifact has.

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

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

    /// Tools of any account that were disabled so and whose node is active again; ?1 is how many.
    BACK = "SELECT t.tool_id
      FROM tools AS t INDEXED BY tools_disabled_by_node
      JOIN nodes AS n ON n.node_id = t.target_node_id
      WHERE t.disabled_by_node = 1 AND t.status = 'DISABLED' AND n.status = 'ACTIVE'
      ORDER BY t.account_id, t.seq LIMIT ?1";

    /// Logs that these come back, ?1 is a JSON array of [id of the entry, tool_id]; ?2 the moment.
    LOG_BACK = "INSERT INTO audit_log (id, at, account_id, actor_type, actor, change, subject_type,
        subject, before, after)
      SELECT j.value ->> 0, ?2, t.account_id, 'system', 'cron', 'tool.enabled_by_node', 'tool',
        t.tool_id, '{\"status\":\"DISABLED\"}', '{\"status\":\"ENABLED\"}'
      FROM json_each(?1) AS j CROSS JOIN tools AS t ON t.tool_id = j.value ->> 1
      JOIN nodes AS n ON n.node_id = t.target_node_id
      WHERE t.disabled_by_node = 1 AND t.status = 'DISABLED' AND n.status = 'ACTIVE'";

    /// Enables those that were logged, ?1 as above; gives them.
    ENABLE_BACK = "UPDATE tools SET status = 'ENABLED', disabled_by_node = 0
      WHERE tool_id IN (SELECT j.value ->> 1 FROM json_each(?1) AS j)
        AND disabled_by_node = 1 AND status = 'DISABLED'
        AND (SELECT n.status FROM nodes AS n WHERE n.node_id = tools.target_node_id) = 'ACTIVE'
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

/// Enables tools of any account that were disabled for their node, which is active again, and logs
/// each; at most `limit`. Gives them.
pub async fn come_back(
    db: &impl Database,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    let found: Vec<Changed> = db.query(BACK.with(limit)).await?.decode()?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let entry = |tool: &Changed| json!([Uuid::now_v7().to_string(), tool.tool_id]);
    let entries = json!(found.iter().map(entry).collect::<Vec<_>>()).to_string();
    let log = LOG_BACK.with(entries.as_str()).with(now);
    let [_, enabled] = db.batch_of([log, ENABLE_BACK.with(entries)]).await?;
    let enabled: Vec<Changed> = enabled.decode()?;
    Ok(enabled.into_iter().map(|Changed { tool_id }| tool_id).collect())
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
    let remove = REMOVE_ORPHANS.with(account).with(json!(ids).to_string());
    let [gone, _] = db.batch_of([remove, logged]).await?;
    gone.decode()
}

/// Those of these objects that artifacts have.
pub async fn held_keys(db: &impl Database, keys: &[String]) -> Result<Vec<String>, DbError> {
    let rows = db.query(HELD_KEYS.with(json!(keys).to_string())).await?;
    Ok(rows.decode()?.into_iter().map(|Held { content_key }| content_key).collect())
}
