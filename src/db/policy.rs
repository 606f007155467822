//! Policy: what each label of a request changes, as rows.

use engine::execution::Choice;
use serde::Deserialize;

use super::meta::{self, Count};
use super::row::flag;
use super::{Database, DbError, Rows, Statement, statements};

statements! { "policy":
    /// All execution strategies.
    STRATEGIES = "SELECT name, label, worker_choice, max_parallel_steps, skip_optional_steps,
        use_cache, use_step_cache, max_retries, deadline_ms, description
      FROM execution_strategies ORDER BY name";

    /// All quality levels.
    QUALITY_LEVELS = "SELECT name, source_discovery_depth, max_articles, min_quality,
        skip_optional_steps, max_retries, deadline_factor, description
      FROM quality_levels ORDER BY name";

    /// All urgency levels.
    URGENCY_LEVELS = "SELECT name, deadline_ms, priority, use_emergency_budget, description
      FROM urgency_levels ORDER BY priority";
}

/// How many statements [`reads`] gives.
pub(crate) const READS: usize = 3;

/// All policy rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// What `optimize_for` changes.
    pub strategies: Vec<Strategy>,
    /// What `quality_level` changes.
    pub quality_levels: Vec<QualityLevel>,
    /// What `urgency` changes.
    pub urgency_levels: Vec<UrgencyLevel>,
}

/// What an execution strategy changes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Strategy {
    /// The value of `optimize_for`.
    pub name: String,
    /// What replies call it, such as `quality_optimized`.
    pub label: String,
    /// Which of several workers that can do the same is asked.
    pub worker_choice: Choice,
    /// The most steps in progress at the same time.
    pub max_parallel_steps: u32,
    /// Whether optional steps are left out.
    #[serde(deserialize_with = "flag")]
    pub skip_optional_steps: bool,
    /// Whether the result of an identical request may be served.
    #[serde(deserialize_with = "flag")]
    pub use_cache: bool,
    /// Whether answers to the same call of a step may be served.
    #[serde(deserialize_with = "flag")]
    pub use_step_cache: bool,
    /// The cap on the retries of every step.
    pub max_retries: Option<u32>,
    /// The longest an execution may take.
    pub deadline_ms: u64,
    /// What it is for.
    pub description: String,
}

/// What a quality level changes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct QualityLevel {
    /// The value of `quality_level`.
    pub name: String,
    /// How far sources are looked for, 1 to 5.
    pub source_discovery_depth: u32,
    /// The most articles that are read.
    pub max_articles: u32,
    /// The least quality that a source must have, 0 to 1.
    pub min_quality: f64,
    /// Whether optional steps are left out, whatever the strategy says.
    #[serde(deserialize_with = "flag")]
    pub skip_optional_steps: bool,
    /// A cap on the retries of every step, besides the strategy's.
    pub max_retries: Option<u32>,
    /// What the strategy's deadline is multiplied by.
    pub deadline_factor: f64,
    /// What it is for.
    pub description: String,
}

/// What an urgency changes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UrgencyLevel {
    /// The value of `urgency`.
    pub name: String,
    /// The longest an execution may take; `None` for the environment's longest.
    pub deadline_ms: Option<u64>,
    /// What has more is admitted first, and passes gates first.
    pub priority: i64,
    /// Whether a request that names no budget has the environment's emergency budget.
    #[serde(deserialize_with = "flag")]
    pub use_emergency_budget: bool,
    /// What it is for.
    pub description: String,
}

impl Policy {
    /// The strategy called `name`.
    pub fn strategy(&self, name: &str) -> Option<&Strategy> {
        self.strategies.iter().find(|row| row.name == name)
    }

    /// The quality level called `name`.
    pub fn quality_level(&self, name: &str) -> Option<&QualityLevel> {
        self.quality_levels.iter().find(|row| row.name == name)
    }

    /// The urgency called `name`.
    pub fn urgency_level(&self, name: &str) -> Option<&UrgencyLevel> {
        self.urgency_levels.iter().find(|row| row.name == name)
    }
}

/// All policy rows, in one round trip.
pub async fn all(db: &impl Database) -> Result<Policy, DbError> {
    Ok(all_at(db).await?.1)
}

/// All policy rows with the change counter that they stand under, in one round trip.
pub async fn all_at(db: &impl Database) -> Result<(Count, Policy), DbError> {
    let [strategies, quality, urgency] = reads();
    let statements = [meta::COUNT.statement(), strategies, quality, urgency];
    let [count, strategies, quality, urgency] = db.batch_of(statements).await?;
    Ok((meta::decode_count(&count)?, decode(&[strategies, quality, urgency])?))
}

/// The statements that read all policy rows.
pub(crate) fn reads() -> [Statement; READS] {
    [STRATEGIES.statement(), QUALITY_LEVELS.statement(), URGENCY_LEVELS.statement()]
}

/// Policy from the rows that [`reads`] gave.
pub(crate) fn decode([strategies, quality, urgency]: &[Rows; READS]) -> Result<Policy, DbError> {
    Ok(Policy {
        strategies: strategies.decode()?,
        quality_levels: quality.decode()?,
        urgency_levels: urgency.decode()?,
    })
}
