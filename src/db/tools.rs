//! Tools: the operations of nodes, with the schemas of what they take and give.

use serde::Deserialize;
use serde_json::Value;

use super::paging::{Paging, Sequenced, page_of};
use super::row::{flag, json};
use super::{Database, DbError, Param, Statement, statements};

/// All that a row says, with the tool's tags.
macro_rules! columns {
    () => {
        "SELECT t.seq, t.tool_id, t.account_id, t.name, t.description, t.category, t.version,
        t.status, t.disabled_by_node, t.input_schema, t.output_schema, t.target_node_id,
        t.created_at, t.updated_at, (
          SELECT json_group_array(g.tag_name) FROM (
            SELECT s.tag_name FROM tool_tags AS s
            WHERE s.account_id = t.account_id AND s.tool_id = t.tool_id ORDER BY s.tag_name
          ) AS g
        ) AS tags
      FROM tools AS t "
    };
}
pub(super) use columns as tool_columns;

/// A change of what is given: ?3 name; ?4 and ?5 description, ?6 category, ?7 version, ?8 and ?9
/// the schemas, ?10 and ?11 the node. ?4 and ?10 say whether a value that may be NULL is given.
macro_rules! change {
    ($more:literal) => {
        concat!(
            "UPDATE tools SET name = coalesce(?3, name),
        description = iif(?4, ?5, description), category = coalesce(?6, category),
        version = coalesce(?7, version), input_schema = coalesce(?8, input_schema),
        output_schema = coalesce(?9, output_schema),
        target_node_id = iif(?10, ?11, target_node_id)",
            $more,
            "
      WHERE tool_id = ?1 AND account_id = ?2
        AND NOT EXISTS (SELECT 1 FROM tools AS o
          WHERE o.account_id = ?2 AND o.name = ?3 AND o.tool_id <> ?1)
        AND (?11 IS NULL OR EXISTS (
          SELECT 1 FROM nodes AS n WHERE n.node_id = ?11 AND n.account_id = ?2))"
        )
    };
}

statements! { "tools":
    /// A tool of an account.
    BY_ID = concat!(columns!(), "WHERE t.tool_id = ?1 AND t.account_id = ?2");

    /// A tool of an account by its name.
    BY_NAME = concat!(columns!(), "WHERE t.account_id = ?2 AND t.name = ?1");

    /// A page of an account's tools as they were added: behind ?2; ?3 is NULL; ?4 is how many,
    /// ?5 how many are left out.
    PAGE = concat!(columns!(), "WHERE t.account_id = ?1 AND t.seq > ?2 AND ?3 IS NULL
      ORDER BY t.seq LIMIT ?4 OFFSET ?5");

    /// The same for the tools in the status ?3.
    PAGE_OF_STATUS = concat!(columns!(), "WHERE t.account_id = ?1 AND t.seq > ?2
        AND t.status = ?3
      ORDER BY t.seq LIMIT ?4 OFFSET ?5");

    /// The same for the tools of the category ?3.
    PAGE_OF_CATEGORY = concat!(columns!(), "WHERE t.account_id = ?1 AND t.seq > ?2
        AND t.category = ?3
      ORDER BY t.seq LIMIT ?4 OFFSET ?5");

    /// Adds a tool, unless its name is taken or the account has no such node. Sent again, it is
    /// there.
    ADD = "INSERT INTO tools (tool_id, account_id, name, description, category, version, status,
        input_schema, output_schema, target_node_id)
      SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
      WHERE ?10 IS NULL OR EXISTS (
        SELECT 1 FROM nodes AS n WHERE n.node_id = ?10 AND n.account_id = ?2)
      ON CONFLICT DO NOTHING";

    /// Changes a tool and leaves its status.
    CHANGE = change!("");

    /// Changes a tool with its status, which is then nobody else's doing.
    CHANGE_WITH_STATUS = change!(", status = ?12, disabled_by_node = 0");

    /// Who has the name ?3, other than ?1; and whether the account has the node ?4.
    TAKEN = "SELECT
        EXISTS (SELECT 1 FROM tools AS o
          WHERE o.account_id = ?2 AND o.name = ?3 AND o.tool_id <> ?1) AS name_taken,
        ?4 IS NULL OR EXISTS (
          SELECT 1 FROM nodes AS n WHERE n.node_id = ?4 AND n.account_id = ?2) AS node_known";

    /// Removes a tool with its tags; its artifacts are then without one.
    REMOVE = "DELETE FROM tools WHERE tool_id = ?1 AND account_id = ?2";
}

/// A tool as its row has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Tool {
    /// Its place among all tools, as they were added.
    pub seq: u64,
    /// The key.
    pub tool_id: String,
    /// The tenant that it belongs to.
    pub account_id: String,
    /// Its name, unique within the account.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// What it is filed under.
    pub category: String,
    /// Its version.
    pub version: String,
    /// `ENABLED`, `DISABLED` or `DEPRECATED`.
    pub status: String,
    /// Whether maintenance disabled it because its node was not active.
    #[serde(deserialize_with = "flag")]
    pub disabled_by_node: bool,
    /// JSON Schema of what it takes.
    #[serde(deserialize_with = "json")]
    pub input_schema: Value,
    /// JSON Schema of what it gives.
    #[serde(deserialize_with = "json")]
    pub output_schema: Value,
    /// The node that runs it.
    pub target_node_id: Option<String>,
    /// Its tags, in order.
    #[serde(deserialize_with = "json")]
    pub tags: Vec<String>,
    /// When it was added.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

impl Sequenced for Tool {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// A tool to be added.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTool<'a> {
    /// The key.
    pub tool_id: &'a str,
    /// The tenant that it belongs to.
    pub account: &'a str,
    /// Its name, unique within the account.
    pub name: &'a str,
    /// What it does.
    pub description: Option<&'a str>,
    /// What it is filed under.
    pub category: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Whether it may be called.
    pub status: &'a str,
    /// JSON Schema of what it takes.
    pub input_schema: &'a Value,
    /// JSON Schema of what it gives.
    pub output_schema: &'a Value,
    /// The node that runs it.
    pub target_node_id: Option<&'a str>,
}

/// What becomes of a tool; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ToolChange<'a> {
    /// Its name.
    pub name: Option<&'a str>,
    /// What it does, or nothing about it.
    pub description: Option<Option<&'a str>>,
    /// What it is filed under.
    pub category: Option<&'a str>,
    /// Its version.
    pub version: Option<&'a str>,
    /// Whether it may be called.
    pub status: Option<&'a str>,
    /// JSON Schema of what it takes.
    pub input_schema: Option<&'a Value>,
    /// JSON Schema of what it gives.
    pub output_schema: Option<&'a Value>,
    /// The node that runs it, or none.
    pub target_node_id: Option<Option<&'a str>>,
}

/// Which tools are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolFilter<'a> {
    /// All.
    All,
    /// Those with this status.
    Status(&'a str),
    /// Those filed under this category.
    Category(&'a str),
}

/// What came of writing a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// It stands so.
    Done(Box<Tool>),
    /// Another tool of the account has the name.
    NameTaken,
    /// The account has no such node.
    NodeUnknown,
    /// The account has no such tool.
    Absent,
}

#[derive(Deserialize)]
struct Taken {
    #[serde(deserialize_with = "flag")]
    name_taken: bool,
    #[serde(deserialize_with = "flag")]
    node_known: bool,
}

/// The tool `id` of an account.
pub async fn by_id(db: &impl Database, account: &str, id: &str) -> Result<Option<Tool>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// The tool of an account that has this name.
pub async fn by_name(
    db: &impl Database,
    account: &str,
    name: &str,
) -> Result<Option<Tool>, DbError> {
    db.query(BY_NAME.with(name).with(account)).await?.first()
}

/// A page of an account's tools, as they were added, and whether there are more.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: ToolFilter<'_>,
    paging: Paging,
) -> Result<(Vec<Tool>, bool), DbError> {
    let Paging { after, skip, limit } = paging;
    let (sql, wanted) = match filter {
        ToolFilter::All => (PAGE, None),
        ToolFilter::Status(status) => (PAGE_OF_STATUS, Some(status)),
        ToolFilter::Category(category) => (PAGE_OF_CATEGORY, Some(category)),
    };
    let statement = sql.with(account).with(after).with(wanted).with(limit + 1).with(skip);
    page_of(&db.query(statement).await?, limit)
}

/// Adds a tool and the entry of the audit log.
pub async fn add(
    db: &impl Database,
    tool: &NewTool<'_>,
    logged: Statement,
) -> Result<Written, DbError> {
    let NewTool { tool_id: id, account, name, target_node_id: node, .. } = *tool;
    let add = ADD
        .with(id)
        .with(account)
        .with(name)
        .with(tool.description)
        .with(tool.category)
        .with(tool.version)
        .with(tool.status)
        .with(tool.input_schema)
        .with(tool.output_schema)
        .with(node);
    written(db, add, logged, Names { account, id, name: Some(name), node }).await
}

/// Changes a tool and adds the entry of the audit log.
pub async fn change(
    db: &impl Database,
    account: &str,
    id: &str,
    change: ToolChange<'_>,
    logged: Statement,
) -> Result<Written, DbError> {
    let node = change.target_node_id.flatten();
    let sql = if change.status.is_some() { CHANGE_WITH_STATUS } else { CHANGE };
    let statement = sql
        .with(id)
        .with(account)
        .with(change.name)
        .with(change.description.is_some())
        .with(change.description.flatten())
        .with(change.category)
        .with(change.version)
        .with(change.input_schema.map(Param::from))
        .with(change.output_schema.map(Param::from))
        .with(change.target_node_id.is_some())
        .with(node);
    let statement = match change.status {
        Some(status) => statement.with(status),
        None => statement,
    };
    written(db, statement, logged, Names { account, id, name: change.name, node }).await
}

/// Removes a tool and adds the entry of the audit log.
pub async fn remove(
    db: &impl Database,
    account: &str,
    id: &str,
    logged: Statement,
) -> Result<(), DbError> {
    db.batch_of([REMOVE.with(id).with(account), logged]).await?;
    Ok(())
}

/// What a write of a tool names.
struct Names<'a> {
    account: &'a str,
    id: &'a str,
    name: Option<&'a str>,
    node: Option<&'a str>,
}

async fn written(
    db: &impl Database,
    write: Statement,
    logged: Statement,
    names: Names<'_>,
) -> Result<Written, DbError> {
    let Names { account, id, name, node } = names;
    let taken = TAKEN.with(id).with(account).with(name).with(node);
    let found = BY_ID.with(id).with(account);
    let [_, _, taken, found] = db.batch_of([write, logged, taken, found]).await?;
    let taken: Option<Taken> = taken.first()?;
    Ok(match (taken, found.first()?) {
        (Some(Taken { name_taken: true, .. }), _) => Written::NameTaken,
        (Some(Taken { node_known: false, .. }), _) => Written::NodeUnknown,
        (_, Some(tool)) => Written::Done(Box::new(tool)),
        (_, None) => Written::Absent,
    })
}
