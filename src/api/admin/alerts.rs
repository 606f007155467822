//! Alerts: what is wrong, and what somebody did about it.

use api_types::admin::{AlertEntry, AlertQuery, AlertReply};
use axum::Json;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::figures::confined;
use crate::api::query::{self, label};
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, Caller};
use crate::clock::now;
use crate::db::alerts::{self, Act, Alert, Filter};
use crate::db::{Database, Statement};
use crate::error::ApiError;
use crate::extract::{Query, ResourcePath};
use crate::insights::alerts::Evidence;
use crate::openapi::{ADMIN, AdminErrors, AlertErrors, NotFoundErrors, QueryErrors};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;

/// Alerts, newest first. An administrator of one account sees what concerns it; the operator sees
/// everything.
#[utoipa::path(
    get, path = "/admin/alerts", tag = ADMIN,
    params(AlertQuery),
    responses(
        (status = 200, description = "A page of alerts", body = AlertReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_alerts(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<AlertQuery>,
) -> Result<Json<AlertReply>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    let (filter, after) = read(query, &authorized.caller)?;
    let after = after.as_ref().map(|(at, id)| (at.as_str(), id.as_str()));
    let (found, more) = alerts::page(&context.database()?, &filter, after, limit).await?;
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|alert| format!("{}_{}", alert.opened_at, alert.id));
    let alerts = found.into_iter().map(shown).collect::<Result<_, _>>()?;
    Ok(Json(AlertReply { alerts, next_cursor }))
}

/// One alert.
#[utoipa::path(
    get, path = "/admin/alerts/{id}", tag = ADMIN,
    params(("id" = String, Path, description = "The alert's id", max_length = 64)),
    responses(
        (status = 200, description = "The alert", body = AlertEntry),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_alert(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<AlertEntry>, ApiError> {
    shown(find(&context, &authorized.caller, &id).await?).map(Json)
}

/// Says that somebody has seen an alert. Said again, nothing changes.
#[utoipa::path(
    post, path = "/admin/alerts/{id}/acknowledge", tag = ADMIN,
    params(("id" = String, Path, description = "The alert's id", max_length = 64)),
    responses(
        (status = 200, description = "The alert, which is acknowledged", body = AlertEntry),
        AlertErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn acknowledge_alert(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<AlertEntry>, ApiError> {
    let caller = &authorized.caller;
    let mut alert = find(&context, caller, &id).await?;
    if alert.status == "open" {
        alert = change(&context, caller, &alert, alerts::acknowledge, "alert.acknowledged").await?;
    }
    match alert.status.as_str() {
        "resolved" => Err(ApiError::AlertResolved { id }),
        _ => shown(alert).map(Json),
    }
}

/// Says that an alert is over. Said again, nothing changes; should the figures still be bad, the
/// next check opens another one.
#[utoipa::path(
    post, path = "/admin/alerts/{id}/resolve", tag = ADMIN,
    params(("id" = String, Path, description = "The alert's id", max_length = 64)),
    responses(
        (status = 200, description = "The alert, which is resolved", body = AlertEntry),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn resolve_alert(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<AlertEntry>, ApiError> {
    let caller = &authorized.caller;
    let mut alert = find(&context, caller, &id).await?;
    if alert.status != "resolved" {
        alert = change(&context, caller, &alert, alerts::resolve, "alert.resolved").await?;
    }
    shown(alert).map(Json)
}

async fn find(context: &RequestContext, caller: &Caller, id: &str) -> Result<Alert, ApiError> {
    let found = alerts::find(&context.database()?, id, confined(caller)).await?;
    found.ok_or_else(|| ApiError::ResourceNotFound { kind: "alert", name: id.to_owned() })
}

/// Changes an alert and logs it in one batch; gives it as it is afterwards.
async fn change(
    context: &RequestContext,
    caller: &Caller,
    alert: &Alert,
    statement: fn(Act<'_>) -> Statement,
    said: &'static str,
) -> Result<Alert, ApiError> {
    let (account, by) = (confined(caller), caller.name());
    let act = Act { id: &alert.id, account, by: &by, at: now() };
    let state = |status: &str| Some(json!({ "status": status, "message": alert.message }));
    let logged = Change {
        change: said,
        subject_type: "alert",
        subject: &alert.id,
        account: alert.account_id.as_deref(),
        before: state(&alert.status),
        after: state(said.trim_start_matches("alert.")),
    };
    let batch = vec![statement(act), audit::entry(context, caller, logged)];
    context.database()?.batch(batch).await?;
    find(context, caller, &alert.id).await
}

type After = Option<(String, String)>;

fn read(query: AlertQuery, caller: &Caller) -> Result<(Filter, After), ApiError> {
    let AlertQuery { account, status, kind, severity, subject_type, subject, limit: _, cursor } =
        query;
    let mut violations = Vec::new();
    let after = query::cursor(cursor, &mut violations);
    if !violations.is_empty() {
        return Err(ApiError::QueryInvalid(violations));
    }
    let filter = Filter {
        account: confined(caller).map(str::to_owned).or(account),
        status: status.and_then(label),
        kind: kind.and_then(label),
        severity: severity.and_then(label),
        subject_type: subject_type.and_then(label),
        subject,
    };
    Ok((filter, after))
}

fn shown(alert: Alert) -> Result<AlertEntry, ApiError> {
    let Alert {
        id,
        account_id,
        kind,
        severity,
        subject_type,
        subject,
        message,
        metric,
        observed,
        baseline,
        threshold,
        evidence,
        status,
        opened_at,
        acknowledged_at,
        acknowledged_by,
        resolved_at,
        resolved_by,
        updated_at,
    } = alert;
    let evidence: Evidence = serde_json::from_value(evidence).unwrap_or_default();
    Ok(AlertEntry {
        id,
        account: account_id,
        kind: word(kind)?,
        severity: word(severity)?,
        subject_type: word(subject_type)?,
        subject,
        message,
        metric,
        observed,
        baseline,
        threshold,
        samples: evidence.samples,
        baseline_samples: evidence.baseline_samples,
        status: word(status)?,
        opened_at,
        acknowledged_at,
        acknowledged_by,
        resolved_at,
        resolved_by,
        updated_at,
    })
}

/// A word of a column as the enumeration that it stands for.
fn word<T: DeserializeOwned>(text: String) -> Result<T, ApiError> {
    let known = serde_json::from_value(Value::String(text));
    known.map_err(|error| ApiError::Internal { cause: format!("a column's word: {error}") })
}
