//! Nodes: the addresses that run tools.

use serde::Deserialize;

use super::paging::{Paging, Sequenced, page_of};
use super::{Database, DbError, Param, Statement, statements};

macro_rules! columns {
    () => {
        "SELECT seq, node_id, account_id, node_type, address, status, last_health_check,
        last_error, created_at, updated_at
      FROM nodes "
    };
}

statements! { "nodes":
    /// A node of an account.
    BY_ID = concat!(columns!(), "WHERE node_id = ?1 AND account_id = ?2");

    /// A page of an account's nodes as they were added: behind ?2; ?3 type and ?4 status, where
    /// NULL filters nothing; ?5 is how many, ?6 how many are left out.
    PAGE = concat!(columns!(), "WHERE account_id = ?1 AND seq > ?2
        AND (?3 IS NULL OR node_type = ?3) AND (?4 IS NULL OR status = ?4)
      ORDER BY seq LIMIT ?5 OFFSET ?6");

    /// Adds a node. Sent again, it is there.
    ADD = "INSERT INTO nodes (node_id, account_id, node_type, address, status)
      VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (node_id) DO NOTHING";

    /// Changes what is not NULL. A status that somebody sets is where health checks begin anew.
    CHANGE = "UPDATE nodes SET node_type = coalesce(?3, node_type),
        address = coalesce(?4, address), status = coalesce(?5, status),
        checks_failed = iif(?5 IS NULL, checks_failed, 0),
        checks_passed = iif(?5 IS NULL, checks_passed, 0)
      WHERE node_id = ?1 AND account_id = ?2";

    /// Removes a node; its tools are then without one.
    REMOVE = "DELETE FROM nodes WHERE node_id = ?1 AND account_id = ?2";
}

/// A node as its row has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Node {
    /// Its place among all nodes, as they were added.
    pub seq: u64,
    /// The key.
    pub node_id: String,
    /// The tenant that it belongs to.
    pub account_id: String,
    /// What it is for.
    pub node_type: String,
    /// Where it is reached.
    pub address: String,
    /// `ACTIVE`, `INACTIVE`, `MAINTENANCE` or `ERROR`.
    pub status: String,
    /// When its health was last asked.
    pub last_health_check: Option<String>,
    /// What was wrong when it last failed; `None` since it passes.
    pub last_error: Option<String>,
    /// When it was added.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

impl Sequenced for Node {
    fn seq(&self) -> u64 {
        self.seq
    }
}

/// A node to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode<'a> {
    /// The key.
    pub node_id: &'a str,
    /// The tenant that it belongs to.
    pub account: &'a str,
    /// What it is for.
    pub node_type: &'a str,
    /// Where it is reached.
    pub address: &'a str,
    /// Whether it takes calls.
    pub status: &'a str,
}

/// What becomes of a node; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeChange<'a> {
    /// What it is for.
    pub node_type: Option<&'a str>,
    /// Where it is reached.
    pub address: Option<&'a str>,
    /// Whether it takes calls.
    pub status: Option<&'a str>,
}

/// Which nodes are meant; what is `None` filters nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeFilter<'a> {
    /// Only those of this type.
    pub node_type: Option<&'a str>,
    /// Only those with this status.
    pub status: Option<&'a str>,
}

/// The node `id` of an account.
pub async fn by_id(db: &impl Database, account: &str, id: &str) -> Result<Option<Node>, DbError> {
    db.query(BY_ID.with(id).with(account)).await?.first()
}

/// A page of an account's nodes, as they were added, and whether there are more.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: NodeFilter<'_>,
    paging: Paging,
) -> Result<(Vec<Node>, bool), DbError> {
    let Paging { after, skip, limit } = paging;
    let statement = PAGE.with(account).with(after).with(filter.node_type).with(filter.status);
    page_of(&db.query(statement.with(limit + 1).with(skip)).await?, limit)
}

/// Adds a node and the entry of the audit log; gives the row.
pub async fn add(
    db: &impl Database,
    node: &NewNode<'_>,
    logged: Statement,
) -> Result<Option<Node>, DbError> {
    let NewNode { node_id, account, node_type, address, status } = *node;
    let add = ADD.with(node_id).with(account).with(node_type).with(address).with(status);
    let [_, _, found] = db.batch_of([add, logged, BY_ID.with(node_id).with(account)]).await?;
    found.first()
}

/// Changes a node and adds the entry of the audit log; gives the row as it is then, if there is
/// one.
pub async fn change(
    db: &impl Database,
    account: &str,
    id: &str,
    change: NodeChange<'_>,
    logged: Statement,
) -> Result<Option<Node>, DbError> {
    let NodeChange { node_type, address, status } = change;
    let fields = [node_type, address, status].map(Param::from);
    let change = fields.into_iter().fold(CHANGE.with(id).with(account), Statement::with);
    let [_, _, found] = db.batch_of([change, logged, BY_ID.with(id).with(account)]).await?;
    found.first()
}

/// Removes a node and adds the entry of the audit log.
pub async fn remove(
    db: &impl Database,
    account: &str,
    id: &str,
    logged: Statement,
) -> Result<(), DbError> {
    db.batch_of([REMOVE.with(id).with(account), logged]).await?;
    Ok(())
}
