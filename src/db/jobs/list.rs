//! Lists of jobs, each along an index that is in the order of the page already.
//!
//! A status is asked for as the journals have it, and rows may be a little behind. So a page holds,
//! beside the rows of the status, all whose execution has not ended: who asks looks at those.

use engine::time::Timestamp;
use serde::Deserialize;

use super::{Job, columns, with_execution};
use crate::db::{Database, DbError, Sql, Statement, iso, paging, statements};

/// The most jobs of one page.
pub const PAGE_MAX: u32 = 200;

const BEGINNING_OF_TIME: &str = "";
const END_OF_TIME: &str = "9999-12-31T23:59:59.999Z";
/// Greater than any key that a row has.
const LAST: &str = "~";

/// Whether a job's execution may stand elsewhere than its row says.
macro_rules! follows {
    () => {
        "(j.pipeline_id IS NOT NULL AND j.status IN ('pending', 'running', 'waiting', 'paused'))"
    };
}

/// ?1 account, ?2 priority, ?3 text, ?4 from and ?5 to; NULL filters nothing.
macro_rules! filters {
    () => {
        "j.account_id = ?1 AND j.begun = 1 AND (?2 IS NULL OR j.priority = ?2)
        AND (?3 IS NULL OR instr(lower(j.title || ' ' || coalesce(j.description, '')),
          lower(?3)) > 0)
        AND j.created_at >= ?4 AND j.created_at <= ?5 "
    };
}

macro_rules! urgency {
    () => {
        "(CASE j.priority WHEN 'critical' THEN '4 ' WHEN 'high' THEN '3 ' WHEN 'medium' THEN '2 '
          ELSE '1 ' END || j.created_at)"
    };
}

/// ?6 status, ?7 and ?8 the key and the id of the job that the page comes after, ?9 how many.
macro_rules! page {
    ($index:literal, $key:expr, $than:literal, $order:literal) => {
        concat!(
            columns!(),
            "INDEXED BY ",
            $index,
            with_execution!(),
            "WHERE ",
            filters!(),
            "AND (?6 IS NULL OR j.status = ?6 OR ",
            follows!(),
            ") AND (",
            $key,
            ", j.id) ",
            $than,
            " (?7, ?8) ORDER BY ",
            $key,
            " ",
            $order,
            ", j.id ",
            $order,
            " LIMIT ?9"
        )
    };
}

statements! { "jobs.list":
    /// The newest first.
    NEWEST = page!("jobs_by_time", "j.created_at", "<", "DESC");

    /// The oldest first.
    OLDEST = page!("jobs_by_time", "j.created_at", ">", "ASC");

    /// What was changed last first.
    CHANGED_LAST = page!("jobs_by_change", "j.updated_at", "<", "DESC");

    /// What was changed longest ago first.
    CHANGED_FIRST = page!("jobs_by_change", "j.updated_at", ">", "ASC");

    /// The most urgent first.
    MOST_URGENT = page!("jobs_by_priority", urgency!(), "<", "DESC");

    /// The least urgent first.
    LEAST_URGENT = page!("jobs_by_priority", urgency!(), ">", "ASC");

    /// How many there are: all, or those of the status ?6 without those whose execution goes on.
    TOTAL = concat!("SELECT count(*) AS total FROM jobs AS j WHERE ", filters!(),
        "AND (?6 IS NULL OR j.status = ?6 AND NOT ", follows!(), ")");

    /// Those whose execution goes on, ?6 at most.
    FOLLOWING = concat!(columns!(), with_execution!(), "WHERE ", filters!(), "AND ", follows!(),
        " ORDER BY j.created_at DESC, j.id DESC LIMIT ?6");
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By when they were made, newest first.
    Newest,
    /// By when they were made, oldest first.
    Oldest,
    /// By when they were changed, last first.
    ChangedLast,
    /// By when they were changed, longest ago first.
    ChangedFirst,
    /// By priority, then by when they were made; greatest first.
    MostUrgent,
    /// The other way round.
    LeastUrgent,
}

/// Which jobs of an account are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this priority.
    pub priority: Option<String>,
    /// Only where title or description contains this.
    pub search: Option<String>,
    /// Not made before this moment.
    pub from: Option<Timestamp>,
    /// Not made after this moment.
    pub to: Option<Timestamp>,
    /// Only of this status, and those whose execution may have it.
    pub status: Option<String>,
}

/// Which part of a list is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In which order.
    pub order: Order,
    /// The key and the id of the job that it comes after.
    pub after: Option<(String, String)>,
    /// The most jobs.
    pub limit: u32,
}

#[derive(Deserialize)]
struct Total {
    total: u64,
}

impl Order {
    fn sql(self) -> Sql {
        match self {
            Self::Newest => NEWEST,
            Self::Oldest => OLDEST,
            Self::ChangedLast => CHANGED_LAST,
            Self::ChangedFirst => CHANGED_FIRST,
            Self::MostUrgent => MOST_URGENT,
            Self::LeastUrgent => LEAST_URGENT,
        }
    }

    /// What a page after `job` begins behind.
    pub fn key(self, job: &Job) -> String {
        let rank = match job.priority.as_str() {
            "critical" => '4',
            "high" => '3',
            "medium" => '2',
            _ => '1',
        };
        match self {
            Self::Newest | Self::Oldest => job.created_at.clone(),
            Self::ChangedLast | Self::ChangedFirst => job.updated_at.clone(),
            Self::MostUrgent | Self::LeastUrgent => format!("{rank} {}", job.created_at),
        }
    }

    /// The key before the first row.
    fn start(self) -> &'static str {
        match self {
            Self::Newest | Self::ChangedLast | Self::MostUrgent => LAST,
            Self::Oldest | Self::ChangedFirst | Self::LeastUrgent => "",
        }
    }
}

fn filtered(sql: Sql, account: &str, filter: &Filter) -> Statement {
    sql.with(account)
        .with(filter.priority.as_deref())
        .with(filter.search.as_deref())
        .with(filter.from.map_or(BEGINNING_OF_TIME.to_owned(), iso))
        .with(filter.to.map_or(END_OF_TIME.to_owned(), iso))
}

/// The statement of a page.
pub fn page_statement(account: &str, filter: &Filter, page: &Page) -> Statement {
    let start = || (page.order.start().to_owned(), String::new());
    let (key, id) = page.after.clone().unwrap_or_else(start);
    filtered(page.order.sql(), account, filter)
        .with(filter.status.as_deref())
        .with(key)
        .with(id)
        .with(page.limit + 1)
}

/// A page, and whether there are more behind it.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<Job>, bool), DbError> {
    let page = Page { limit: page.limit.clamp(1, PAGE_MAX), ..page.clone() };
    paging::page_of(&db.query(page_statement(account, filter, &page)).await?, page.limit)
}

/// How many jobs the filters leave as the rows stand, and, where a status is asked for, those whose
/// execution goes on: they are not counted, and who asks looks at them. At most `following_max`.
pub async fn total(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    following_max: u32,
) -> Result<(u64, Vec<Job>), DbError> {
    let count = filtered(TOTAL, account, filter).with(filter.status.as_deref());
    if filter.status.is_none() {
        let row: Option<Total> = db.query(count).await?.first()?;
        return Ok((row.map_or(0, |row| row.total), Vec::new()));
    }
    let following = filtered(FOLLOWING, account, filter).with(following_max);
    let [count, following] = db.batch_of([count, following]).await?;
    let row: Option<Total> = count.first()?;
    Ok((row.map_or(0, |row| row.total), following.decode()?))
}
