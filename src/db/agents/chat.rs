//! What people, the orchestrator agent and the others say to each other.

use std::marker::PhantomData;

use api_types::agents::ChatMessage;

use super::page::{List, along, search};
use super::records::Records;
use crate::db::{Param, statements};

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
        coalesce(nullif(e.value -> 'metadata', 'null'), '{}'), e.value ->> 'timestamp'
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

/// What people, the orchestrator and agents said.
pub const RECORDS: Records<Filter, ChatMessage> = Records {
    list: List {
        by_time: BY_TIME,
        by_filter: &[(0, BY_AGENT_ID), (2, BY_RECEIVER_TYPE), (1, BY_SENDER_TYPE)],
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
    /// Only to or from this agent.
    pub agent_id: Option<String>,
    /// Only by such.
    pub sender_type: Option<String>,
    /// Only to such.
    pub receiver_type: Option<String>,
}

impl super::records::Filter for Filter {
    fn params(&self) -> Vec<Param> {
        vec![
            self.agent_id.as_deref().into(),
            self.sender_type.as_deref().into(),
            self.receiver_type.as_deref().into(),
        ]
    }
}
