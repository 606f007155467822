//! Tools as they are called: with the node that each is resolved to and what a call costs and
//! takes. What it says of one moment goes into the snapshot that an execution starts from.

use std::collections::BTreeMap;

use engine::money::MicroUsd;
use engine::plan::definition::ToolDefinition;
use serde::Deserialize;
use serde_json::Value;

use super::row::{flag, json, lenient_json};
use super::templates::reached;
use super::{Database, DbError, Rows, Statement, statements};

/// Whose tools templates name: the installation's.
pub const INSTALLATION: &str = "default";

/// The names of tools in the `steps` of templates, whatever for.
macro_rules! names {
    () => {
        "SELECT json_extract(config, '$.tool') FROM steps
        UNION SELECT json_extract(config, '$.fallback_tool') FROM steps
        UNION SELECT json_extract(config, '$.compensate.tool') FROM steps
        UNION SELECT a.value FROM steps, json_each(steps.config, '$.alternatives') AS a"
    };
}
pub(super) use names;

/// The tools of an account that are `named`, by name or id.
macro_rules! named_tools {
    ($account:literal) => {
        concat!(
            "SELECT named.name AS reference, t.tool_id, t.account_id, t.name, t.version,
        t.status, t.disabled_by_node, t.input_schema, t.output_schema, n.node_id, n.address,
        n.status AS node_status, c.estimated_cost_usd, c.avg_response_time_ms, c.timeout_ms,
        c.max_retries, c.max_concurrency, c.max_per_minute, c.breaker
      FROM named JOIN tools AS t
        ON t.account_id = ",
            $account,
            " AND (t.tool_id = named.name OR t.name = named.name)
      LEFT JOIN nodes AS n ON n.node_id = t.target_node_id AND n.account_id = t.account_id
      LEFT JOIN tool_terms AS c ON c.tool_id = t.tool_id
      WHERE typeof(named.name) = 'text' ORDER BY named.name"
        )
    };
}
pub(super) use named_tools;

/// The terms of a tool as they stand.
macro_rules! terms {
    () => {
        "SELECT t.tool_id, c.estimated_cost_usd, c.avg_response_time_ms, c.timeout_ms,
        c.max_retries, c.max_concurrency, c.max_per_minute, c.breaker, c.updated_at
      FROM tools AS t LEFT JOIN tool_terms AS c ON c.tool_id = t.tool_id
      WHERE t.tool_id = ?1 AND t.account_id = ?2"
    };
}

statements! { "tool_calls":
    /// The tools that the steps of a template and of all that it reaches name, by name or id; ?1 is
    /// the template's name, NULL for the default template, ?2 the account whose tools they are.
    OF_TEMPLATES = concat!(reached!(), ", steps AS (
        SELECT s.config FROM pipeline_steps AS s
        WHERE s.template_name IN (SELECT name FROM reached)
      ), named (name) AS (
        ", names!(), "
      ) ", named_tools!("?2"));

    /// The tool ?1 of the account ?2.
    ONE = concat!("WITH named (name) AS (SELECT ?1) ", named_tools!("?2"));

    /// What a call of the tool ?1 of the account ?2 costs and takes; columns are NULL where nobody
    /// has said.
    TERMS = terms!();

    /// Says it, whatever was said before.
    SET_TERMS = "INSERT INTO tool_terms (tool_id, estimated_cost_usd, avg_response_time_ms,
        timeout_ms, max_retries, max_concurrency, max_per_minute, breaker)
      SELECT t.tool_id, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM tools AS t
      WHERE t.tool_id = ?1 AND t.account_id = ?2
      ON CONFLICT (tool_id) DO UPDATE SET estimated_cost_usd = excluded.estimated_cost_usd,
        avg_response_time_ms = excluded.avg_response_time_ms, timeout_ms = excluded.timeout_ms,
        max_retries = excluded.max_retries, max_concurrency = excluded.max_concurrency,
        max_per_minute = excluded.max_per_minute, breaker = excluded.breaker";
}

/// A tool as it is called.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CallableTool {
    /// What a step calls it: its name or its id.
    pub reference: String,
    /// Its id.
    pub tool_id: String,
    /// The tenant that it belongs to.
    pub account_id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `ENABLED`, `DISABLED` or `DEPRECATED`.
    pub status: String,
    /// Whether it was disabled because its node was not active.
    #[serde(deserialize_with = "flag")]
    pub disabled_by_node: bool,
    /// JSON Schema of what it takes.
    #[serde(deserialize_with = "json")]
    pub input_schema: Value,
    /// JSON Schema of what it gives.
    #[serde(deserialize_with = "json")]
    pub output_schema: Value,
    /// The node that does it.
    pub node_id: Option<String>,
    /// Where that is.
    pub address: Option<String>,
    /// How that stands.
    pub node_status: Option<String>,
    /// What a call costs and takes.
    #[serde(flatten)]
    pub terms: Terms,
}

/// What a call of a tool costs and takes, as far as somebody has said.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Terms {
    /// What one call is expected to cost; `None` when nobody knows.
    pub estimated_cost_usd: Option<f64>,
    /// How long a call is expected to take.
    pub avg_response_time_ms: Option<u64>,
    /// The longest one attempt may take.
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated where the step says nothing.
    pub max_retries: Option<i64>,
    /// How many calls it takes at the same time.
    pub max_concurrency: Option<u32>,
    /// How many calls it takes within a minute.
    pub max_per_minute: Option<u32>,
    /// When its circuit breaker opens.
    #[serde(deserialize_with = "lenient_json")]
    pub breaker: Option<Value>,
}

/// The terms of one tool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TermsOf {
    /// The tool.
    pub tool_id: String,
    /// What was said.
    #[serde(flatten)]
    pub terms: Terms,
    /// When; `None` when nobody has.
    pub updated_at: Option<String>,
}

impl CallableTool {
    /// The tool as an execution's snapshot has it.
    pub fn definition(self) -> ToolDefinition {
        let unavailable = self.unavailable();
        let is_empty = |json: &Value| json.as_object().is_some_and(serde_json::Map::is_empty);
        let schema = |json: Value| Some(json).filter(|json| !is_empty(json));
        let terms = self.terms;
        ToolDefinition {
            id: self.tool_id,
            name: self.name,
            account: Some(self.account_id).filter(|account| account != INSTALLATION),
            version: self.version,
            node: self.node_id,
            address: self.address,
            unavailable,
            input_schema: schema(self.input_schema),
            output_schema: schema(self.output_schema),
            estimated_cost: terms.estimated_cost_usd.and_then(MicroUsd::from_usd),
            avg_response_time_ms: terms.avg_response_time_ms,
            timeout_ms: terms.timeout_ms,
            max_retries: terms.max_retries,
            max_concurrency: terms.max_concurrency,
            max_per_minute: terms.max_per_minute,
            breaker: terms.breaker,
        }
    }

    /// Why it cannot be called, for a person; `None` when it can.
    pub fn unavailable(&self) -> Option<String> {
        let name = &self.name;
        match (self.status.as_str(), self.node_status.as_deref()) {
            ("ENABLED", Some("ACTIVE")) => None,
            ("ENABLED", None) => Some(format!("tool `{name}` has no node")),
            ("ENABLED", Some(status)) => {
                Some(format!("the node of tool `{name}` is in status {status}"))
            }
            ("DISABLED", _) if self.disabled_by_node => {
                Some(format!("tool `{name}` is disabled while its node is not active"))
            }
            (status, _) => Some(format!("tool `{name}` is in status {status}")),
        }
    }
}

/// The tool of this id.
pub async fn one(
    db: &impl Database,
    account: &str,
    id: &str,
) -> Result<Option<CallableTool>, DbError> {
    let found: Option<CallableTool> = db.query(ONE.with(id).with(account)).await?.first()?;
    // A name is no id.
    Ok(found.filter(|tool| tool.tool_id == id))
}

/// What a call of a tool costs and takes; `None` when the account has no such tool.
pub async fn terms(
    db: &impl Database,
    account: &str,
    id: &str,
) -> Result<Option<TermsOf>, DbError> {
    db.query(TERMS.with(id).with(account)).await?.first()
}

/// Says what a call of a tool costs and takes, and adds the entry of the audit log; gives what
/// stands then. `None` when the account has no such tool.
pub async fn set_terms(
    db: &impl Database,
    account: &str,
    id: &str,
    terms: &Terms,
    logged: Statement,
) -> Result<Option<TermsOf>, DbError> {
    let set = SET_TERMS
        .with(id)
        .with(account)
        .with(terms.estimated_cost_usd)
        .with(terms.avg_response_time_ms)
        .with(terms.timeout_ms)
        .with(terms.max_retries)
        .with(terms.max_concurrency)
        .with(terms.max_per_minute)
        .with(terms.breaker.as_ref());
    let [_, _, found] = db.batch_of([set, logged, TERMS.with(id).with(account)]).await?;
    found.first()
}

/// The tools of rows, by what steps call them. Where one tool's name is the id of another, the id
/// counts.
pub(super) fn by_reference(rows: &Rows) -> Result<BTreeMap<String, CallableTool>, DbError> {
    let mut tools: BTreeMap<String, CallableTool> = BTreeMap::new();
    for tool in rows.decode::<CallableTool>()? {
        let is_meant = tool.tool_id == tool.reference;
        if is_meant || !tools.contains_key(&tool.reference) {
            tools.insert(tool.reference.clone(), tool);
        }
    }
    Ok(tools)
}
