//! What the tool registry says about itself: its views, and figures over several of its tables.

use serde::Deserialize;
use serde_json::Value;

use super::paging::{Paging, Sequenced, page_of};
use super::row::json;
use super::{Database, DbError, statements};

statements! { "registry_figures":
    /// A page of the tools that may be called, with the nodes that take the calls: behind ?2; ?3
    /// is how many, ?4 how many are left out.
    ACTIVE_WITH_NODES = "SELECT seq, tool_id, name, description, category, version, input_schema,
        output_schema, node_id, node_type, node_address, node_status
      FROM active_tools_with_nodes WHERE account_id = ?1 AND seq > ?2
      ORDER BY seq LIMIT ?3 OFFSET ?4";

    /// A page of the tools by category, with their tags: behind the category ?3 and the place ?4;
    /// ?2 is the one category that is wanted, ?5 how many, ?6 how many are left out.
    BY_CATEGORY = "SELECT seq, category, tool_id, name, description, version, status,
        target_node_id, tags
      FROM tools_with_tags
      WHERE account_id = ?1 AND (?2 IS NULL OR category = ?2)
        AND (?3 IS NULL OR (category, seq) > (?3, ?4))
      ORDER BY category, seq LIMIT ?5 OFFSET ?6";

    /// A page of the nodes with the number of their tools: behind ?2; ?3 is how many, ?4 how many
    /// are left out.
    NODE_HEALTH = "SELECT n.seq, n.node_id, n.node_type, n.address, n.status, n.last_health_check,
        n.last_error, n.updated_at,
        (SELECT count(*) FROM tools AS t WHERE t.target_node_id = n.node_id) AS tool_count,
        (SELECT count(*) FROM tools AS t
          WHERE t.target_node_id = n.node_id AND t.status = 'ENABLED') AS enabled_tool_count
      FROM nodes AS n WHERE n.account_id = ?1 AND n.seq > ?2
      ORDER BY n.seq LIMIT ?3 OFFSET ?4";

    /// Tools by the size of their artifacts of ?2 bytes and more; ?3 is how many, ?4 how many are
    /// left out.
    LARGE_BY_TOOL = "SELECT created_by_tool_id AS tool_id, tool_name, count(*) AS artifact_count,
        sum(size_bytes) AS total_size_bytes, max(size_bytes) AS largest_size_bytes
      FROM artifacts_with_tools WHERE account_id = ?1 AND size_bytes >= ?2
      GROUP BY created_by_tool_id
      ORDER BY total_size_bytes DESC, tool_id LIMIT ?3 OFFSET ?4";

    /// What the artifacts of each category take.
    STORAGE = "SELECT tool_category AS category, count(*) AS artifact_count,
        sum(size_bytes) AS total_size_bytes, avg(size_bytes) AS average_size_bytes
      FROM artifacts_with_tools WHERE account_id = ?1
      GROUP BY tool_category ORDER BY total_size_bytes DESC, category";

    /// A page of the tools with what they made: behind ?2; ?3 is how many, ?4 how many are left
    /// out.
    USAGE = "SELECT t.seq, t.tool_id, t.name, t.category, t.status,
        count(a.seq) AS artifact_count, coalesce(sum(a.size_bytes), 0) AS total_size_bytes,
        max(a.created_at) AS last_artifact_at,
        (SELECT count(*) FROM tool_tags AS g
          WHERE g.account_id = ?1 AND g.tool_id = t.tool_id) AS tag_count
      FROM (SELECT p.seq, p.tool_id, p.name, p.category, p.status FROM tools AS p
          WHERE p.account_id = ?1 AND p.seq > ?2 ORDER BY p.seq LIMIT ?3 OFFSET ?4) AS t
        LEFT JOIN artifacts AS a ON a.created_by_tool_id = t.tool_id
      GROUP BY t.seq ORDER BY t.seq";

    /// What does not fit together, counted.
    INTEGRITY = "SELECT
        (SELECT count(*) FROM tools AS t WHERE t.account_id = ?1 AND t.target_node_id IS NULL)
          AS tools_without_node,
        (SELECT count(*) FROM nodes AS n
            CROSS JOIN tools AS t INDEXED BY tools_by_node_and_status
            ON t.target_node_id = n.node_id AND t.status = 'ENABLED' AND t.account_id = ?1
          WHERE n.status <> 'ACTIVE') AS enabled_tools_on_inactive_nodes,
        (SELECT count(*) FROM nodes AS n WHERE n.account_id = ?1 AND NOT EXISTS (
          SELECT 1 FROM tools AS t WHERE t.target_node_id = n.node_id)) AS nodes_without_tools,
        (SELECT count(*) FROM artifacts AS a WHERE a.account_id = ?1
          AND a.created_by_tool_id IS NULL AND a.pipeline_id IS NULL) AS orphaned_artifacts,
        (SELECT count(*) FROM artifacts AS a WHERE a.account_id = ?1
          AND a.content_key IS NULL AND a.storage_pointer IS NULL) AS artifacts_without_content,
        (SELECT count(*) FROM nodes AS n
            CROSS JOIN tools AS t INDEXED BY tools_by_node_and_status
            ON t.target_node_id = n.node_id AND t.account_id = ?1
          WHERE n.account_id <> ?1) AS tools_on_foreign_nodes,
        (SELECT count(*) FROM artifacts AS a JOIN tools AS t ON t.tool_id = a.created_by_tool_id
          WHERE a.account_id = ?1 AND t.account_id <> ?1) AS artifacts_of_foreign_tools";

    /// How many there are of everything.
    SUMMARY = "SELECT
        (SELECT count(*) FROM nodes WHERE account_id = ?1) AS total_nodes,
        (SELECT count(*) FROM nodes WHERE account_id = ?1 AND status = 'ACTIVE') AS active_nodes,
        (SELECT count(*) FROM tools WHERE account_id = ?1) AS total_tools,
        (SELECT count(*) FROM tools WHERE account_id = ?1 AND status = 'ENABLED')
          AS enabled_tools,
        (SELECT count(*) FROM nodes AS n
            CROSS JOIN tools AS t INDEXED BY tools_by_node_and_status
            ON t.target_node_id = n.node_id AND t.status = 'ENABLED' AND t.account_id = ?1
          WHERE n.account_id = ?1 AND n.status = 'ACTIVE') AS callable_tools,
        (SELECT count(*) FROM artifacts WHERE account_id = ?1) AS total_artifacts,
        (SELECT coalesce(sum(size_bytes), 0) FROM artifacts WHERE account_id = ?1)
          AS total_storage_bytes,
        (SELECT count(*) FROM tag_names WHERE account_id = ?1) AS total_tags";
}

/// Declares rows that are read and handed on as they are.
macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident { $($(#[$with:meta])* $field:ident: $type:ty),+ $(,)? })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Deserialize)]
            pub struct $name { $($(#[$with])* #[allow(missing_docs)] pub $field: $type),+ }
        )+
    };
}

rows! {
    /// A row of [`ACTIVE_WITH_NODES`].
    ActiveTool {
        seq: u64, tool_id: String, name: String, description: Option<String>, category: String,
        version: String,
        #[serde(deserialize_with = "json")] input_schema: Value,
        #[serde(deserialize_with = "json")] output_schema: Value,
        node_id: String, node_type: String, node_address: String, node_status: String,
    }
    /// A row of [`BY_CATEGORY`].
    CategoryTool {
        seq: u64, category: String, tool_id: String, name: String, description: Option<String>,
        version: String, status: String, target_node_id: Option<String>,
        #[serde(deserialize_with = "json")] tags: Vec<String>,
    }
    /// A row of [`NODE_HEALTH`].
    NodeHealth {
        seq: u64, node_id: String, node_type: String, address: String, status: String,
        last_health_check: Option<String>, last_error: Option<String>, updated_at: String,
        tool_count: u64, enabled_tool_count: u64,
    }
    /// A row of [`LARGE_BY_TOOL`].
    LargeByTool {
        tool_id: Option<String>, tool_name: Option<String>, artifact_count: u64,
        total_size_bytes: u64, largest_size_bytes: u64,
    }
    /// A row of [`STORAGE`].
    Storage {
        category: Option<String>, artifact_count: u64, total_size_bytes: u64,
        average_size_bytes: f64,
    }
    /// A row of [`USAGE`].
    Usage {
        seq: u64, tool_id: String, name: String, category: String, status: String,
        artifact_count: u64, total_size_bytes: u64, last_artifact_at: Option<String>,
        tag_count: u64,
    }
    /// The row of [`INTEGRITY`].
    Integrity {
        tools_without_node: u64, enabled_tools_on_inactive_nodes: u64, nodes_without_tools: u64,
        orphaned_artifacts: u64, artifacts_without_content: u64, tools_on_foreign_nodes: u64,
        artifacts_of_foreign_tools: u64,
    }
    /// The row of [`SUMMARY`].
    Summary {
        total_nodes: u64, active_nodes: u64, total_tools: u64, enabled_tools: u64,
        callable_tools: u64, total_artifacts: u64, total_storage_bytes: u64, total_tags: u64,
    }
}

macro_rules! sequenced {
    ($($name:ident),+) => {
        $(impl Sequenced for $name {
            fn seq(&self) -> u64 {
                self.seq
            }
        })+
    };
}
sequenced!(ActiveTool, CategoryTool, NodeHealth, Usage);

/// A page of the tools that may be called, with the nodes that take the calls.
pub async fn active_with_nodes(
    db: &impl Database,
    account: &str,
    paging: Paging,
) -> Result<(Vec<ActiveTool>, bool), DbError> {
    by_place(db, ACTIVE_WITH_NODES, account, paging).await
}

/// A page of the nodes, each with the number of its tools.
pub async fn node_health(
    db: &impl Database,
    account: &str,
    paging: Paging,
) -> Result<(Vec<NodeHealth>, bool), DbError> {
    by_place(db, NODE_HEALTH, account, paging).await
}

/// A page of the tools, each with what it made.
pub async fn usage(
    db: &impl Database,
    account: &str,
    paging: Paging,
) -> Result<(Vec<Usage>, bool), DbError> {
    by_place(db, USAGE, account, paging).await
}

async fn by_place<T: serde::de::DeserializeOwned>(
    db: &impl Database,
    sql: super::Sql,
    account: &str,
    paging: Paging,
) -> Result<(Vec<T>, bool), DbError> {
    let Paging { after, skip, limit } = paging;
    page_of(&db.query(sql.with(account).with(after).with(limit + 1).with(skip)).await?, limit)
}

/// A page of the tools by category, with their tags. `after` is the category and the place of the
/// last one of the page before.
pub async fn by_category(
    db: &impl Database,
    account: &str,
    category: Option<&str>,
    after: Option<(&str, u64)>,
    (skip, limit): (u32, u32),
) -> Result<(Vec<CategoryTool>, bool), DbError> {
    let statement = BY_CATEGORY
        .with(account)
        .with(category)
        .with(after.map(|(category, _)| category))
        .with(after.map(|(_, seq)| seq))
        .with(limit + 1)
        .with(skip);
    page_of(&db.query(statement).await?, limit)
}

/// Tools by the size of their artifacts of `size_min` bytes and more, the largest first.
pub async fn large_by_tool(
    db: &impl Database,
    account: &str,
    size_min: u64,
    (skip, limit): (u32, u32),
) -> Result<Vec<LargeByTool>, DbError> {
    let statement = LARGE_BY_TOOL.with(account).with(size_min).with(limit).with(skip);
    db.query(statement).await?.decode()
}

/// What the artifacts of each category take, the most first.
pub async fn storage(db: &impl Database, account: &str) -> Result<Vec<Storage>, DbError> {
    db.query(STORAGE.with(account)).await?.decode()
}

/// What does not fit together, counted.
pub async fn integrity(db: &impl Database, account: &str) -> Result<Option<Integrity>, DbError> {
    db.query(INTEGRITY.with(account)).await?.first()
}

/// How many there are of everything.
pub async fn summary(db: &impl Database, account: &str) -> Result<Option<Summary>, DbError> {
    db.query(SUMMARY.with(account)).await?.first()
}
