//! What agents did, entry by entry.

use std::marker::PhantomData;

use api_types::agents::AgentLog;
use serde::Deserialize;
use serde_json::Value;

use super::models;
use super::page::{List, along, search};
use super::records::Records;
use crate::db::{Database, DbError, Param, statements};

macro_rules! columns {
    () => {
        "agent_logs.seq, agent_logs.id, agent_logs.agent_id, agent_logs.session_id,
        agent_logs.task_slug, agent_logs.adw_id, agent_logs.adw_step,
        agent_logs.entry_index, agent_logs.event_category, agent_logs.event_type,
        agent_logs.content, agent_logs.payload, agent_logs.summary,
        agent_logs.timestamp, agent_logs.created_at"
    };
}

macro_rules! filters {
    () => {
        "(?7 IS NULL OR agent_logs.agent_id = ?7) AND
        (?8 IS NULL OR agent_logs.session_id = ?8) AND
        (?9 IS NULL OR agent_logs.task_slug = ?9) AND
        (?10 IS NULL OR agent_logs.adw_id = ?10) AND
        (?11 IS NULL OR agent_logs.adw_step = ?11) AND
        (?12 IS NULL OR agent_logs.event_category = ?12) AND
        (?13 IS NULL OR agent_logs.event_type = ?13)"
    };
}

macro_rules! list {
    ($index:literal, $lead:literal) => {
        along!(columns!(), "agent_logs", $index, $lead, filters!(), "timestamp", "seq")
    };
}

statements! { "agent_logs":
    /// A page in the order of time.
    BY_TIME = list!("agent_logs_by_time", "true");

    /// A page of one task.
    BY_TASK_SLUG = list!("agent_logs_by_task", "task_slug = ?9");

    /// A page of one conversation.
    BY_SESSION_ID = list!("agent_logs_by_session", "session_id = ?8");

    /// A page of one piece of developer work.
    BY_ADW_ID = list!("agent_logs_by_adw", "adw_id = ?10");

    /// A page of one agent.
    BY_AGENT_ID = list!("agent_logs_by_agent", "agent_id = ?7");

    /// A page of one kind.
    BY_EVENT_TYPE = list!("agent_logs_by_type", "event_type = ?13");

    /// A page of one category.
    BY_EVENT_CATEGORY = list!("agent_logs_by_category", "event_category = ?12");

    /// A page of those in which words stand.
    BY_WORDS = search!(columns!(), "agent_logs", "agent_logs_text", "?14", filters!());

    /// One of them.
    BY_ID = concat!(
      "SELECT ", columns!(), " FROM agent_logs INDEXED BY agent_logs_by_id
      WHERE account_id = ?2 AND id = ?1");

    /// New ones, from an array of documents: what is there already under its id stays as it is.
    APPEND = "INSERT INTO agent_logs (
        account_id, id, agent_id, session_id, task_slug, adw_id, adw_step,
        entry_index, event_category, event_type, content, payload, summary,
        timestamp)
      SELECT ?2, e.value ->> 'id', e.value ->> 'agent_id', e.value ->> 'session_id', e.value ->>
        'task_slug', e.value ->> 'adw_id', e.value ->> 'adw_step', e.value ->>
        'entry_index', e.value ->> 'event_category', e.value ->> 'event_type', e.value ->>
        'content', coalesce(nullif(e.value -> 'payload', 'null'), '{}'), e.value ->> 'summary',
        e.value ->> 'timestamp'
      FROM json_each(?1) AS e
      WHERE NOT EXISTS (SELECT 1 FROM json_each(?1) AS x WHERE x.value ->> 'agent_id' IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM agents AS a
          WHERE a.id = x.value ->> 'agent_id' AND a.account_id = ?2))
      ORDER BY e.key
      ON CONFLICT DO NOTHING RETURNING seq";

    /// The entries of a batch that name an agent which the account has not: their places.
    UNKNOWN = "SELECT x.key AS place FROM json_each(?1) AS x
      WHERE x.value ->> 'agent_id' IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM agents AS a WHERE a.id = x.value ->> 'agent_id' AND a.account_id = ?2)
      ORDER BY x.key";

    /// Adds a summary to one that has none.
    SUMMARISE = "UPDATE agent_logs SET summary = ?3
      WHERE id = ?1 AND account_id = ?2 AND summary IS NULL";

    /// What arrived after an entry, in that order.
    ARRIVED = concat!(
      "SELECT ", columns!(), " FROM agent_logs INDEXED BY agent_logs_arrived
      WHERE account_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");

    /// What arrived from one agent after an entry, in that order.
    ARRIVED_OF_AGENT = concat!(
      "SELECT ", columns!(), " FROM agent_logs INDEXED BY agent_logs_arrived_of_agent
      WHERE account_id = ?1 AND agent_id = ?4 AND seq > ?2 ORDER BY seq LIMIT ?3");

    /// The number of what arrived last.
    NEWEST = "SELECT coalesce(max(seq), 0) AS seq FROM agent_logs INDEXED BY agent_logs_arrived
      WHERE account_id = ?1";

    /// What one agent did from one of its entries on, in its own order.
    BY_ENTRY = concat!(
      "SELECT ", columns!(), " FROM agent_logs INDEXED BY agent_logs_by_entry
      WHERE account_id = ?1 AND agent_id = ?2 AND entry_index >= ?3
      ORDER BY entry_index, seq LIMIT ?4");
}

/// What agents did.
pub const RECORDS: Records<Filter, AgentLog> = Records {
    list: List {
        by_time: BY_TIME,
        by_filter: &[
            (2, BY_TASK_SLUG),
            (1, BY_SESSION_ID),
            (3, BY_ADW_ID),
            (0, BY_AGENT_ID),
            (6, BY_EVENT_TYPE),
            (5, BY_EVENT_CATEGORY),
        ],
        by_words: Some(BY_WORDS),
        numbered: true,
    },
    by_id: BY_ID,
    append: APPEND,
    summarise: SUMMARISE,
    rows: PhantomData,
};

/// Which are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this agent.
    pub agent_id: Option<String>,
    /// Only of this conversation.
    pub session_id: Option<String>,
    /// Only of this task.
    pub task_slug: Option<String>,
    /// Only of this piece of developer work.
    pub adw_id: Option<String>,
    /// Only of this step of it.
    pub adw_step: Option<String>,
    /// Only from there.
    pub event_category: Option<String>,
    /// Only that happened so.
    pub event_type: Option<String>,
}

impl super::records::Filter for Filter {
    fn params(&self) -> Vec<Param> {
        vec![
            self.agent_id.as_deref().into(),
            self.session_id.as_deref().into(),
            self.task_slug.as_deref().into(),
            self.adw_id.as_deref().into(),
            self.adw_step.as_deref().into(),
            self.event_category.as_deref().into(),
            self.event_type.as_deref().into(),
        ]
    }
}

/// What came of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appending {
    /// How many of its entries are new.
    Done { appended: u64 },
    /// Nothing was added: the entries at these places name an agent that the account has not.
    AgentsUnknown { places: Vec<u64> },
}

#[derive(Deserialize)]
struct Place {
    place: u64,
}

/// Appends the entries, documents with an id and a moment each: all, or none.
pub async fn append(
    db: &impl Database,
    account: &str,
    entries: &Value,
) -> Result<Appending, DbError> {
    let unknown = UNKNOWN.with(entries).with(account);
    let adding = RECORDS.appending(account, entries);
    let [unknown, added] = db.batch_of([unknown, adding]).await?;
    let unknown: Vec<Place> = unknown.decode()?;
    if unknown.is_empty() {
        let appended = added.decode::<Value>()?.len() as u64;
        return Ok(Appending::Done { appended });
    }
    let places = unknown.into_iter().map(|place| place.place).collect();
    Ok(Appending::AgentsUnknown { places })
}

/// What arrived after the entry of the number `after`, of one agent or of all, in that order.
pub async fn arrived(
    db: &impl Database,
    account: &str,
    agent: Option<&str>,
    after: u64,
    limit: u32,
) -> Result<Vec<AgentLog>, DbError> {
    let sql = if agent.is_some() { ARRIVED_OF_AGENT } else { ARRIVED };
    let base = sql.with(account).with(after).with(limit);
    let statement = agent.into_iter().fold(base, |statement, agent| statement.with(agent));
    models(&db.query(statement).await?, sql)
}

/// The number of what arrived last; 0 where nothing has.
pub async fn newest(db: &impl Database, account: &str) -> Result<u64, DbError> {
    #[derive(Deserialize)]
    struct Newest {
        seq: u64,
    }
    let newest: Option<Newest> = db.query(NEWEST.with(account)).await?.first()?;
    Ok(newest.map_or(0, |newest| newest.seq))
}

/// What `agent` did from its entry number `from` on, in its own order.
pub async fn from_entry(
    db: &impl Database,
    account: &str,
    agent: &str,
    from: u64,
    limit: u32,
) -> Result<Vec<AgentLog>, DbError> {
    let statement = BY_ENTRY.with(account).with(agent).with(from).with(limit);
    models(&db.query(statement).await?, BY_ENTRY)
}
