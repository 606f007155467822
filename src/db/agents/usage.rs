//! What agents used. A row is one report; the counters follow by its trigger.

use api_types::agents::Agent;
use serde::Deserialize;

use super::{agent, models, orchestrator};
use crate::db::{Database, DbError, statements};

statements! { "agent_usage":
    /// A report; nothing where it is there already, or the agent is not.
    ADD = "INSERT INTO agent_usage (account_id, report_id, agent_id, model, input_tokens,
        output_tokens, cost_micro_usd, day, reported_at)
      SELECT ?1, ?2, ?3, coalesce(?4, a.model), ?5, ?6, ?7, substr(?8, 1, 10), ?8
      FROM agents AS a WHERE a.id = ?3 AND a.account_id = ?1
      ON CONFLICT DO NOTHING";

    /// A report as it was counted.
    BY_ID = "SELECT agent_id, model, input_tokens, output_tokens, cost_micro_usd, reported_at
      FROM agent_usage WHERE account_id = ?1 AND report_id = ?2";
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its id, within the account.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// The model, where it is not the agent's.
    pub model: Option<String>,
    /// Tokens that were read.
    pub input_tokens: u64,
    /// Tokens that were written.
    pub output_tokens: u64,
    /// What they cost.
    pub cost_micro_usd: u64,
    /// When it arrived, as rows have it.
    pub at: String,
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Reported {
    /// It counts, once; the agent as it is now, and whether the report had been there before.
    Counted {
        /// The agent.
        agent: Box<Agent>,
        /// Whether the report had been there before.
        duplicate: bool,
    },
    /// The account has no such agent.
    AgentMissing,
    /// Another report has its id.
    Another,
}

#[derive(Deserialize)]
struct Row {
    agent_id: String,
    model: String,
    input_tokens: u64,
    output_tokens: u64,
    cost_micro_usd: u64,
    reported_at: String,
}

/// Counts a report. `orchestrator` is the id of the orchestrator agent that is made where none
/// lives, so that the counters of both always move together.
pub async fn report(
    db: &impl Database,
    account: &str,
    orchestrator: &str,
    report: &Report,
) -> Result<Reported, DbError> {
    let Report { id, agent, model, input_tokens, output_tokens, cost_micro_usd, at } = report;
    let adding = ADD
        .with(account)
        .with(id.as_str())
        .with(agent.as_str())
        .with(model.as_deref())
        .with(*input_tokens)
        .with(*output_tokens)
        .with(*cost_micro_usd)
        .with(at.as_str());
    let [_, _, row, found] = db
        .batch_of([
            orchestrator::ensured(account, orchestrator),
            adding,
            BY_ID.with(account).with(id.as_str()),
            agent::by_id(account, agent),
        ])
        .await?;
    let (Some(row), found) = (row.first::<Row>()?, models::<Agent>(&found, agent::BY_ID)?.pop())
    else {
        return Ok(Reported::AgentMissing);
    };
    let same = row.agent_id == *agent
        && model.as_ref().is_none_or(|model| *model == row.model)
        && (row.input_tokens, row.output_tokens) == (*input_tokens, *output_tokens)
        && row.cost_micro_usd == *cost_micro_usd;
    Ok(match found {
        _ if !same => Reported::Another,
        None => Reported::AgentMissing,
        Some(agent) => {
            Reported::Counted { agent: Box::new(agent), duplicate: row.reported_at != *at }
        }
    })
}
