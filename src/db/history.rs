//! The history of an account's executions: pages, newest first, with filters.
//!
//! Three statements, alike but for what leads them: the order of time, a template, or a status.
//! Each walks an index that is in the order of the page already, so a page costs what it shows and
//! what the other filters pass over.

use engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::row::{flag, json};
use super::{Database, DbError, Param, Sql, Statement, iso, statements};

/// The most rows of one page.
pub const PAGE_MAX: u32 = 200;

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

/// ?10 and ?11 are the row that the page comes after, ?12 is how many rows.
macro_rules! page {
    () => {
        " AND (created_at, id) < (?10, ?11) ORDER BY created_at DESC, id DESC LIMIT ?12"
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

    /// How many rows the filters leave.
    TOTAL = concat!("SELECT count(*) AS total FROM pipeline_executions WHERE ", filters!());
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

/// A page of `account`'s executions, newest first. `limit` is at most [`PAGE_MAX`].
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page, DbError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let statement = page_statement(account, filter, after, limit + 1);
    let mut rows: Vec<HistoryRow> = db.query(statement).await?.decode()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| Cursor { created_at: row.created_at.clone(), id: row.id });
    Ok(Page { rows, next })
}

/// How many of `account`'s executions the filter leaves. It reads every one of them.
pub async fn total(db: &impl Database, account: &str, filter: &Filter) -> Result<u64, DbError> {
    let row: Option<Total> = db.query(filtered(TOTAL, account, filter)).await?.first()?;
    Ok(row.map_or(0, |row| row.total))
}

/// The statement of a page: the rarer of what the filter names leads it.
pub fn page_statement(
    account: &str,
    filter: &Filter,
    after: Option<&Cursor>,
    rows: u32,
) -> Statement {
    let sql = match (filter.status.as_deref(), &filter.template_name) {
        (Some(status), _) if status != "completed" => BY_STATUS,
        (_, Some(_)) => BY_TEMPLATE,
        (_, None) => BY_TIME,
    };
    let (created_at, id) = after.map_or((END_OF_TIME, Param::Integer(1 << 53)), |cursor| {
        (cursor.created_at.as_str(), cursor.id.into())
    });
    filtered(sql, account, filter).with(created_at).with(id).with(rows)
}

fn filtered(sql: Sql, account: &str, filter: &Filter) -> Statement {
    sql.with(account)
        .with(filter.created_from.map_or(BEGINNING_OF_TIME.to_owned(), iso))
        .with(filter.created_to.map_or(END_OF_TIME.to_owned(), iso))
        .with(filter.template_name.as_deref())
        .with(filter.status.as_deref())
        .with(filter.execution_strategy.as_deref())
        .with(filter.topic_contains.as_deref())
        .with(filter.cost_micro_usd_min)
        .with(filter.cost_micro_usd_max)
}
