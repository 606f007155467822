//! Templates that are about to be published: what a document reaches and names, read as a start
//! would read it, and the statements that put it in the place of a template's rows.
//!
//! All statements of a change go into one batch behind [`expect_count`], which refuses the whole
//! batch where a template, a step, a worker or a policy row was changed since they were read. So
//! what is written is what was checked, and two changes never mix their rows. A batch that is sent
//! twice, because its answer was lost, is refused the second time: the entry of the audit log that
//! it added tells that it was done.

use engine::plan::definition::StepDefinition;
use serde::Deserialize;
use serde_json::{Value, json};

use super::definition::{self, Gathered};
use super::meta::{self, Count};
use super::revisions::{self, Revision};
use super::templates::{self, LoadedTemplate, Step, Template, TemplateDetail};
use super::tool_calls;
use super::workers::{self, settings};
use super::{Database, DbError, Param, Statement, statements};

/// `reached`: the names of the templates that a document names (?1, a JSON array) and of all that
/// they reach, without what the rows of the document's own template (?2) say.
macro_rules! reached {
    () => {
        "WITH RECURSIVE reached (name) AS (
        SELECT value FROM json_each(?1)
        UNION
        SELECT json_extract(s.config, '$.template')
        FROM reached AS r JOIN pipeline_steps AS s ON s.template_name = r.name
        WHERE r.name IS NOT ?2 AND s.kind = 'pipeline'
          AND json_type(s.config, '$.template') = 'text'
        LIMIT 52
      )"
    };
}

statements! { "drafts":
    /// What a document reaches; ?1 names, ?2 its own.
    REACHED = concat!(reached!(), templates::columns!(),
      "WHERE t.name IN (SELECT name FROM reached) AND t.name IS NOT ?2");

    /// The steps of what a document reaches; ?1 names, ?2 its own.
    REACHED_STEPS = concat!(reached!(), templates::step_columns!(),
      "WHERE s.template_name IN (SELECT name FROM reached) AND s.template_name IS NOT ?2
      ORDER BY s.template_name, s.step_order, s.id");

    /// The workers that a document names (?3, a JSON array), and those of all that it reaches; ?1
    /// names, ?2 its own.
    WORKERS = concat!(reached!(), ", steps AS (
        SELECT s.worker_name, s.fallback_worker, s.config FROM pipeline_steps AS s
        WHERE s.template_name IN (SELECT name FROM reached) AND s.template_name IS NOT ?2
      ), named (name) AS (
        SELECT value FROM json_each(?3)
        UNION SELECT worker_name FROM steps
        UNION SELECT fallback_worker FROM steps
        UNION SELECT json_extract(config, '$.compensate.worker') FROM steps
        UNION SELECT a.value FROM steps, json_each(steps.config, '$.alternatives') AS a
      ) ", workers::columns!(), "WHERE worker_name IN (SELECT name FROM named)
      ORDER BY worker_name");

    /// The tools of the account ?4 that a document names (?3, a JSON array), and those of all that
    /// it reaches; ?1 names, ?2 its own.
    TOOLS = concat!(reached!(), ", steps AS (
        SELECT s.config FROM pipeline_steps AS s
        WHERE s.template_name IN (SELECT name FROM reached) AND s.template_name IS NOT ?2
      ), named (name) AS (
        SELECT value FROM json_each(?3)
        UNION ", tool_calls::names!(), "
      ) ", tool_calls::named_tools!("?4"));

    /// Templates whose steps name the template ?1.
    NAMED_BY = "SELECT t.name, t.is_active FROM pipeline_templates AS t
      WHERE t.name <> ?1 AND EXISTS (
        SELECT 1 FROM pipeline_steps AS s
        WHERE s.template_name = t.name AND s.kind = 'pipeline'
          AND json_extract(s.config, '$.template') = ?1)
      ORDER BY t.name";

    /// Refuses the batch, by a row that cannot be, unless the change counter is ?1.
    EXPECT_COUNT = "INSERT INTO change_counter (id, count)
      SELECT 2, 0
      WHERE coalesce((SELECT c.count FROM change_counter AS c WHERE c.id = 1), 0) <> ?1";

    /// Takes the mark of the default template from every other than ?1.
    OTHERS_NOT_DEFAULT =
      "UPDATE pipeline_templates SET is_default = 0 WHERE is_default = 1 AND name <> ?1";

    /// Writes the row of a template.
    PUT = "INSERT INTO pipeline_templates (
        name, display_name, description, category, is_active, is_default, allow_parallel,
        failure_tolerance, input_schema, output_mapping, deadline_ms, cache_ttl_seconds,
        estimated_cost_usd, estimated_time_ms)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
      ON CONFLICT (name) DO UPDATE SET
        display_name = excluded.display_name, description = excluded.description,
        category = excluded.category, is_active = excluded.is_active,
        is_default = excluded.is_default, allow_parallel = excluded.allow_parallel,
        failure_tolerance = excluded.failure_tolerance, input_schema = excluded.input_schema,
        output_mapping = excluded.output_mapping, deadline_ms = excluded.deadline_ms,
        cache_ttl_seconds = excluded.cache_ttl_seconds,
        estimated_cost_usd = excluded.estimated_cost_usd,
        estimated_time_ms = excluded.estimated_time_ms";

    /// Removes the steps of a template.
    REMOVE_STEPS = "DELETE FROM pipeline_steps WHERE template_name = ?1";

    /// Writes the steps of the template ?1; ?2 is a JSON array of rows, keyed by column.
    PUT_STEPS = "INSERT INTO pipeline_steps (
        template_name, step_order, step_name, kind, worker_name, endpoint, depends_on_steps,
        condition, input_mapping, output_mapping, is_optional, timeout_ms, retry_policy,
        fallback_worker, config)
      SELECT ?1, n.value ->> 'step_order', n.value ->> 'step_name', n.value ->> 'kind',
        n.value ->> 'worker_name', n.value ->> 'endpoint', n.value ->> 'depends_on_steps',
        n.value ->> 'condition', n.value ->> 'input_mapping', n.value ->> 'output_mapping',
        n.value ->> 'is_optional', n.value ->> 'timeout_ms', n.value ->> 'retry_policy',
        n.value ->> 'fallback_worker', n.value ->> 'config'
      FROM json_each(?2) AS n ORDER BY n.key";

    /// Removes a template with its steps.
    REMOVE = "DELETE FROM pipeline_templates WHERE name = ?1";
}

/// The rows of a template as they stood under a change counter.
#[derive(Clone, Debug)]
pub struct Current {
    /// The change counter at that moment.
    pub count: Count,
    /// The rows, if there is such a template.
    pub rows: Option<TemplateDetail>,
    /// Templates whose steps name it.
    pub named_by: Vec<NamedBy>,
}

/// A template that names another one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NamedBy {
    /// Its name.
    pub name: String,
    /// Whether it may be started.
    #[serde(deserialize_with = "super::row::flag")]
    pub is_active: bool,
}

/// Rows that are not written yet, with all that they reach and name.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The change counter at that moment.
    pub count: i64,
    /// What a start would read, were the rows written.
    pub loaded: LoadedTemplate,
    /// How the workers that it names were found: `unknown`, `healthy`, `degraded`, `unhealthy`.
    pub health: Vec<(String, String)>,
}

/// The template `name` as it stands.
pub async fn current(db: &impl Database, name: &str) -> Result<Current, DbError> {
    let [count, template, steps, named_by] = db
        .batch_of([
            meta::COUNT.statement(),
            templates::ONE.with(name),
            templates::STEPS.with(name),
            NAMED_BY.with(name),
        ])
        .await?;
    let rows = match template.first()? {
        Some(template) => Some(TemplateDetail { template, steps: steps.decode()? }),
        None => None,
    };
    Ok(Current { count: meta::decode_count(&count)?, rows, named_by: named_by.decode()? })
}

/// What a start would read, were the rows those of `draft`, whose steps are in order.
pub async fn read(db: &impl Database, draft: &TemplateDetail) -> Result<Draft, DbError> {
    let name = draft.template.name.as_str();
    let (own, _) = definition::assemble(gathered(draft), name);
    let named: Vec<&str> = own.steps.iter().filter_map(StepDefinition::named_template).collect();
    let workers: Vec<&str> = own.named_workers().into_iter().collect();
    let tools: Vec<&str> = own.named_tools().into_iter().collect();
    let (named, workers, tools) = (json!(named), json!(workers), json!(tools));
    let [count, templates, steps, workers, tools, newest] = db
        .batch_of([
            meta::COUNT.statement(),
            REACHED.with(&named).with(name),
            REACHED_STEPS.with(&named).with(name),
            WORKERS.with(&named).with(name).with(&workers),
            TOOLS.with(&named).with(name).with(&tools).with(tool_calls::INSTALLATION),
            revisions::NEWEST.with(name),
        ])
        .await?;
    let mut rows = gathered(draft);
    rows.templates.extend(templates.decode::<Template>()?);
    rows.steps.extend(templates::steps_by_template(&steps)?);
    rows.workers = workers.decode()?;
    rows.tools = tool_calls::by_reference(&tools)?;
    let health = rows.workers.iter();
    let health = health.map(|row| (row.worker_name.clone(), row.health_status.clone())).collect();
    let (definition, violations) = definition::assemble(rows, name);
    let newest: Option<Revision> = newest.first()?;
    let is_active = draft.template.is_active;
    let loaded = LoadedTemplate { is_active, definition, violations, newest };
    Ok(Draft { count: meta::decode_count(&count)?.count, loaded, health })
}

fn gathered(draft: &TemplateDetail) -> Gathered {
    let steps = (draft.template.name.clone(), draft.steps.clone());
    Gathered {
        templates: vec![draft.template.clone()],
        steps: [steps].into_iter().collect(),
        ..Gathered::default()
    }
}

/// The statement that refuses its batch unless the change counter stands where it stood.
pub fn expect_count(count: i64) -> Statement {
    EXPECT_COUNT.with(count)
}

/// The statement that takes the mark of the default template from every other.
pub fn others_not_default(name: &str) -> Statement {
    OTHERS_NOT_DEFAULT.with(name)
}

/// The statement that writes the row of a template.
pub fn put(row: &Template) -> Statement {
    let json = |value: &Option<Value>| value.as_ref().map_or(Param::Null, Param::from);
    PUT.with(row.name.as_str())
        .with(row.display_name.as_str())
        .with(row.description.as_str())
        .with(row.category.as_str())
        .with(row.is_active)
        .with(row.is_default)
        .with(row.allow_parallel)
        .with(row.failure_tolerance.as_str())
        .with(json(&row.input_schema))
        .with(json(&row.output_mapping))
        .with(row.deadline_ms)
        .with(row.cache_ttl_seconds)
        .with(row.estimated_cost_usd)
        .with(row.estimated_time_ms)
}

/// The statements that put steps in the place of those that a template has.
pub fn put_steps(name: &str, steps: &[Step]) -> [Statement; 2] {
    [REMOVE_STEPS.with(name), PUT_STEPS.with(name).with(step_rows(steps))]
}

/// The statement that removes a template with its steps.
pub fn remove(name: &str) -> Statement {
    REMOVE.with(name)
}

/// Steps as a JSON array of rows. Columns of JSON go as text, so that the database keeps every
/// number and every text as it was written.
pub fn step_rows(steps: &[Step]) -> String {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let row = |step: &Step| {
        json!({
            "step_order": step.step_order,
            "step_name": step.step_name,
            "kind": step.kind,
            "worker_name": step.worker_name,
            "endpoint": step.endpoint,
            "depends_on_steps": text(&step.depends_on_steps).unwrap_or_else(|| "[]".to_owned()),
            "condition": step.condition,
            "input_mapping": text(&step.input_mapping),
            "output_mapping": text(&step.output_mapping),
            "is_optional": u8::from(step.is_optional),
            "timeout_ms": step.timeout_ms,
            "retry_policy": text(&step.retry_policy),
            "fallback_worker": step.fallback_worker,
            "config": text(&step.config),
        })
    };
    Value::Array(steps.iter().map(row).collect()).to_string()
}
