//! The templates that can be started.

use api_types::{TemplateEntry, TemplateReply, TemplateStep, TemplatesReply};
use axum::Json;
use serde_json::Value;

use crate::db::templates::{self, Step, Template, TemplateDetail, TemplateSummary};
use crate::error::ApiError;
use crate::extract::TemplatePath;
use crate::openapi::{PUBLIC, ServerErrors, TemplateErrors};
use crate::request::RequestContext;

/// The templates that can be started, by name.
#[utoipa::path(
    get, path = "/templates", tag = PUBLIC,
    responses((status = 200, description = "The templates", body = TemplatesReply), ServerErrors),
)]
#[worker::send]
pub async fn list_templates(context: RequestContext) -> Result<Json<TemplatesReply>, ApiError> {
    let rows = templates::list(&context.database()?).await?;
    Ok(Json(TemplatesReply { templates: rows.into_iter().map(entry).collect() }))
}

/// One template with its steps.
#[utoipa::path(
    get, path = "/templates/{name}", tag = PUBLIC,
    params(("name" = String, Path, description = "The template's name",
        example = "rss_intelligence_pipeline")),
    responses(
        (status = 200, description = "The template", body = TemplateReply),
        TemplateErrors, ServerErrors,
    ),
)]
#[worker::send]
pub async fn show_template(
    TemplatePath(name): TemplatePath,
    context: RequestContext,
) -> Result<Json<TemplateReply>, ApiError> {
    let found = templates::one(&context.database()?, Some(&name)).await?;
    let found = found.filter(|found| found.template.is_active);
    found.map(|found| Json(reply(found))).ok_or(ApiError::TemplateNotFound { name })
}

/// A template as lists show it.
pub fn entry(row: TemplateSummary) -> TemplateEntry {
    let TemplateSummary {
        name,
        display_name,
        description,
        category,
        is_default,
        allow_parallel,
        failure_tolerance: _,
        estimated_cost_usd,
        estimated_time_ms,
        updated_at: _,
        step_count,
    } = row;
    TemplateEntry {
        name,
        display_name,
        description,
        category,
        is_default,
        allow_parallel,
        step_count: step_count.into(),
        estimated_cost_usd,
        estimated_time_ms,
    }
}

fn reply(detail: TemplateDetail) -> TemplateReply {
    let TemplateDetail { template, steps } = detail;
    let Template {
        name,
        display_name,
        description,
        category,
        is_active: _,
        is_default,
        allow_parallel,
        failure_tolerance,
        input_schema,
        output_mapping,
        deadline_ms,
        cache_ttl_seconds,
        estimated_cost_usd,
        estimated_time_ms,
        created_at: _,
        updated_at,
    } = template;
    TemplateReply {
        template: TemplateEntry {
            name,
            display_name,
            description,
            category,
            is_default,
            allow_parallel,
            step_count: steps.len() as u64,
            estimated_cost_usd,
            estimated_time_ms,
        },
        failure_tolerance,
        input_schema: input_schema.unwrap_or_default(),
        output_mapping: output_mapping.unwrap_or_default(),
        deadline_ms,
        cache_ttl_seconds,
        updated_at,
        steps: steps.into_iter().map(step).collect(),
    }
}

fn step(row: Step) -> TemplateStep {
    let Step {
        step_order,
        step_name,
        kind,
        worker_name,
        endpoint,
        depends_on_steps,
        condition,
        input_mapping,
        output_mapping,
        is_optional,
        timeout_ms,
        retry_policy,
        fallback_worker,
        config,
    } = row;
    // A condition is CEL, or the object form as JSON: a client gets the object.
    let condition = condition.map(|text| match serde_json::from_str(&text) {
        Ok(Value::Object(form)) => Value::Object(form),
        Ok(_) | Err(_) => Value::String(text),
    });
    TemplateStep {
        step_order,
        step_name,
        kind,
        worker_name,
        endpoint,
        depends_on_steps: match depends_on_steps {
            Some(Value::Array(steps)) => steps,
            Some(_) | None => Vec::new(),
        },
        condition: condition.unwrap_or_default(),
        input_mapping: input_mapping.unwrap_or_default(),
        output_mapping: output_mapping.unwrap_or_default(),
        is_optional,
        timeout_ms,
        retry_policy: retry_policy.unwrap_or_default(),
        fallback_worker,
        config: config.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(condition: Option<&str>, depends_on_steps: Option<Value>) -> Step {
        Step {
            step_order: 3,
            step_name: "fetch".to_owned(),
            kind: "worker".to_owned(),
            worker_name: None,
            endpoint: None,
            depends_on_steps,
            condition: condition.map(str::to_owned),
            input_mapping: None,
            output_mapping: None,
            is_optional: false,
            timeout_ms: None,
            retry_policy: None,
            fallback_worker: None,
            config: None,
        }
    }

    #[test]
    fn conditions_and_dependencies_keep_their_form() {
        let object = step(row(Some(r#"{"sources_available":"> 0"}"#), Some(json!(["a", 1]))));
        assert_eq!(object.condition, json!({ "sources_available": "> 0" }));
        assert_eq!(object.depends_on_steps, [json!("a"), json!(1)]);
        assert_eq!(step(row(Some("size(data.x) > 0"), None)).condition, json!("size(data.x) > 0"));
        assert_eq!(step(row(Some("true"), None)).condition, json!("true"));
        assert_eq!(step(row(None, None)).condition, Value::Null);
    }
}
