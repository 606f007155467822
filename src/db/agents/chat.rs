//! What people, the orchestrator agent and the others say to each other.

use api_types::agents::ChatMessage;
use serde_json::Value;

use super::page::{List, along, search};
use super::{Page, Range, models};
use crate::db::{Database, DbError, Param, Statement, statements};

macro_rules! columns {
    () => {
        "orchestrator_chat.seq, orchestrator_chat.id, orchestrator_chat.sender_type,
        orchestrator_chat.receiver_type, orchestrator_chat.message,
        orchestrator_chat.summary, orchestrator_chat.agent_id,
        orchestrator_chat.metadata, orchestrator_chat.timestamp,
        orchestrator_chat.created_at"
    };
}

macro_rules! filters {
    () => {
        "(?7 IS NULL OR orchestrator_chat.agent_id = ?7) AND
        (?8 IS NULL OR orchestrator_chat.sender_type = ?8) AND
        (?9 IS NULL OR orchestrator_chat.receiver_type = ?9)"
    };
}

macro_rules! list {
    ($index:literal, $lead:literal) => {
        along!(columns!(), "orchestrator_chat", $index, $lead, filters!(), "timestamp", "seq")
    };
}

statements! { "orchestrator_chat":
    /// A page in the order of time.
    BY_TIME = list!("orchestrator_chat_by_time", "true");

    /// A page of one agent.
    BY_AGENT_ID = list!("orchestrator_chat_by_agent", "agent_id = ?7");

    /// A page of one receiver.
    BY_RECEIVER_TYPE = list!("orchestrator_chat_by_receiver", "receiver_type = ?9");

    /// A page of one sender.
    BY_SENDER_TYPE = list!("orchestrator_chat_by_sender", "sender_type = ?8");

    /// A page of those in which words stand.
    BY_WORDS = search!(
      columns!(), "orchestrator_chat", "orchestrator_chat_text", "?10", filters!());

    /// One of them.
    BY_ID = concat!(
      "SELECT ", columns!(), " FROM orchestrator_chat INDEXED BY orchestrator_chat_by_id
      WHERE account_id = ?2 AND id = ?1");

    /// New ones, from an array of documents: what is there already under its id stays as it is.
    APPEND = "INSERT INTO orchestrator_chat (
        account_id, id, sender_type, receiver_type, message, summary, agent_id,
        metadata, timestamp)
      SELECT ?2, e.value ->> 'id', e.value ->> 'sender_type', e.value ->> 'receiver_type',
        e.value ->> 'message', e.value ->> 'summary', e.value ->> 'agent_id',
        coalesce(e.value -> 'metadata', '{}'), e.value ->> 'timestamp'
      FROM json_each(?1) AS e
      WHERE NOT EXISTS (SELECT 1 FROM json_each(?1) AS x WHERE x.value ->> 'agent_id' IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM agents AS a
          WHERE a.id = x.value ->> 'agent_id' AND a.account_id = ?2))
      ORDER BY e.key
      ON CONFLICT DO NOTHING RETURNING seq";

    /// Adds a summary to one that has none.
    SUMMARISE = "UPDATE orchestrator_chat SET summary = ?3
      WHERE id = ?1 AND account_id = ?2 AND summary IS NULL";
}

const LIST: List = List {
    by_time: BY_TIME,
    by_filter: &[(0, BY_AGENT_ID), (2, BY_RECEIVER_TYPE), (1, BY_SENDER_TYPE)],
    by_words: Some(BY_WORDS),
    numbered: true,
};

/// Which are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only to or from this agent.
    pub agent_id: Option<String>,
    /// Only by such.
    pub sender_type: Option<String>,
    /// Only to such.
    pub receiver_type: Option<String>,
}

impl Filter {
    fn params(&self) -> [Param; 3] {
        [
            self.agent_id.as_deref().into(),
            self.sender_type.as_deref().into(),
            self.receiver_type.as_deref().into(),
        ]
    }
}

/// A page, newest first; with `words`, of those in which all of them stand.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    range: &Range,
    words: Option<&str>,
) -> Result<Page<ChatMessage>, DbError> {
    LIST.page(db, account, range, &filter.params(), words).await
}

/// The statement of a page; `None` where nothing can be found.
pub fn page_statement(
    account: &str,
    filter: &Filter,
    range: &Range,
    words: Option<&str>,
) -> Option<Statement> {
    LIST.statement(account, range, &filter.params(), words)
}

/// The one with this id.
pub async fn find(
    db: &impl Database,
    account: &str,
    id: &str,
) -> Result<Option<ChatMessage>, DbError> {
    let rows = db.query(by_id(account, id)).await?;
    Ok(models(&rows, BY_ID)?.pop())
}

fn by_id(account: &str, id: &str) -> Statement {
    BY_ID.with(id).with(account)
}

/// Records one; `None` where it names an agent that the account has not. What is there already
/// under its id stays as it is.
pub async fn add(
    db: &impl Database,
    account: &str,
    document: &Value,
) -> Result<Option<ChatMessage>, DbError> {
    let entries = Value::Array(vec![document.clone()]);
    let id = document["id"].as_str().unwrap_or_default();
    let adding = APPEND.with(&entries).with(account);
    let [_, rows] = db.batch_of([adding, by_id(account, id)]).await?;
    Ok(models(&rows, BY_ID)?.pop())
}

/// Adds a summary to the one with this id, unless it has one; as it is now.
pub async fn summarise(
    db: &impl Database,
    account: &str,
    id: &str,
    summary: &str,
) -> Result<Option<ChatMessage>, DbError> {
    let adding = SUMMARISE.with(id).with(account).with(summary);
    let [_, rows] = db.batch_of([adding, by_id(account, id)]).await?;
    Ok(models(&rows, BY_ID)?.pop())
}
