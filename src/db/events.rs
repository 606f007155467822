//! Events: what happened, in the order in which it was committed. Triggers write those of the
//! product's own topics in the transaction of what they tell of; clients add `custom` ones.
//!
//! An event's number is the cursor: it grows with each commit, so whoever goes on after the last
//! number that it read misses nothing. Rows are added and, when their time is over, removed.

use engine::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::row::json;
use super::{Database, DbError, Rows, Sql, Statement, iso, statements};

/// The most events of one page.
pub const PAGE_MAX: u32 = 200;
/// Beyond any event: D1 keeps whole numbers to here.
const END: u64 = 1 << 53;

macro_rules! columns {
    () => {
        "SELECT id, topic, event_type, subject, actor, payload, event_id, created_at FROM events "
    };
}

/// ?1 account, ?2 the event that the page comes after, ?3 the one that it ends before, ?4 topic,
/// ?5 type, ?6 subject, ?7 whether administration shows; NULL filters nothing. ?8 is how many.
macro_rules! page {
    ($index:literal, $leads:literal, $order:literal) => {
        concat!(
            columns!(),
            "INDEXED BY ",
            $index,
            " WHERE account = ?1 AND ",
            $leads,
            " AND id > ?2 AND id < ?3 AND (?4 IS NULL OR topic = ?4)
            AND (?5 IS NULL OR event_type = ?5) AND (?6 IS NULL OR subject = ?6)
            AND (?7 = 1 OR topic <> 'administration') ORDER BY id ",
            $order,
            " LIMIT ?8"
        )
    };
}

/// Whether the event in the middle of the bounds, or the last before it, happened before ?1.
macro_rules! earlier {
    () => {
        "(SELECT created_at FROM events WHERE id <= (low + high) / 2 ORDER BY id DESC LIMIT 1) < ?1"
    };
}

statements! { "events":
    /// A page, oldest first.
    ALL = page!("events_by_account", "true", "ASC");

    /// A page of one topic, oldest first.
    BY_TOPIC = page!("events_by_topic", "topic = ?4", "ASC");

    /// A page of one type, oldest first.
    BY_TYPE = page!("events_by_type", "event_type = ?5", "ASC");

    /// A page about one thing, oldest first.
    BY_SUBJECT = page!("events_by_subject", "subject = ?6", "ASC");

    /// A page, newest first.
    ALL_DOWN = page!("events_by_account", "true", "DESC");

    /// A page of one topic, newest first.
    BY_TOPIC_DOWN = page!("events_by_topic", "topic = ?4", "DESC");

    /// A page of one type, newest first.
    BY_TYPE_DOWN = page!("events_by_type", "event_type = ?5", "DESC");

    /// A page about one thing, newest first.
    BY_SUBJECT_DOWN = page!("events_by_subject", "subject = ?6", "DESC");

    /// The first number whose event, whoever's, did not happen before ?1: numbers grow with time,
    /// so it is found by halving.
    FIRST_FROM = concat!("WITH RECURSIVE bounds (low, high) AS (
        SELECT coalesce((SELECT min(id) FROM events), 1),
          coalesce((SELECT max(id) FROM events), 0) + 1
        UNION ALL
        SELECT iif(", earlier!(), ", (low + high) / 2 + 1, low),
          iif(", earlier!(), ", high, (low + high) / 2)
        FROM bounds WHERE low < high
      ) SELECT low AS id FROM bounds WHERE low >= high");

    /// The newest number of an account.
    NEWEST = "SELECT max(id) AS id FROM events WHERE account = ?1";

    /// A client's event; nothing where its id is known. The account must be there.
    ADD = "INSERT INTO events (account, topic, event_type, subject, actor, payload, event_id)
      SELECT ?1, 'custom', ?2, ?3, ?4, ?5, ?6 WHERE true
      ON CONFLICT (account, event_id) WHERE event_id IS NOT NULL DO NOTHING RETURNING id";

    /// The event of a client's id.
    BY_EVENT_ID = concat!(columns!(), "WHERE account = ?1 AND event_id = ?2");

    /// Removes those before ?1 among the ?2 oldest, and says how many it removed.
    EXPIRE = "DELETE FROM events WHERE id IN (
        SELECT id FROM (SELECT id, created_at FROM events ORDER BY id LIMIT ?2)
        WHERE created_at < ?1)
      RETURNING id";
}

/// An event.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// Its number: the cursor.
    pub id: u64,
    /// `executions`, `jobs`, `tasks`, `workers`, `alerts`, `administration` or `custom`.
    pub topic: String,
    /// What happened: `execution.completed`.
    pub event_type: String,
    /// The id of what it is about.
    pub subject: Option<String>,
    /// Who did it, where somebody did.
    pub actor: Option<String>,
    /// What else there is to say.
    #[serde(deserialize_with = "json")]
    pub payload: Value,
    /// The client's own id of it.
    pub event_id: Option<String>,
    /// When.
    pub created_at: String,
}

/// Which events are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this type.
    pub event_type: Option<String>,
    /// Only about this thing.
    pub subject: Option<String>,
    /// Whether those of administration show.
    pub administration: bool,
}

/// Which part of the stream is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Only after this number.
    pub after: u64,
    /// Only before this number.
    pub before: u64,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// The most events.
    pub limit: u32,
}

/// What a client says happened.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Whose event it is.
    pub account: &'a str,
    /// What happened.
    pub event_type: &'a str,
    /// What it is about.
    pub subject: Option<&'a str>,
    /// Who says so.
    pub actor: &'a str,
    /// What else there is to say.
    pub payload: &'a Value,
    /// Its own id of it.
    pub event_id: &'a str,
}

#[derive(Deserialize)]
struct Number {
    id: Option<u64>,
}

impl Default for Range {
    fn default() -> Self {
        Self { after: 0, before: END, newest_first: false, limit: PAGE_MAX }
    }
}

/// What happened to an account after the event `cursor`, oldest first, all topics.
pub async fn after(
    db: &impl Database,
    account: &str,
    cursor: u64,
    limit: u32,
) -> Result<Vec<Event>, DbError> {
    let filter = Filter { administration: true, ..Filter::default() };
    let range = Range { after: cursor, limit, ..Range::default() };
    db.query(page_statement(account, &filter, range)).await?.decode()
}

/// A page, and whether there are more behind it.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    range: Range,
) -> Result<(Vec<Event>, bool), DbError> {
    let limit = range.limit.clamp(1, PAGE_MAX);
    let asked = Range { limit: limit + 1, ..range };
    super::paging::page_of(&db.query(page_statement(account, filter, asked)).await?, limit)
}

/// The statement of a page, along the filter that leaves the fewest rows.
pub fn page_statement(account: &str, filter: &Filter, range: Range) -> Statement {
    let Filter { topic, event_type, subject, administration } = filter;
    let along: [Sql; 2] = match (subject, event_type, topic) {
        (Some(_), _, _) => [BY_SUBJECT, BY_SUBJECT_DOWN],
        (None, Some(_), _) => [BY_TYPE, BY_TYPE_DOWN],
        (None, None, Some(_)) => [BY_TOPIC, BY_TOPIC_DOWN],
        (None, None, None) => [ALL, ALL_DOWN],
    };
    along[usize::from(range.newest_first)]
        .with(account)
        .with(range.after)
        .with(range.before.min(END))
        .with(topic.as_deref())
        .with(event_type.as_deref())
        .with(subject.as_deref())
        .with(*administration)
        .with(range.limit)
}

/// The first number whose event did not happen before `moment`.
pub async fn first_from(db: &impl Database, moment: Timestamp) -> Result<u64, DbError> {
    let row: Option<Number> = db.query(FIRST_FROM.with(iso(moment))).await?.first()?;
    Ok(row.and_then(|row| row.id).unwrap_or(END))
}

/// The number of an account's newest event; 0 before the first.
pub async fn newest(db: &impl Database, account: &str) -> Result<u64, DbError> {
    let row: Option<Number> = db.query(NEWEST.with(account)).await?.first()?;
    Ok(row.and_then(|row| row.id).unwrap_or_default())
}

/// Adds a client's event, unless its id is known; the event that stands under the id, and whether
/// it is new. One whose answer was lost, and which is sent again, is not.
pub async fn add(db: &impl Database, told: Told<'_>) -> Result<(Event, bool), DbError> {
    let Told { account, event_type, subject, actor, payload, event_id } = told;
    let adding =
        ADD.with(account).with(event_type).with(subject).with(actor).with(payload).with(event_id);
    let found = BY_EVENT_ID.with(account).with(event_id);
    let [added, found] = db.batch_of([adding, found]).await?;
    Ok((one(&found)?, added.first::<Number>()?.is_some()))
}

/// Removes what happened before `moment` among the oldest `look_at`; how many went.
pub async fn expire(db: &impl Database, moment: Timestamp, look_at: u32) -> Result<usize, DbError> {
    let gone: Vec<Number> = db.query(EXPIRE.with(iso(moment)).with(look_at)).await?.decode()?;
    Ok(gone.len())
}

fn one(found: &Rows) -> Result<Event, DbError> {
    found.first()?.ok_or_else(|| {
        let detail = "the event that was added is not there".to_owned();
        DbError::new(super::DbErrorKind::Malformed, BY_EVENT_ID.name, detail)
    })
}
