//! The executions of the caller's account, newest first.

mod table;

use api_types::{HistoryEntry, HistoryFormat, HistoryQuery, HistoryReply};
use axum::Json;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use engine::money::MicroUsd;
use engine::plan::Violation;
use futures::future::try_join;

use super::query::{self, label, moment};
use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::db::D1;
use crate::db::archive;
use crate::db::history::{self, Cursor, Filter, HistoryRow, LOOKED_AT_MAX, PAGE_MAX};
use crate::error::ApiError;
use crate::extract::Query;
use crate::openapi::{CLIENT, ClientErrors, QueryErrors};
use crate::request::RequestContext;

const PAGE_DEFAULT: u32 = 50;
/// The most lines of one table.
const TABLE_MAX: u32 = 5_000;
/// How often a table looks for its lines: each time one page.
const LOOKS_MAX: u32 = 30;

/// The executions of the caller's account, newest first.
///
/// Filters look at 100,000 executions a page: a page may be short, or empty, while `next_cursor`
/// says where to look on.
///
/// As CSV (`format=csv`, or `Accept: text/csv`) all that match come at once, up to 5,000 or
/// `limit`; `X-Next-Cursor` says where the next table begins. Texts that a spreadsheet would
/// calculate begin with an apostrophe there.
#[utoipa::path(
    get, path = "/pipeline-history", tag = CLIENT,
    params(HistoryQuery),
    responses(
        (status = 200, description = "A page of executions, or a table", content(
            (HistoryReply = "application/json"),
            (String = "text/csv"),
        )),
        QueryErrors, ClientErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn pipeline_history(
    authorized: Authorized<ClientRead>,
    context: RequestContext,
    headers: HeaderMap,
    Query(query): Query<HistoryQuery>,
) -> Result<Response, ApiError> {
    let account = authorized.caller.account();
    if table::format(query.format, &headers) == HistoryFormat::Csv {
        return whole_table(&context.database()?, account, query).await;
    }
    let limit = query.limit.unwrap_or(PAGE_DEFAULT);
    let count = query.total == Some(true);
    let (filter, after) = read(query)?;
    let database = context.database()?;
    let page = history::page(&database, account, &filter, after.as_ref(), limit, LOOKED_AT_MAX);
    let (page, archived_until) = try_join(page, archive::newest(&database, account)).await?;
    let total = match count {
        true => Some(history::total(&database, account, &filter).await?),
        false => None,
    };
    let pipelines = page.rows.into_iter().map(entry).collect::<Result<_, _>>()?;
    let next_cursor = page.next.as_ref().map(cursor_text);
    Ok(Json(HistoryReply { pipelines, next_cursor, archived_until, total }).into_response())
}

/// All that match, page by page, as long as there are lines left.
async fn whole_table(
    database: &D1,
    account: &str,
    query: HistoryQuery,
) -> Result<Response, ApiError> {
    let mut left = query.limit.unwrap_or(TABLE_MAX);
    let (filter, mut after) = read(query)?;
    let (mut entries, mut looks) = (Vec::new(), 0);
    while left > 0 {
        let limit = left.min(PAGE_MAX);
        let page =
            history::page(database, account, &filter, after.as_ref(), limit, LOOKED_AT_MAX).await?;
        let found = page.rows.len() as u32;
        for row in page.rows {
            entries.push(entry(row)?);
        }
        left = left.saturating_sub(found);
        after = page.next;
        looks += 1;
        if after.is_none() || looks == LOOKS_MAX {
            break;
        }
    }
    Ok(table::reply(&entries, after.as_ref().map(cursor_text).as_deref(), now()))
}

fn cursor_text(cursor: &Cursor) -> String {
    format!("{}_{}", cursor.created_at, cursor.id)
}

/// What the query asks for; what its schema could not see is checked here.
fn read(query: HistoryQuery) -> Result<(Filter, Option<Cursor>), ApiError> {
    let HistoryQuery {
        status,
        template,
        strategy,
        topic,
        from,
        to,
        cost_min_usd,
        cost_max_usd,
        limit: _,
        cursor,
        total: _,
        format: _,
    } = query;
    let mut violations = Vec::new();
    let created_from = moment("/from", from, &mut violations);
    let created_to = moment("/to", to, &mut violations);
    let after =
        query::cursor(cursor, &mut violations).and_then(|place| after(place, &mut violations));
    if !violations.is_empty() {
        return Err(ApiError::QueryInvalid(violations));
    }
    let micros = |usd: Option<f64>| usd.and_then(MicroUsd::from_usd).map(MicroUsd::as_micros);
    let filter = Filter {
        template_name: template,
        status: status.and_then(label),
        execution_strategy: strategy.and_then(label),
        topic_contains: topic,
        created_from,
        created_to,
        cost_micro_usd_min: micros(cost_min_usd),
        cost_micro_usd_max: micros(cost_max_usd),
    };
    Ok((filter, after))
}

/// The row that a page comes after; ids are whole numbers.
fn after((created_at, id): (String, String), violations: &mut Vec<Violation>) -> Option<Cursor> {
    let Some(id) = id.parse().ok().filter(|id| (0..1 << 53).contains(id)) else {
        query::no_cursor(violations);
        return None;
    };
    Some(Cursor { created_at, id })
}

fn entry(row: HistoryRow) -> Result<HistoryEntry, ApiError> {
    let HistoryRow {
        id: _,
        pipeline_id,
        template_name,
        template_revision,
        topic,
        status,
        execution_strategy,
        optimize_for: _,
        urgency,
        quality_level,
        total_cost_micro_usd,
        cost_estimated: _,
        sources_discovered,
        articles_processed,
        final_quality_score,
        optimization_applied,
        cache_hit,
        total_execution_time_ms,
        waiting_reason: _,
        created_at,
        started_at: _,
        completed_at,
    } = row;
    let status = serde_json::from_value(status.into());
    Ok(HistoryEntry {
        pipeline_url: format!("/pipeline/{pipeline_id}"),
        pipeline_id,
        topic,
        template: template_name,
        template_revision,
        execution_strategy,
        urgency,
        quality_level,
        status: status.map_err(|error| ApiError::Internal { cause: error.to_string() })?,
        total_cost_usd: MicroUsd::from_micros(total_cost_micro_usd).as_usd(),
        total_execution_time_ms,
        sources_discovered,
        articles_processed,
        final_quality_score,
        optimization_applied,
        cache_hit,
        created_at,
        completed_at,
    })
}

#[cfg(test)]
mod tests {
    use api_types::{ExecutionStatus, StrategyLabel};
    use engine::time::Timestamp;

    use super::*;

    #[test]
    fn a_query_becomes_a_filter() {
        let (filter, after) = read(HistoryQuery {
            status: Some(ExecutionStatus::Failed),
            strategy: Some(StrategyLabel::QualityOptimized),
            from: Some("2026-11-21T12:00:00+02:00".to_owned()),
            cost_min_usd: Some(0.07),
            cursor: Some("2026-11-21T10:00:00.123Z_42".to_owned()),
            ..HistoryQuery::default()
        })
        .unwrap();
        assert_eq!(filter.status.as_deref(), Some("failed"));
        assert_eq!(filter.execution_strategy.as_deref(), Some("quality_optimized"));
        assert_eq!(filter.created_from, Some(Timestamp::from_millis(1_795_255_200_000)));
        assert_eq!(filter.cost_micro_usd_min, Some(70_000));
        let created_at = "2026-11-21T10:00:00.123Z".to_owned();
        assert_eq!(after, Some(Cursor { created_at, id: 42 }));
    }

    #[test]
    fn every_unreadable_value_is_reported() {
        let text = |text: &str| Some(text.to_owned());
        let query = HistoryQuery {
            from: text("yesterday"),
            to: text("2026-13-01T00:00:00Z"),
            cursor: text("2026-11-21T10:00:00Z_x"),
            ..HistoryQuery::default()
        };
        let Err(ApiError::QueryInvalid(found)) = read(query) else { panic!("it is refused") };
        let pointers: Vec<&str> = found.iter().map(|v| v.pointer.as_str()).collect();
        assert_eq!(pointers, ["/from", "/to", "/cursor"]);
    }
}
