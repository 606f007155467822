//! Agents.

use api_types::agents::Agent;
use serde_json::Value;

use super::page::{List, along};
use super::{Page, Range, models};
use crate::db::{Database, DbError, Param, Statement, statements};

macro_rules! columns {
    () => {
        "id, name, model, system_prompt, status, working_dir, git_worktree, session_id, adw_id,
        adw_step, input_tokens, output_tokens, total_cost_micro_usd / 1000000.0 AS total_cost,
        total_cost_micro_usd, archived, metadata, created_at, updated_at"
    };
}

macro_rules! filters {
    () => {
        "(?7 IS NULL OR git_worktree = ?7) AND (?8 IS NULL OR adw_id = ?8)
        AND (?9 IS NULL OR session_id = ?9) AND (?10 IS NULL OR model = ?10)
        AND (?11 IS NULL OR status = ?11) AND (?12 IS NULL OR archived = 0)
        AND (?13 IS NULL OR archived = 1)
        AND (?14 IS NULL OR instr(lower(name), lower(?14)) > 0)"
    };
}

macro_rules! list {
    ($index:literal, $lead:literal) => {
        along!(columns!(), "agents", $index, $lead, filters!(), "created_at", "id")
    };
}

statements! { "agents":
    /// A page in the order of time.
    BY_TIME = list!("agents_by_time", "true");

    /// A page of those in use.
    LIVE = list!("agents_live", "archived = 0");

    /// A page of one status.
    BY_STATUS = list!("agents_by_status", "status = ?11");

    /// A page of one model.
    BY_MODEL = list!("agents_by_model", "model = ?10");

    /// A page of one conversation.
    BY_SESSION = list!("agents_by_session", "session_id = ?9");

    /// A page of one piece of developer work.
    BY_ADW = list!("agents_by_adw", "adw_id = ?8");

    /// A page of one git worktree.
    BY_WORKTREE = list!("agents_by_worktree", "git_worktree = ?7");

    /// One of them.
    BY_ID = concat!("SELECT ", columns!(), " FROM agents WHERE id = ?1 AND account_id = ?2");

    /// A new one, from a document; nothing where its name is taken. Sent again, it is there.
    ADD = "INSERT INTO agents (id, account_id, name, model, system_prompt, status, working_dir,
        git_worktree, session_id, adw_id, adw_step, metadata)
      SELECT ?1, ?2, ?3 ->> 'name', ?3 ->> 'model', ?3 ->> 'system_prompt',
        coalesce(?3 ->> 'status', 'idle'), ?3 ->> 'working_dir', ?3 ->> 'git_worktree',
        ?3 ->> 'session_id', ?3 ->> 'adw_id', ?3 ->> 'adw_step',
        iif(json_type(?3, '$.metadata') = 'object', ?3 -> 'metadata', '{}')
      WHERE true ON CONFLICT DO NOTHING";

    /// Merges a document into a row; a name that another in use has makes it change nothing.
    PATCH = "UPDATE agents SET
        name = coalesce(?3 ->> 'name', name), model = coalesce(?3 ->> 'model', model),
        status = coalesce(?3 ->> 'status', status),
        archived = coalesce(?3 ->> 'archived', archived),
        system_prompt = iif(json_type(?3, '$.system_prompt') IS NULL, system_prompt,
          ?3 ->> 'system_prompt'),
        working_dir = iif(json_type(?3, '$.working_dir') IS NULL, working_dir,
          ?3 ->> 'working_dir'),
        git_worktree = iif(json_type(?3, '$.git_worktree') IS NULL, git_worktree,
          ?3 ->> 'git_worktree'),
        session_id = iif(json_type(?3, '$.session_id') IS NULL, session_id, ?3 ->> 'session_id'),
        adw_id = iif(json_type(?3, '$.adw_id') IS NULL, adw_id, ?3 ->> 'adw_id'),
        adw_step = iif(json_type(?3, '$.adw_step') IS NULL, adw_step, ?3 ->> 'adw_step'),
        metadata = json_patch(metadata, coalesce(?3 -> 'metadata', '{}'))
      WHERE id = ?1 AND account_id = ?2
        AND (coalesce(?3 ->> 'archived', archived) = 1 OR NOT EXISTS (
          SELECT 1 FROM agents AS o WHERE o.account_id = ?2 AND o.archived = 0 AND o.id <> ?1
            AND o.name = coalesce(?3 ->> 'name', agents.name)))
      RETURNING id";

    /// Takes one away. What it recorded stays.
    REMOVE = "DELETE FROM agents WHERE id = ?1 AND account_id = ?2";
}

const LIST: List = List {
    by_time: BY_TIME,
    by_filter: &[
        (0, BY_WORKTREE),
        (1, BY_ADW),
        (2, BY_SESSION),
        (4, BY_STATUS),
        (3, BY_MODEL),
        (5, LIVE),
    ],
    by_words: None,
    numbered: false,
};

/// Which agents are meant; what is `None` filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only in this git worktree.
    pub git_worktree: Option<String>,
    /// Only of this piece of developer work.
    pub adw_id: Option<String>,
    /// Only of this conversation.
    pub session_id: Option<String>,
    /// Only with this model.
    pub model: Option<String>,
    /// Only with this status.
    pub status: Option<String>,
    /// Only those in use, or only those put away.
    pub archived: Option<bool>,
    /// Only where the name contains this.
    pub name: Option<String>,
}

impl Filter {
    fn params(&self) -> [Param; 8] {
        [
            self.git_worktree.as_deref().into(),
            self.adw_id.as_deref().into(),
            self.session_id.as_deref().into(),
            self.model.as_deref().into(),
            self.status.as_deref().into(),
            (self.archived == Some(false)).then_some(true).into(),
            (self.archived == Some(true)).then_some(true).into(),
            self.name.as_deref().into(),
        ]
    }
}

/// A page, newest first.
pub async fn page(
    db: &impl Database,
    account: &str,
    filter: &Filter,
    range: &Range,
) -> Result<Page<Agent>, DbError> {
    LIST.page(db, account, range, &filter.params(), None).await
}

/// The statement of a page.
pub fn page_statement(account: &str, filter: &Filter, range: &Range) -> Option<Statement> {
    LIST.statement(account, range, &filter.params(), None)
}

/// The agent `id`.
pub async fn find(db: &impl Database, account: &str, id: &str) -> Result<Option<Agent>, DbError> {
    let rows = db.query(by_id(account, id)).await?;
    Ok(models(&rows, BY_ID)?.pop())
}

pub(super) fn by_id(account: &str, id: &str) -> Statement {
    BY_ID.with(id).with(account)
}

/// Adds an agent; `None` where one in use has its name.
pub async fn add(
    db: &impl Database,
    account: &str,
    id: &str,
    document: &Value,
) -> Result<Option<Agent>, DbError> {
    let adding = ADD.with(id).with(account).with(document);
    let [_, rows] = db.batch_of([adding, by_id(account, id)]).await?;
    Ok(models(&rows, BY_ID)?.pop())
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Patched {
    /// The agent as it is now.
    Done(Box<Agent>),
    /// There is none.
    Missing,
    /// Another one in use has the name.
    NameTaken,
}

/// Merges `document` into the agent `id`.
pub async fn patch(
    db: &impl Database,
    account: &str,
    id: &str,
    document: &Value,
) -> Result<Patched, DbError> {
    let patching = PATCH.with(id).with(account).with(document);
    let [patched, rows] = db.batch_of([patching, by_id(account, id)]).await?;
    let Some(agent) = models(&rows, BY_ID)?.pop() else { return Ok(Patched::Missing) };
    let changed: Vec<Value> = patched.decode()?;
    Ok(if changed.is_empty() { Patched::NameTaken } else { Patched::Done(Box::new(agent)) })
}

/// Takes the agent away; whether there was one.
pub async fn remove(db: &impl Database, account: &str, id: &str) -> Result<bool, DbError> {
    let before = by_id(account, id);
    let [rows, _] = db.batch_of([before, REMOVE.with(id).with(account)]).await?;
    Ok(!models::<Agent>(&rows, BY_ID)?.is_empty())
}
