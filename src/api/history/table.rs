//! The history as a table: which form a client wants, and the lines of the CSV.

use api_types::{HistoryEntry, HistoryFormat};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use engine::time::Timestamp;

use crate::api::query::label;
use crate::csv::{Cell, write_row};
use crate::db::iso;

const COLUMNS: [&str; 18] = [
    "pipeline_id",
    "topic",
    "template",
    "template_revision",
    "execution_strategy",
    "urgency",
    "quality_level",
    "status",
    "total_cost_usd",
    "total_execution_time_ms",
    "sources_discovered",
    "articles_processed",
    "final_quality_score",
    "optimization_applied",
    "cache_hit",
    "created_at",
    "completed_at",
    "pipeline_url",
];

/// The form that is wanted: by the query, else by `Accept`, else JSON.
pub fn format(asked: Option<HistoryFormat>, headers: &HeaderMap) -> HistoryFormat {
    if let Some(asked) = asked {
        return asked;
    }
    let (mut csv, mut json) = (0.0, 0.0);
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let q =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
        match (kind.as_str(), q) {
            ("text/csv", Some(q)) => csv = f64::max(csv, q),
            ("application/json" | "application/*" | "*/*", Some(q)) => json = f64::max(json, q),
            (_, _) => {}
        }
    }
    if csv > json { HistoryFormat::Csv } else { HistoryFormat::Json }
}

/// The table as a file; `next` is where the next one begins.
pub fn reply(entries: &[HistoryEntry], next: Option<&str>, at: Timestamp) -> Response {
    let name: String = iso(at).chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let disposition = format!("attachment; filename=\"pipeline-history-{name}.csv\"");
    let mut response = (
        [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        lines(entries),
    )
        .into_response();
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(next).ok()) {
        response.headers_mut().insert("x-next-cursor", next);
    }
    response
}

fn lines(entries: &[HistoryEntry]) -> String {
    let mut out = String::new();
    write_row(&mut out, &COLUMNS.map(Cell::from));
    for entry in entries {
        let status = label(entry.status).unwrap_or_default();
        let optimizations = entry.optimization_applied.join(";");
        let cells: [Cell<'_>; COLUMNS.len()] = [
            entry.pipeline_id.as_str().into(),
            entry.topic.as_deref().into(),
            entry.template.as_str().into(),
            entry.template_revision.into(),
            entry.execution_strategy.as_str().into(),
            entry.urgency.as_str().into(),
            entry.quality_level.as_str().into(),
            status.as_str().into(),
            entry.total_cost_usd.into(),
            entry.total_execution_time_ms.into(),
            entry.sources_discovered.into(),
            entry.articles_processed.into(),
            entry.final_quality_score.map_or(Cell::Empty, Cell::from),
            optimizations.as_str().into(),
            entry.cache_hit.into(),
            entry.created_at.as_str().into(),
            entry.completed_at.as_deref().into(),
            entry.pipeline_url.as_str().into(),
        ];
        write_row(&mut out, &cells);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> HistoryFormat {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        format(None, &headers)
    }

    #[test]
    fn the_form_is_what_is_accepted_best() {
        for csv in ["text/csv", "TEXT/CSV; charset=utf-8", "application/json;q=0.5, text/csv"] {
            assert_eq!(wanted(csv), HistoryFormat::Csv, "{csv}");
        }
        for json in ["*/*", "", "text/html", "application/json, text/csv", "text/csv;q=0, */*"] {
            assert_eq!(wanted(json), HistoryFormat::Json, "{json}");
        }
        assert_eq!(wanted("text/csv, */*;q=0.1"), HistoryFormat::Csv);
        assert_eq!(format(None, &HeaderMap::new()), HistoryFormat::Json);
        let headers = HeaderMap::from_iter([(header::ACCEPT, "text/csv".parse().unwrap())]);
        assert_eq!(format(Some(HistoryFormat::Json), &headers), HistoryFormat::Json);
    }

    #[test]
    fn a_topic_that_is_a_formula_is_a_text() {
        let entry: HistoryEntry = serde_json::from_value(serde_json::json!({
            "pipeline_id": "pipe_1", "topic": "=HYPERLINK(\"x\")", "template": "t",
            "template_revision": 1, "execution_strategy": "balanced", "urgency": "medium",
            "quality_level": "standard", "status": "completed", "total_cost_usd": 0.25,
            "total_execution_time_ms": 7, "sources_discovered": 1, "articles_processed": 2,
            "final_quality_score": null, "optimization_applied": ["caching", "step_cache"],
            "cache_hit": true, "created_at": "2026-11-21T10:00:00.000Z", "completed_at": null,
            "pipeline_url": "/pipeline/pipe_1",
        }))
        .unwrap();
        let text = lines(&[entry]);
        let mut rows = text.split("\r\n");
        assert_eq!(rows.next().unwrap().split(',').count(), COLUMNS.len());
        assert_eq!(
            rows.next(),
            Some(
                "pipe_1,\"'=HYPERLINK(\"\"x\"\")\",t,1,balanced,medium,standard,completed,0.25,7,\
                 1,2,,caching;step_cache,true,2026-11-21T10:00:00.000Z,,/pipeline/pipe_1"
            )
        );
        assert_eq!((rows.next(), rows.next()), (Some(""), None));
    }
}
