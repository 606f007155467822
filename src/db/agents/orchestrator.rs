//! The agent that leads an account's others.

use api_types::agents::OrchestratorAgent;
use serde_json::Value;

use super::page::{List, along};
use super::{Page, Range, models};
use crate::db::{Database, DbError, Statement, statements};

macro_rules! columns {
    () => {
        "id, session_id, system_prompt, status, working_dir, input_tokens, output_tokens,
        total_cost_micro_usd / 1000000.0 AS total_cost, total_cost_micro_usd, archived, metadata,
        created_at, updated_at"
    };
}

statements! { "orchestrator_agents":
    /// The one that lives.
    LIVE = concat!("SELECT ", columns!(), " FROM orchestrator_agents
      INDEXED BY orchestrator_agents_one_live WHERE account_id = ?1 AND archived = 0");

    /// A page of all of them.
    BY_TIME = along!(columns!(), "orchestrator_agents", "orchestrator_agents_by_time", "true",
      "true", "created_at", "id");

    /// Puts away the one that lives, unless it is the new one, sent again.
    ARCHIVE = "UPDATE orchestrator_agents SET archived = 1
      WHERE account_id = ?1 AND archived = 0 AND id <> ?2
        AND NOT EXISTS (SELECT 1 FROM orchestrator_agents WHERE id = ?2)";

    /// A new one, from a document. Sent again, it is there.
    ADD = "INSERT INTO orchestrator_agents (id, account_id, session_id, system_prompt, status,
        working_dir, metadata)
      SELECT ?1, ?2, ?3 ->> 'session_id', ?3 ->> 'system_prompt',
        coalesce(?3 ->> 'status', 'idle'), ?3 ->> 'working_dir',
        iif(json_type(?3, '$.metadata') = 'object', ?3 -> 'metadata', '{}')
      WHERE true ON CONFLICT DO NOTHING";

    /// One that counts for the account, where none lives.
    ENSURE = "INSERT INTO orchestrator_agents (id, account_id) SELECT ?1, ?2
      WHERE NOT EXISTS (
        SELECT 1 FROM orchestrator_agents WHERE account_id = ?2 AND archived = 0)
      ON CONFLICT DO NOTHING";

    /// Merges a document into the one that lives.
    PATCH = "UPDATE orchestrator_agents SET
        status = coalesce(?2 ->> 'status', status),
        session_id = iif(json_type(?2, '$.session_id') IS NULL, session_id, ?2 ->> 'session_id'),
        system_prompt = iif(json_type(?2, '$.system_prompt') IS NULL, system_prompt,
          ?2 ->> 'system_prompt'),
        working_dir = iif(json_type(?2, '$.working_dir') IS NULL, working_dir,
          ?2 ->> 'working_dir'),
        metadata = json_patch(metadata, coalesce(?2 -> 'metadata', '{}'))
      WHERE account_id = ?1 AND archived = 0";
}

const LIST: List = List { by_time: BY_TIME, by_filter: &[], by_words: None, numbered: false };

/// The one that lives.
pub async fn live(db: &impl Database, account: &str) -> Result<Option<OrchestratorAgent>, DbError> {
    let rows = db.query(LIVE.with(account)).await?;
    Ok(models(&rows, LIVE)?.pop())
}

/// A page of all of them, newest first.
pub async fn page(
    db: &impl Database,
    account: &str,
    range: &Range,
) -> Result<Page<OrchestratorAgent>, DbError> {
    LIST.page(db, account, range, &[], None).await
}

/// The statement of a page.
pub fn page_statement(account: &str, range: &Range) -> Option<Statement> {
    LIST.statement(account, range, &[], None)
}

/// Begins a new one, in the place of the one that lives.
pub async fn begin(
    db: &impl Database,
    account: &str,
    id: &str,
    document: &Value,
) -> Result<Option<OrchestratorAgent>, DbError> {
    let archiving = ARCHIVE.with(account).with(id);
    let adding = ADD.with(id).with(account).with(document);
    let [_, _, rows] = db.batch_of([archiving, adding, LIVE.with(account)]).await?;
    Ok(models(&rows, LIVE)?.pop())
}

/// The statement that makes sure that one counts for `account`.
pub(super) fn ensured(account: &str, id: &str) -> Statement {
    ENSURE.with(id).with(account)
}

/// Merges `document` into the one that lives, which is made where there is none.
pub async fn patch(
    db: &impl Database,
    account: &str,
    id: &str,
    document: &Value,
) -> Result<Option<OrchestratorAgent>, DbError> {
    let patching = PATCH.with(account).with(document);
    let batch = [ensured(account, id), patching, LIVE.with(account)];
    let [_, _, rows] = db.batch_of(batch).await?;
    Ok(models(&rows, LIVE)?.pop())
}
