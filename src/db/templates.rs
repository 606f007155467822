//! Templates and their steps, for showing and for compiling.

use std::collections::BTreeMap;

use engine::plan::Violation;
use engine::plan::definition::TemplateDefinition;
use serde::Deserialize;
use serde_json::Value;

use super::meta::{self, Count};
use super::policy::{self, Policy};
use super::revisions::{self, Revision};
use super::row::{flag, lenient_json};
use super::tool_calls;
use super::workers;
use super::{Database, DbError, Rows, definition, statements};

/// `reached`: the names of a template (?1, NULL for the default one) and of all that it reaches
/// through steps of kind `pipeline`. One more than may be, so that too many are noticed.
macro_rules! reached {
    () => {
        "WITH RECURSIVE reached (name) AS (
        SELECT coalesce(?1, (SELECT d.name FROM pipeline_templates AS d WHERE d.is_default = 1))
        UNION
        SELECT json_extract(s.config, '$.template')
        FROM reached AS r JOIN pipeline_steps AS s ON s.template_name = r.name
        WHERE s.kind = 'pipeline' AND json_type(s.config, '$.template') = 'text'
        LIMIT 52
      )"
    };
}
pub(super) use reached;

/// All that the row of a template says.
macro_rules! columns {
    () => {
        "SELECT t.name, t.display_name, t.description, t.category, t.is_active, t.is_default,
        t.allow_parallel, t.failure_tolerance, t.input_schema, t.output_mapping, t.deadline_ms,
        t.cache_ttl_seconds, t.estimated_cost_usd, t.estimated_time_ms, t.created_at, t.updated_at
      FROM pipeline_templates AS t "
    };
}
pub(super) use columns;

/// All that the row of a step says.
macro_rules! step_columns {
    () => {
        "SELECT s.step_order, s.step_name, s.kind, s.worker_name, s.endpoint,
        s.depends_on_steps, s.condition, s.input_mapping, s.output_mapping, s.is_optional,
        s.timeout_ms, s.retry_policy, s.fallback_worker, s.config, s.template_name
      FROM pipeline_steps AS s "
    };
}
pub(super) use step_columns;

statements! { "templates":
    /// Templates that may be started, for the list.
    LIST = "SELECT t.name, t.display_name, t.description, t.category, t.is_default,
        t.allow_parallel, t.failure_tolerance, t.estimated_cost_usd, t.estimated_time_ms,
        t.updated_at,
        (SELECT count(*) FROM pipeline_steps AS s WHERE s.template_name = t.name) AS step_count
      FROM pipeline_templates AS t WHERE t.is_active = 1 ORDER BY t.name";

    /// A page of all templates, by name. ?1 active or not, ?2 category; NULL filters nothing. ?3 is
    /// the name that the page comes after, ?4 is how many.
    ALL = "SELECT t.name, t.display_name, t.description, t.category, t.is_active, t.is_default,
        t.updated_at,
        (SELECT count(*) FROM pipeline_steps AS s WHERE s.template_name = t.name) AS step_count,
        (SELECT max(r.revision) FROM template_revisions AS r
          WHERE r.template_name = t.name) AS newest_revision
      FROM pipeline_templates AS t
      WHERE (?1 IS NULL OR t.is_active = ?1) AND (?2 IS NULL OR t.category = ?2)
        AND (?3 IS NULL OR t.name > ?3)
      ORDER BY t.name LIMIT ?4";

    /// One template; ?1 is its name, NULL for the default template.
    ONE = concat!(columns!(), "WHERE t.name = coalesce(
        ?1, (SELECT d.name FROM pipeline_templates AS d WHERE d.is_default = 1))");

    /// The steps of a template in order; ?1 is its name, NULL for the default template.
    STEPS = concat!(step_columns!(), "WHERE s.template_name = coalesce(
        ?1, (SELECT t.name FROM pipeline_templates AS t WHERE t.is_default = 1))
      ORDER BY s.step_order, s.id");

    /// A template and all that it reaches; ?1 is its name, NULL for the default template.
    REACHED = concat!(reached!(), columns!(), "WHERE t.name IN (SELECT name FROM reached)");

    /// The steps of a template and of all that it reaches, each template's in order; ?1 is its
    /// name, NULL for the default template.
    REACHED_STEPS = concat!(reached!(), step_columns!(),
      "WHERE s.template_name IN (SELECT name FROM reached)
      ORDER BY s.template_name, s.step_order, s.id");
}

/// A template as the list shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TemplateSummary {
    /// The key.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// What it is filed under.
    pub category: String,
    /// Whether requests that name no template get it.
    #[serde(deserialize_with = "flag")]
    pub is_default: bool,
    /// Whether independent steps may be in progress at the same time.
    #[serde(deserialize_with = "flag")]
    pub allow_parallel: bool,
    /// What becomes of an execution when a required step fails.
    pub failure_tolerance: String,
    /// What an execution is expected to cost.
    pub estimated_cost_usd: Option<f64>,
    /// How long it is expected to take.
    pub estimated_time_ms: Option<u64>,
    /// When its row was last changed.
    pub updated_at: String,
    /// How many steps it has.
    pub step_count: u32,
}

/// A template as operators see it in the list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Listed {
    /// The key.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// What it is filed under.
    pub category: String,
    /// Whether it may be started.
    #[serde(deserialize_with = "flag")]
    pub is_active: bool,
    /// Whether requests that name no template get it.
    #[serde(deserialize_with = "flag")]
    pub is_default: bool,
    /// When its row was last changed.
    pub updated_at: String,
    /// How many steps it has.
    pub step_count: u64,
    /// The revision that was published last.
    pub newest_revision: Option<u64>,
}

/// A template as its row has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Template {
    /// The key.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// What it is filed under.
    pub category: String,
    /// Whether it may be started.
    #[serde(deserialize_with = "flag")]
    pub is_active: bool,
    /// Whether requests that name no template get it.
    #[serde(deserialize_with = "flag")]
    pub is_default: bool,
    /// Whether independent steps may be in progress at the same time.
    #[serde(deserialize_with = "flag")]
    pub allow_parallel: bool,
    /// What becomes of an execution when a required step fails.
    pub failure_tolerance: String,
    /// JSON Schema of the request's `input`.
    #[serde(deserialize_with = "lenient_json")]
    pub input_schema: Option<Value>,
    /// Mapping of the execution's result.
    #[serde(deserialize_with = "lenient_json")]
    pub output_mapping: Option<Value>,
    /// The longest it may take.
    pub deadline_ms: Option<u64>,
    /// How long the result of an identical request may be served.
    pub cache_ttl_seconds: Option<u64>,
    /// What an execution is expected to cost.
    pub estimated_cost_usd: Option<f64>,
    /// How long it is expected to take.
    pub estimated_time_ms: Option<u64>,
    /// When it was made.
    pub created_at: String,
    /// When its row was last changed.
    pub updated_at: String,
}

/// A step as its row has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// The place among its siblings where nothing else decides.
    pub step_order: i64,
    /// The name, unique within the template.
    pub step_name: String,
    /// What doing it means.
    pub kind: String,
    /// The worker that is asked.
    pub worker_name: Option<String>,
    /// The path of the operation.
    pub endpoint: Option<String>,
    /// Names or numbers of the steps that must be settled first.
    #[serde(deserialize_with = "lenient_json")]
    pub depends_on_steps: Option<Value>,
    /// CEL, or the object form as JSON.
    pub condition: Option<String>,
    /// What the worker is sent, or what a transform produces.
    #[serde(deserialize_with = "lenient_json")]
    pub input_mapping: Option<Value>,
    /// What goes from the output into `data`.
    #[serde(deserialize_with = "lenient_json")]
    pub output_mapping: Option<Value>,
    /// Whether it is skipped when it fails.
    #[serde(deserialize_with = "flag")]
    pub is_optional: bool,
    /// The longest one attempt may take.
    pub timeout_ms: Option<u64>,
    /// How failed attempts are repeated.
    #[serde(deserialize_with = "lenient_json")]
    pub retry_policy: Option<Value>,
    /// The worker that is asked when this one's attempts are used up.
    pub fallback_worker: Option<String>,
    /// Settings of the step's kind.
    #[serde(deserialize_with = "lenient_json")]
    pub config: Option<Value>,
}

/// A step with the template that it belongs to.
#[derive(Debug, Deserialize)]
struct StepOf {
    template_name: String,
    #[serde(flatten)]
    step: Step,
}

/// A template with its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateDetail {
    /// The template.
    pub template: Template,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// A template as it was read for compiling: all of it at one moment.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The change counter at that moment.
    pub count: Count,
    /// What each label changes.
    pub policy: Policy,
    /// The template, if there is one of that name.
    pub template: Option<LoadedTemplate>,
}

/// The rows of one template as a document.
#[derive(Clone, Debug)]
pub struct LoadedTemplate {
    /// Whether it may be started.
    pub is_active: bool,
    /// What the rows say; fields that could not be read have their defaults.
    pub definition: TemplateDefinition,
    /// What could not be read.
    pub violations: Vec<Violation>,
    /// What was published last.
    pub newest: Option<Revision>,
}

/// Templates that may be started, by name.
pub async fn list(db: &impl Database) -> Result<Vec<TemplateSummary>, DbError> {
    db.query(LIST.statement()).await?.decode()
}

/// A page of all templates by name, behind the one called `after`, and whether there are more.
pub async fn all(
    db: &impl Database,
    (is_active, category): (Option<bool>, Option<&str>),
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Listed>, bool), DbError> {
    let statement = ALL.with(is_active).with(category).with(after).with(limit + 1);
    let mut found: Vec<Listed> = db.query(statement).await?.decode()?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    Ok((found, more))
}

/// The template `name` with its steps, active or not; without a name, the default template.
pub async fn one(
    db: &impl Database,
    name: Option<&str>,
) -> Result<Option<TemplateDetail>, DbError> {
    let [template, steps] = db.batch_of([ONE.with(name), STEPS.with(name)]).await?;
    let Some(template) = template.first()? else {
        return Ok(None);
    };
    Ok(Some(TemplateDetail { template, steps: steps.decode()? }))
}

/// The row of the template `name`, active or not.
pub async fn row(db: &impl Database, name: &str) -> Result<Option<Template>, DbError> {
    db.query(ONE.with(name)).await?.first()
}

/// The template `name` as a document, without a name the default one. `None` when there is no such
/// template; violations when its rows cannot be read as a definition.
pub async fn load_definition(
    db: &impl Database,
    name: Option<&str>,
) -> Result<Option<Result<TemplateDefinition, Vec<Violation>>>, DbError> {
    let loaded = load(db, name).await?;
    Ok(loaded.template.map(|template| match template.violations.is_empty() {
        true => Ok(template.definition),
        false => Err(template.violations),
    }))
}

/// All that a start needs to know of the database, at one moment and in one round trip: the
/// template, all that it reaches, and the workers and tools that their steps name.
pub async fn load(db: &impl Database, name: Option<&str>) -> Result<Loaded, DbError> {
    let [strategies, quality, urgency] = policy::reads();
    let [count, templates, steps, workers, tools, newest, strategies, quality, urgency] = db
        .batch_of([
            meta::COUNT.statement(),
            REACHED.with(name),
            REACHED_STEPS.with(name),
            workers::OF_TEMPLATES.with(name),
            tool_calls::OF_TEMPLATES.with(name).with(tool_calls::INSTALLATION),
            revisions::NEWEST.with(name),
            strategies,
            quality,
            urgency,
        ])
        .await?;
    let rows = definition::Gathered {
        templates: templates.decode()?,
        steps: steps_by_template(&steps)?,
        workers: workers.decode()?,
        tools: tool_calls::by_reference(&tools)?,
    };
    Ok(Loaded {
        count: meta::decode_count(&count)?,
        policy: policy::decode(&[strategies, quality, urgency])?,
        template: loaded_template(rows, name, &newest)?,
    })
}

pub(super) fn steps_by_template(rows: &Rows) -> Result<BTreeMap<String, Vec<Step>>, DbError> {
    let mut by_template: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for StepOf { template_name, step } in rows.decode()? {
        by_template.entry(template_name).or_default().push(step);
    }
    Ok(by_template)
}

fn loaded_template(
    rows: definition::Gathered,
    name: Option<&str>,
    newest: &Rows,
) -> Result<Option<LoadedTemplate>, DbError> {
    let is_asked_for =
        |row: &&Template| name.map_or(row.is_default, |name| row.name.as_str() == name);
    let Some(outermost) = rows.templates.iter().find(is_asked_for) else {
        return Ok(None);
    };
    let (is_active, name) = (outermost.is_active, outermost.name.clone());
    let (definition, violations) = definition::assemble(rows, &name);
    Ok(Some(LoadedTemplate { is_active, definition, violations, newest: newest.first()? }))
}

#[cfg(test)]
mod tests {
    use engine::plan::definition::TEMPLATES_MAX;

    #[test]
    fn one_template_more_is_read_than_may_be_reached() {
        let limit = format!("LIMIT {}\n", 1 + TEMPLATES_MAX + 1);
        assert!(super::REACHED.text.contains(&limit));
    }
}
