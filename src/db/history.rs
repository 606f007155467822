//! The history of an account's executions: pages, newest first, with filters.
//!
//! Pages in the order of time, of a template or of a status walk an index that is in their order
//! already, so a page costs what it shows. Where filters pass over executions, a page finds the
//! rows that it shows in one index that holds all that filters look at; it looks at so many and no
//! more, and the next page goes on from there.

use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::row::{flag, json};
use super::{Database, DbError, Param, Sql, Statement, iso, statements};

/// The most rows of one page.
pub const PAGE_MAX: u32 = 200;
/// The most executions that one page looks at, where its filters pass over some.
pub const LOOKED_AT_MAX: u32 = 100_000;

/// Earlier and later than any moment that a row can have.
const BEGINNING_OF_TIME: &str = "";
const END_OF_TIME: &str = "9999-12-31T23:59:59.999Z";

macro_rules! columns {
    () => {
        "SELECT id, pipeline_id, template_name, template_revision, topic, status,
        execution_strategy, optimize_for, urgency, quality_level, total_cost_micro_usd,
        cost_estimated, sources_discovered, articles_processed, final_quality_score,
        optimization_applied, cache_hit, total_execution_time_ms, waiting_reason, created_at,
        started_at, completed_at "
    };
}

/// ?1 account, ?2 from and ?3 to (both within), ?4 template, ?5 status, ?6 strategy, ?7 text that
/// the topic contains, ?8 least and ?9 greatest cost; NULL filters nothing.
macro_rules! filters {
    () => {
        "account_id = ?1 AND created_at >= ?2 AND created_at <= ?3
        AND (?4 IS NULL OR template_name = ?4) AND (?5 IS NULL OR status = ?5)
        AND (?6 IS NULL OR execution_strategy = ?6)
        AND (?7 IS NULL OR instr(lower(coalesce(topic, '')), lower(?7)) > 0)
        AND (?8 IS NULL OR total_cost_micro_usd >= ?8)
        AND (?9 IS NULL OR total_cost_micro_usd <= ?9)"
    };
}

/// ?10 and ?11 are the row that the page comes after, ?12 and ?13 the last row that is looked at,
/// ?14 is how many rows.
macro_rules! page {
    () => {
        " AND (created_at, id) < (?10, ?11) AND (created_at, id) >= (?12, ?13)
        ORDER BY created_at DESC, id DESC LIMIT ?14"
    };
}

statements! { "history":
    /// A page in the order of time.
    BY_TIME = concat!(
        columns!(),
        "FROM pipeline_executions INDEXED BY pipeline_executions_history WHERE ",
        filters!(), page!());

    /// A page of one template.
    BY_TEMPLATE = concat!(
        columns!(),
        "FROM pipeline_executions INDEXED BY pipeline_executions_by_template WHERE ",
        "template_name = ?4 AND ", filters!(), page!());

    /// A page of one status other than `completed`.
    BY_STATUS = concat!(
        columns!(),
        "FROM pipeline_executions INDEXED BY pipeline_executions_by_status WHERE ",
        "status = ?5 AND status <> 'completed' AND ", filters!(), page!());

    /// A page of what the filters leave, found without reading what they pass over.
    FILTERED = concat!(
        columns!(),
        "FROM (SELECT id AS found FROM pipeline_executions INDEXED BY pipeline_executions_filters
          WHERE ", filters!(), page!(), ") AS page
        CROSS JOIN pipeline_executions AS e ON e.id = page.found
        ORDER BY created_at DESC, id DESC");

    /// How far a page that is `FILTERED` looks, the row that so many come before: ?1 account,
    /// ?2 from and ?3 to, ?4 and ?5 the row that the page comes after, ?6 how many.
    FAR = "SELECT created_at, id FROM pipeline_executions INDEXED BY pipeline_executions_history
        WHERE account_id = ?1 AND created_at >= ?2 AND created_at <= ?3
          AND (created_at, id) < (?4, ?5)
        ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?6";

    /// How many rows the filters leave.
    TOTAL = concat!(
        "SELECT count(*) AS total
        FROM pipeline_executions INDEXED BY pipeline_executions_filters WHERE ", filters!());
}

/// Which executions of an account are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this template.
    pub template_name: Option<String>,
    /// Only with this status.
    pub status: Option<String>,
    /// Only with this strategy's label.
    pub execution_strategy: Option<String>,
    /// Only where the topic contains this text, whatever the case of its ASCII letters.
    pub topic_contains: Option<String>,
    /// Not before this moment.
    pub created_from: Option<Timestamp>,
    /// Not after this moment.
    pub created_to: Option<Timestamp>,
    /// Not cheaper than this.
    pub cost_micro_usd_min: Option<u64>,
    /// Not dearer than this.
    pub cost_micro_usd_max: Option<u64>,
}

/// What a page walks.
enum Walk {
    Time,
    Template,
    Status,
    Filters,
}

/// The row that a page comes after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When it was asked for, as its row has it.
    pub created_at: String,
    /// Its row's number.
    pub id: i64,
}

/// An execution as the history shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct HistoryRow {
    /// The row's number, for the cursor alone.
    pub id: i64,
    /// The execution's id.
    pub pipeline_id: String,
    /// The template.
    pub template_name: String,
    /// The template's revision.
    pub template_revision: u64,
    /// What it is about.
    pub topic: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Label of the strategy.
    pub execution_strategy: String,
    /// What the request asked for.
    pub optimize_for: String,
    /// How urgent it is.
    pub urgency: String,
    /// How thorough it is.
    pub quality_level: String,
    /// What it cost.
    pub total_cost_micro_usd: u64,
    /// Whether some of that is an estimate.
    #[serde(deserialize_with = "flag")]
    pub cost_estimated: bool,
    /// The size of `data.sources`.
    pub sources_discovered: u64,
    /// The size of `data.articles`.
    pub articles_processed: u64,
    /// How good the result is, 0 to 1.
    pub final_quality_score: Option<f64>,
    /// What its strategy and the cache did for it.
    #[serde(deserialize_with = "json")]
    pub optimization_applied: Vec<String>,
    /// Whether its result is that of an earlier one.
    #[serde(deserialize_with = "flag")]
    pub cache_hit: bool,
    /// How long it took, or has taken.
    pub total_execution_time_ms: u64,
    /// What it waits for.
    pub waiting_reason: Option<String>,
    /// When it was asked for.
    pub created_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub completed_at: Option<String>,
}

/// A page of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The executions, newest first.
    pub rows: Vec<HistoryRow>,
    /// What the next page comes after; `None` when this is the last.
    pub next: Option<Cursor>,
}

#[derive(Deserialize)]
struct Total {
    total: u64,
}

/// A page of `account`'s executions, newest first. `limit` is at most [`PAGE_MAX`]. Where filters
/// pass over executions, a page may have fewer rows or none although there is a next one: it looks
/// at `looked_at_max` executions, [`LOOKED_AT_MAX`] for a request.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: u32,
    looked_at_max: u32,
) -> Result<Page, DbError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let far: Option<Cursor> = match filter.walk() {
        Walk::Filters => {
            db.query(far_statement(account, filter, after, looked_at_max)).await?.first()?
        }
        Walk::Time | Walk::Template | Walk::Status => None,
    };
    let statement = page_statement(account, filter, after, far.as_ref(), limit + 1);
    let mut rows: Vec<HistoryRow> = db.query(statement).await?.decode()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| Cursor { created_at: row.created_at.clone(), id: row.id });
    Ok(Page { rows, next: next.or(far) })
}

/// How many of `account`'s executions the filter leaves. It looks at each, in an index.
pub async fn total(db: &impl Database, account: &str, filter: &Filter) -> Result<u64, DbError> {
    let row: Option<Total> = db.query(total_statement(account, filter)).await?.first()?;
    Ok(row.map_or(0, |row| row.total))
}

impl Filter {
    /// One thing that has an index of its own, or all that filters look at.
    fn walk(&self) -> Walk {
        let Self { template_name, status, execution_strategy, topic_contains, .. } = self;
        let by_cost = self.cost_micro_usd_min.or(self.cost_micro_usd_max).is_some();
        if by_cost || execution_strategy.is_some() || topic_contains.is_some() {
            return Walk::Filters;
        }
        match (status.as_deref(), template_name) {
            (None, None) => Walk::Time,
            (None, Some(_)) => Walk::Template,
            // Too many are completed for an index of them.
            (Some(status), None) if status != "completed" => Walk::Status,
            (Some(_), _) => Walk::Filters,
        }
    }
}

/// The statement of a page; it looks no further than `far`.
pub fn page_statement(
    account: &str,
    filter: &Filter,
    after: Option<&Cursor>,
    far: Option<&Cursor>,
    rows: u32,
) -> Statement {
    let sql = match filter.walk() {
        Walk::Time => BY_TIME,
        Walk::Template => BY_TEMPLATE,
        Walk::Status => BY_STATUS,
        Walk::Filters => FILTERED,
    };
    let (created_at, id) = bounds(after);
    let far = far.map_or((BEGINNING_OF_TIME, 0), |far| (far.created_at.as_str(), far.id));
    let statement = filtered(sql, account, filter).with(created_at).with(id);
    statement.with(far.0).with(far.1).with(rows)
}

/// The statement that finds how far a page looks.
pub fn far_statement(
    account: &str,
    filter: &Filter,
    after: Option<&Cursor>,
    looked_at_max: u32,
) -> Statement {
    let (created_at, id) = bounds(after);
    let statement = spanned(FAR, account, filter).with(created_at).with(id);
    statement.with(looked_at_max.max(1) - 1)
}

/// The statement of [`total`].
pub fn total_statement(account: &str, filter: &Filter) -> Statement {
    filtered(TOTAL, account, filter)
}

/// The row that a page comes after, or one after all.
fn bounds(after: Option<&Cursor>) -> (&str, Param) {
    after.map_or((END_OF_TIME, Param::Integer(1 << 53)), |cursor| {
        (cursor.created_at.as_str(), cursor.id.into())
    })
}

fn spanned(sql: Sql, account: &str, filter: &Filter) -> Statement {
    sql.with(account)
        .with(filter.created_from.map_or(BEGINNING_OF_TIME.to_owned(), iso))
        .with(filter.created_to.map_or(END_OF_TIME.to_owned(), iso))
}

fn filtered(sql: Sql, account: &str, filter: &Filter) -> Statement {
    spanned(sql, account, filter)
        .with(filter.template_name.as_deref())
        .with(filter.status.as_deref())
        .with(filter.execution_strategy.as_deref())
        .with(filter.topic_contains.as_deref())
        .with(filter.cost_micro_usd_min)
        .with(filter.cost_micro_usd_max)
}
