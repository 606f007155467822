//! What agents were asked.

use std::marker::PhantomData;

use api_types::agents::Prompt;

use super::page::{List, along, search};
use super::records::Records;
use crate::db::{Param, statements};

macro_rules! columns {
    () => {
        "prompts.seq, prompts.id, prompts.agent_id, prompts.task_slug, prompts.author,
        prompts.prompt_text, prompts.summary, prompts.timestamp, prompts.session_id,
        prompts.created_at"
    };
}

macro_rules! filters {
    () => {
        "(?7 IS NULL OR prompts.agent_id = ?7) AND
        (?8 IS NULL OR prompts.task_slug = ?8) AND
        (?9 IS NULL OR prompts.author = ?9) AND
        (?10 IS NULL OR prompts.session_id = ?10)"
    };
}

macro_rules! list {
    ($index:literal, $lead:literal) => {
        along!(columns!(), "prompts", $index, $lead, filters!(), "timestamp", "seq")
    };
}

statements! { "prompts":
    /// A page in the order of time.
    BY_TIME = list!("prompts_by_time", "true");

    /// A page of one task.
    BY_TASK_SLUG = list!("prompts_by_task", "task_slug = ?8");

    /// A page of one conversation.
    BY_SESSION_ID = list!("prompts_by_session", "session_id = ?10");

    /// A page of one agent.
    BY_AGENT_ID = list!("prompts_by_agent", "agent_id = ?7");

    /// A page of one author.
    BY_AUTHOR = list!("prompts_by_author", "author = ?9");

    /// A page of those in which words stand.
    BY_WORDS = search!(columns!(), "prompts", "prompts_text", "?11", filters!());

    /// One of them.
    BY_ID = concat!(
      "SELECT ", columns!(), " FROM prompts INDEXED BY prompts_by_id
      WHERE account_id = ?2 AND id = ?1");

    /// New ones, from an array of documents: what is there already under its id stays as it is.
    APPEND = "INSERT INTO prompts (
        account_id, id, agent_id, task_slug, author, prompt_text, summary,
        timestamp, session_id)
      SELECT ?2, e.value ->> 'id', e.value ->> 'agent_id', e.value ->> 'task_slug', e.value ->>
        'author', e.value ->> 'prompt_text', e.value ->> 'summary', e.value ->> 'timestamp',
        e.value ->> 'session_id'
      FROM json_each(?1) AS e
      WHERE NOT EXISTS (SELECT 1 FROM json_each(?1) AS x WHERE x.value ->> 'agent_id' IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM agents AS a
          WHERE a.id = x.value ->> 'agent_id' AND a.account_id = ?2))
      ORDER BY e.key
      ON CONFLICT DO NOTHING RETURNING seq";

    /// Adds a summary to one that has none.
    SUMMARISE = "UPDATE prompts SET summary = ?3
      WHERE id = ?1 AND account_id = ?2 AND summary IS NULL";
}

/// What agents were asked.
pub const RECORDS: Records<Filter, Prompt> = Records {
    list: List {
        by_time: BY_TIME,
        by_filter: &[(1, BY_TASK_SLUG), (3, BY_SESSION_ID), (0, BY_AGENT_ID), (2, BY_AUTHOR)],
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
    /// Only to this agent.
    pub agent_id: Option<String>,
    /// Only of this task.
    pub task_slug: Option<String>,
    /// Only by this author.
    pub author: Option<String>,
    /// Only of this conversation.
    pub session_id: Option<String>,
}

impl super::records::Filter for Filter {
    fn params(&self) -> Vec<Param> {
        vec![
            self.agent_id.as_deref().into(),
            self.task_slug.as_deref().into(),
            self.author.as_deref().into(),
            self.session_id.as_deref().into(),
        ]
    }
}
