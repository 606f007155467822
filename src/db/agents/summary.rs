//! Agents at a glance: figures and last entries, one round trip for each.

use std::collections::BTreeMap;

use api_types::agents::{
    Activity, Agent, AgentLog, AgentSummary, BlockedAgent, OrchestratorAgent, OrchestratorSummary,
    SystemLog, UsageEntry,
};
use serde::Deserialize;

use super::{Range, agent, logs, models, orchestrator, system_logs};
use crate::db::{Database, DbError, Statement, statements};

/// The most of each kind that a summary shows.
const ENTRIES: u32 = 10;
const BLOCKED_MAX: u32 = 50;
const USAGE_MAX: u32 = 500;

statements! { "agents_summary":
    /// What was used since a day, by day and model.
    USAGE = "SELECT day, model, count(*) AS reports, sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens, sum(cost_micro_usd) / 1000000.0 AS cost,
        sum(cost_micro_usd) AS cost_micro_usd
      FROM agent_usage INDEXED BY agent_usage_by_day
      WHERE account_id = ?1 AND day >= ?2 GROUP BY day, model
      ORDER BY day DESC, model LIMIT ?3";

    /// The same of one agent.
    USAGE_OF_AGENT = "SELECT day, model, count(*) AS reports, sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens, sum(cost_micro_usd) / 1000000.0 AS cost,
        sum(cost_micro_usd) AS cost_micro_usd
      FROM agent_usage INDEXED BY agent_usage_by_agent
      WHERE account_id = ?1 AND agent_id = ?4 AND day >= ?2 GROUP BY day, model
      ORDER BY day DESC, model LIMIT ?3";

    /// How much was recorded since a moment.
    ACTIVITY = "SELECT
        (SELECT count(*) FROM agent_logs INDEXED BY agent_logs_by_time
          WHERE account_id = ?1 AND timestamp >= ?2) AS log_entries_24h,
        (SELECT count(*) FROM prompts INDEXED BY prompts_by_time
          WHERE account_id = ?1 AND timestamp >= ?2) AS prompts_24h,
        (SELECT max(timestamp) FROM agent_logs INDEXED BY agent_logs_by_time
          WHERE account_id = ?1) AS last_entry_at";

    /// The same of one agent.
    ACTIVITY_OF_AGENT = "SELECT
        (SELECT count(*) FROM agent_logs INDEXED BY agent_logs_by_agent
          WHERE account_id = ?1 AND agent_id = ?3 AND timestamp >= ?2) AS log_entries_24h,
        (SELECT count(*) FROM prompts INDEXED BY prompts_by_agent
          WHERE account_id = ?1 AND agent_id = ?3 AND timestamp >= ?2) AS prompts_24h,
        (SELECT max(timestamp) FROM agent_logs INDEXED BY agent_logs_by_agent
          WHERE account_id = ?1 AND agent_id = ?3) AS last_entry_at";

    /// How many agents in use stand how.
    STATUSES = "SELECT status, count(*) AS count FROM agents
      WHERE account_id = ?1 AND archived = 0 GROUP BY status";

    /// Those that cannot go on alone.
    BLOCKED = "SELECT id, name, updated_at FROM agents INDEXED BY agents_by_status
      WHERE account_id = ?1 AND status = 'blocked' AND archived = 0
      ORDER BY created_at DESC, id DESC LIMIT ?2";
}

#[derive(Deserialize)]
struct Count {
    status: String,
    count: u64,
}

/// Since when things count as of late.
pub struct Since {
    /// The moment a day ago, as rows have it.
    pub moment: String,
    /// The day from which on usage is shown.
    pub day: String,
}

/// One agent.
pub async fn of_agent(
    db: &impl Database,
    account: &str,
    id: &str,
    since: &Since,
) -> Result<Option<AgentSummary>, DbError> {
    let of_agent = logs::Filter { agent_id: Some(id.to_owned()), ..logs::Filter::default() };
    let last = last_entries(account, &of_agent);
    let last_sql = last.sql;
    let usage = USAGE_OF_AGENT.with(account).with(since.day.as_str()).with(USAGE_MAX).with(id);
    let activity = ACTIVITY_OF_AGENT.with(account).with(since.moment.as_str()).with(id);
    let [found, activity, usage, last] =
        db.batch_of([agent::by_id(account, id), activity, usage, last]).await?;
    let Some(agent) = models::<Agent>(&found, agent::BY_ID)?.pop() else { return Ok(None) };
    Ok(Some(AgentSummary {
        agent,
        activity: first(activity.first()?),
        usage: usage.decode::<UsageEntry>()?,
        last_entries: entries(models(&last, last_sql)?),
    }))
}

/// All agents of an account.
pub async fn of_account(
    db: &impl Database,
    account: &str,
    since: &Since,
) -> Result<OrchestratorSummary, DbError> {
    let last = last_entries(account, &logs::Filter::default());
    let last_sql = last.sql;
    let [live, statuses, blocked, activity, usage, last, errors] = db
        .batch_of([
            orchestrator::LIVE.with(account),
            STATUSES.with(account),
            BLOCKED.with(account).with(BLOCKED_MAX),
            ACTIVITY.with(account).with(since.moment.as_str()),
            USAGE.with(account).with(since.day.as_str()).with(USAGE_MAX),
            last,
            system_logs::errors_statement(account, ENTRIES),
        ])
        .await?;
    let counts = statuses.decode::<Count>()?.into_iter().map(|row| (row.status, row.count));
    Ok(OrchestratorSummary {
        orchestrator_agent: models::<OrchestratorAgent>(&live, orchestrator::LIVE)?.pop(),
        agents_by_status: counts.collect::<BTreeMap<_, _>>(),
        blocked_agents: blocked.decode::<BlockedAgent>()?,
        activity: first(activity.first()?),
        usage: usage.decode::<UsageEntry>()?,
        last_entries: entries(models(&last, last_sql)?),
        last_errors: models::<SystemLog>(&errors, system_logs::ERRORS)?,
    })
}

fn last_entries(account: &str, filter: &logs::Filter) -> Statement {
    let range = Range { limit: ENTRIES, ..Range::default() };
    let statement = logs::RECORDS.page_statement(account, filter, &range, None);
    statement.expect("a page without words is always asked for")
}

/// A page is asked for with one row more, which tells whether there are more.
fn entries(mut rows: Vec<AgentLog>) -> Vec<AgentLog> {
    rows.truncate(ENTRIES as usize);
    rows
}

fn first(activity: Option<Activity>) -> Activity {
    activity.unwrap_or(Activity { log_entries_24h: 0, prompts_24h: 0, last_entry_at: None })
}
