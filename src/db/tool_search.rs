//! What tools are found by: their tags, and the properties that their schemas name.

use serde::Deserialize;

use super::paging::{Paging, page_of};
use super::tools::{Tool, tool_columns as columns};
use super::{Database, DbError, Statement, statements};

/// The most tags of one tool.
pub const TAGS_MAX: u32 = 100;
/// Tags that are found on more tools than this are looked for from tool to tool.
const RARE_TAGGINGS_MAX: u64 = 5_000;

statements! { "tool_search":
    /// Tags a tool of an account; gives the tag where it is new. ?4 is how many a tool may have.
    TAG = "INSERT INTO tool_tags (account_id, tag_name, tool_id)
      SELECT t.account_id, ?3, t.tool_id FROM tools AS t
      WHERE t.tool_id = ?1 AND t.account_id = ?2
        AND (SELECT count(*) FROM tool_tags AS g
          WHERE g.account_id = ?2 AND g.tool_id = ?1) < CAST(?4 AS INTEGER)
      ON CONFLICT DO NOTHING";

    /// Takes a tag off a tool.
    UNTAG = "DELETE FROM tool_tags WHERE account_id = ?2 AND tag_name = ?3 AND tool_id = ?1";

    /// Whether a tool has a tag.
    TAGGED = "SELECT tag_name FROM tool_tags
      WHERE account_id = ?2 AND tag_name = ?3 AND tool_id = ?1";

    /// How many tags of tools contain ?2.
    TAGGINGS = "SELECT coalesce(sum(n.tools), 0) AS taggings FROM tag_names AS n
      WHERE n.account_id = ?1 AND instr(lower(n.tag_name), lower(?2)) > 0";

    /// A page of the tools with a tag that contains ?3, as they were added: behind ?2; ?4 is how
    /// many, ?5 how many are left out. It goes from the tags to the tools: good where few have one.
    BY_RARE_TAG = concat!(columns!(), "WHERE t.seq IN (
        SELECT DISTINCT x.seq
        FROM tag_names AS n CROSS JOIN tool_tags AS g CROSS JOIN tools AS x
        WHERE n.account_id = ?1 AND instr(lower(n.tag_name), lower(?3)) > 0
          AND g.account_id = ?1 AND g.tag_name = n.tag_name
          AND x.tool_id = g.tool_id AND x.seq > ?2
        ORDER BY x.seq LIMIT ?4 OFFSET ?5)
      ORDER BY t.seq");

    /// The same from the tools to their tags: good where many have one.
    BY_COMMON_TAG = concat!(columns!(), "WHERE t.account_id = ?1 AND t.seq > ?2
        AND EXISTS (SELECT 1 FROM tool_tags AS g WHERE g.account_id = ?1
          AND g.tool_id = t.tool_id AND instr(lower(g.tag_name), lower(?3)) > 0)
      ORDER BY t.seq LIMIT ?4 OFFSET ?5");

    /// A page of the tools whose schema on the side ?3 names the property ?4, as they were added:
    /// behind ?2; ?5 is how many, ?6 how many are left out.
    BY_PROPERTY = concat!(columns!(), "WHERE t.seq IN (
        SELECT p.tool_seq FROM tool_properties AS p
        WHERE p.account_id = ?1 AND p.direction = ?3 AND p.property = ?4 AND p.tool_seq > ?2
        ORDER BY p.tool_seq LIMIT ?5 OFFSET ?6)
      ORDER BY t.seq");

    /// The same for the tools that take ?3 and give ?4. Both lists are in the order of the tools
    /// and are walked side by side, as far as the page goes.
    BY_BOTH = concat!(columns!(), "WHERE t.seq IN (
        SELECT p.tool_seq FROM tool_properties AS p WHERE p.account_id = ?1
          AND p.direction = 'input' AND p.property = ?3 AND p.tool_seq > ?2
        INTERSECT
        SELECT p.tool_seq FROM tool_properties AS p WHERE p.account_id = ?1
          AND p.direction = 'output' AND p.property = ?4 AND p.tool_seq > ?2
        ORDER BY tool_seq LIMIT ?5 OFFSET ?6)
      ORDER BY t.seq");
}

#[derive(Deserialize)]
struct Taggings {
    taggings: u64,
}

/// What a tool was tagged with, or why not.
#[derive(Clone, Debug, PartialEq)]
pub enum Tagging {
    /// It has the tag now; whether it had it before.
    Tagged {
        /// The tool as it is now.
        tool: Box<Tool>,
        /// Whether the tag was there already.
        before: bool,
    },
    /// It has as many tags as a tool may have.
    Full,
    /// The account has no such tool.
    Absent,
}

/// Tags a tool and adds the entry of the audit log.
pub async fn tag(
    db: &impl Database,
    account: &str,
    id: &str,
    tag: &str,
    logged: Statement,
) -> Result<Tagging, DbError> {
    let had = || TAGGED.with(id).with(account).with(tag);
    let add = TAG.with(id).with(account).with(tag).with(TAGS_MAX);
    let tool = super::tools::BY_ID.with(id).with(account);
    let [before, _, _, now, tool] = db.batch_of([had(), add, logged, had(), tool]).await?;
    let has = |rows: &super::Rows| rows.first::<serde_json::Value>().map(|row| row.is_some());
    let Some(tool) = tool.first()? else { return Ok(Tagging::Absent) };
    if !has(&now)? {
        return Ok(Tagging::Full);
    }
    Ok(Tagging::Tagged { tool: Box::new(tool), before: has(&before)? })
}

/// Takes a tag off a tool and adds the entry of the audit log; whether the tool had it.
pub async fn untag(
    db: &impl Database,
    account: &str,
    id: &str,
    tag: &str,
    logged: Statement,
) -> Result<bool, DbError> {
    let had = TAGGED.with(id).with(account).with(tag);
    let remove = UNTAG.with(id).with(account).with(tag);
    let [had, _, _] = db.batch_of([had, remove, logged]).await?;
    Ok(had.first::<serde_json::Value>()?.is_some())
}

/// A page of the tools with a tag that contains `text` in any case, and whether there are more.
pub async fn by_tag(
    db: &impl Database,
    account: &str,
    text: &str,
    paging: Paging,
) -> Result<(Vec<Tool>, bool), DbError> {
    let Paging { after, skip, limit } = paging;
    let taggings: Option<Taggings> = db.query(TAGGINGS.with(account).with(text)).await?.first()?;
    let taggings = taggings.map_or(0, |found| found.taggings);
    let sql = if taggings > RARE_TAGGINGS_MAX { BY_COMMON_TAG } else { BY_RARE_TAG };
    let statement = sql.with(account).with(after).with(text).with(limit + 1).with(skip);
    page_of(&db.query(statement).await?, limit)
}

/// The properties that tools are searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Properties<'a> {
    /// What it takes.
    Input(&'a str),
    /// What it gives.
    Output(&'a str),
    /// Both.
    Both {
        /// What it takes.
        input: &'a str,
        /// What it gives.
        output: &'a str,
    },
}

/// The statement that finds a page of the tools whose schemas name these properties.
pub fn by_properties_statement(
    account: &str,
    properties: Properties<'_>,
    paging: Paging,
) -> Statement {
    let Paging { after, skip, limit } = paging;
    let (sql, one, other) = match properties {
        Properties::Input(name) => (BY_PROPERTY, "input", name),
        Properties::Output(name) => (BY_PROPERTY, "output", name),
        Properties::Both { input, output } => (BY_BOTH, input, output),
    };
    sql.with(account).with(after).with(one).with(other).with(limit + 1).with(skip)
}

/// A page of the tools whose schemas name these properties, and whether there are more.
pub async fn by_properties(
    db: &impl Database,
    account: &str,
    properties: Properties<'_>,
    paging: Paging,
) -> Result<(Vec<Tool>, bool), DbError> {
    let statement = by_properties_statement(account, properties, paging);
    page_of(&db.query(statement).await?, paging.limit)
}
