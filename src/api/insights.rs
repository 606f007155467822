//! What the executions of an account came to, where their time and money went, and what would help.

use std::collections::BTreeMap;

use api_types::insights::{InsightsQuery, InsightsReply, TimeRange};
use axum::Json;
use axum::response::{IntoResponse, Response};
use engine::plan::definition::TemplateDefinition;
use engine::time::{Millis, Timestamp};
use serde_json::json;

use super::query::label;
use crate::auth::{Authorized, Caller, ClientRead, Reach, Scope};
use crate::bindings::Bindings;
use crate::clock::now;
use crate::db::insights::{self as rows, Execution};
use crate::db::rollups::{
    ExecutionsBy, Scope as Whose, StepsBy, Window, executions_statement, steps_statement,
};
use crate::db::{D1, Database, iso};
use crate::error::ApiError;
use crate::extract::Query;
use crate::figures;
use crate::insights::{Figures, Material, Period, report};
use crate::log::{self, Level};
use crate::openapi::{CLIENT, ClientErrors, InsightsErrors, QueryErrors};
use crate::request::RequestContext;

/// How long an answer serves.
const KEPT_S: u64 = 900;
/// Nobody needs a newer answer than this, however often it is asked for.
const FRESH_FOR: Millis = Millis::from_secs(5);

/// What executions came to, where their time and money went, and what would help.
///
/// Counts, costs and rates are exact, quantiles within 12 % (docs/figures.md). Every figure stands
/// beside that of the period before. Bottlenecks and recommendations come from the newest
/// executions of the period row by row (`sample`), and from the figures of all; each recommendation
/// brings the rows that it follows from. An answer serves for 15 minutes: `X-Cache` says whether
/// this one was there already, `generated_at` since when.
#[utoipa::path(
    get, path = "/performance-insights", tag = CLIENT,
    params(InsightsQuery),
    responses(
        (status = 200, description = "The insights", body = InsightsReply, headers(
            ("X-Cache" = String, description = "`hit`: found earlier; `miss`: found now"),
        )),
        QueryErrors, InsightsErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn performance_insights(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    Query(query): Query<InsightsQuery>,
) -> Result<Response, ApiError> {
    if !context.config().insights_enabled {
        return Err(ApiError::InsightsDisabled);
    }
    let account = whose(&authorized.caller, query.account.as_deref())?;
    let range = query.time_range.unwrap_or_default();
    let key = format!("insights/1/{}/{account}", label(range).unwrap_or_default());
    let kept = read(context.bindings(), &key).await;
    if let Some(kept) = kept.filter(|kept| query.fresh != Some(true) || is_new(kept)) {
        return Ok(reply("hit", kept));
    }
    let found = find(&context, account, range).await?;
    keep(context.bindings(), &key, &found).await;
    Ok(reply("miss", found))
}

/// The account that is meant; another than the caller's own is for the operator.
fn whose<'a>(caller: &'a Caller, asked: Option<&'a str>) -> Result<&'a str, ApiError> {
    let own = caller.account();
    let operates = caller.scopes().contains(Scope::Admin) && caller.reach() == Reach::Installation;
    match asked.filter(|asked| *asked != own) {
        None => Ok(own),
        Some(other) if operates => Ok(other),
        Some(_) => Err(ApiError::OperatorRequired),
    }
}

fn reply(cache: &'static str, found: InsightsReply) -> Response {
    ([("x-cache", cache)], Json(found)).into_response()
}

fn is_new(kept: &InsightsReply) -> bool {
    let at = chrono::DateTime::parse_from_rfc3339(&kept.generated_at);
    let at = at.map(|at| Timestamp::from_millis(at.timestamp_millis()));
    at.is_ok_and(|at| now().since(at) < FRESH_FOR)
}

async fn find(
    context: &RequestContext,
    account: &str,
    range: TimeRange,
) -> Result<InsightsReply, ApiError> {
    let database = context.database()?;
    figures::refresh(&database).await;
    let at = now();
    let period = Period::ending(range, at);
    let (figures, mut material) = counted(&database, account, &period).await?;
    let config = context.config();
    material.cache_ttl_s = config.result_cache_ttl_s;
    material.attempt_timeout_ms = config.attempt_timeout.get();
    look_closer(&database, &mut material).await?;
    Ok(report(account, &period, at, &figures, &material))
}

/// The figures of both periods and the newest executions, in one round trip.
async fn counted(
    database: &D1,
    account: &str,
    period: &Period,
) -> Result<(Figures, Material), ApiError> {
    let whose = Whose::Account(account);
    let executions = |window: &Window, by| executions_statement(whose, window, by, None);
    let (from, to) = (iso(period.now.from()), iso(period.now.to()));
    let statements = [
        executions(&period.now, ExecutionsBy::Total),
        executions(&period.before, ExecutionsBy::Total),
        executions(&period.now, ExecutionsBy::Strategy),
        executions(&period.before, ExecutionsBy::Strategy),
        executions(&period.now, ExecutionsBy::Template),
        executions(&period.before, ExecutionsBy::Template),
        steps_statement(whose, &period.now, StepsBy::Step, None, None),
        steps_statement(whose, &period.before, StepsBy::Worker, None, None),
        rows::executions_statement(account, &from, &to),
        rows::paused_statement(account, &from, &to),
    ];
    let [
        total,
        total_before,
        strategies,
        strategies_before,
        templates,
        templates_before,
        steps,
        workers,
        newest,
        paused,
    ] = database.batch_of(statements).await?;
    let figures = Figures {
        total: [total.decode()?, total_before.decode()?],
        by_strategy: [strategies.decode()?, strategies_before.decode()?],
        by_template: [templates.decode()?, templates_before.decode()?],
        workers_before: workers.decode()?,
    };
    let material = Material {
        executions: newest.decode()?,
        figures: steps.decode()?,
        paused: paused.decode()?,
        ..Material::default()
    };
    Ok((figures, material))
}

/// The steps of the newest executions that came to a result, and what their templates look like.
async fn look_closer(database: &D1, material: &mut Material) -> Result<(), ApiError> {
    let done =
        |one: &&Execution| !one.cache_hit && matches!(one.status.as_str(), "completed" | "partial");
    let executions = material.executions.iter().filter(done).take(rows::WITH_STEPS_MAX);
    let executions: Vec<&str> = executions.map(|one| one.pipeline_id.as_str()).collect();
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for one in &material.executions {
        let revision = newest.entry(&one.template_name).or_default();
        *revision = one.template_revision.max(*revision);
    }
    let revisions: Vec<(&str, u64)> = newest.into_iter().collect();
    let (steps, definitions) = rows::details(database, &executions, &revisions).await?;
    for step in steps {
        material.steps.entry(step.pipeline_id.clone()).or_default().push(step);
    }
    for found in definitions {
        // A definition that a later build stored says nothing to this one.
        if let Ok(definition) = serde_json::from_str::<TemplateDefinition>(&found.definition) {
            material.definitions.insert(found.template_name, definition);
        }
    }
    Ok(())
}

async fn read(bindings: &Bindings, key: &str) -> Option<InsightsReply> {
    let text = bindings.cache().ok()?.get(key).text().await;
    match text {
        Ok(text) => serde_json::from_str(&text?).ok(),
        Err(error) => {
            failed("insights.cache_read_failed", &error.to_string());
            None
        }
    }
}

/// The cache may be down: then the next one finds it anew.
async fn keep(bindings: &Bindings, key: &str, found: &InsightsReply) {
    if let Err(error) = write(bindings, key, found).await {
        failed("insights.cache_write_failed", &error);
    }
}

async fn write(bindings: &Bindings, key: &str, found: &InsightsReply) -> Result<(), String> {
    let text = serde_json::to_string(found).map_err(|error| error.to_string())?;
    let cache = bindings.cache().map_err(|error| error.to_string())?;
    let put = cache.put(key, text).map_err(|error| error.to_string())?;
    put.expiration_ttl(KEPT_S).execute().await.map_err(|error| error.to_string())
}

fn failed(event: &str, error: &str) {
    log::write(Level::Warn, json!({ "event": event, "error": error }));
}
