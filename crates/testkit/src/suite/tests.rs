//! The suite itself: whether its cases can fail, and whether what it prints is what test.sh reads.

use std::collections::BTreeSet;

use axum::Router;
use axum::response::IntoResponse;

use super::*;
use crate::client::Client;

/// A server that answers everything in the same way.
async fn server(answer: fn() -> axum::response::Response) -> Subject {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || answer());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Subject::new(Client::new(&url, "a-client-key", "a-worker-secret"))
}

fn empty() -> axum::response::Response {
    axum::Json(serde_json::json!({})).into_response()
}

fn unavailable() -> axum::response::Response {
    axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// Whatever it is asked it takes, and shows an execution that waits and has completed at once.
fn obliging() -> axum::response::Response {
    let id = subject::NOBODY;
    let body = serde_json::json!({
        "status": "waiting", "execution_status": "paused", "pipeline_id": id, "entry": 1,
        "pipeline_url": format!("/pipeline/{id}"), "name": "callback", "summary": "paused",
        "pipeline": { "id": id, "status": "completed", "worker_results": [] },
        "steps": [], "templates": [], "pipelines": [], "violations": [],
    });
    (axum::http::StatusCode::ACCEPTED, axum::Json(body)).into_response()
}

#[tokio::test]
async fn a_server_that_does_nothing_passes_no_case() {
    for answer in [empty as fn() -> _, unavailable, obliging] {
        let subject = server(answer).await;
        let mut held = Vec::new();
        for case in phases().into_iter().flat_map(|phase| phase.cases) {
            let (outcome, _) = case.pass(&subject).await;
            held.extend(outcome.is_ok().then_some(case.name));
        }
        assert_eq!(held, Vec::<&str>::new());
    }
}

#[test]
fn there_are_enough_cases_and_each_has_a_name_of_its_own() {
    let all = phases();
    let names: Vec<&str> =
        all.iter().flat_map(|phase| &phase.cases).map(|case| case.name).collect();
    assert!(names.len() >= 60, "{} cases", names.len());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(all.iter().all(|phase| !phase.cases.is_empty()));
}

#[test]
fn a_line_shows_the_mark_the_time_and_what_failed() {
    let took = Duration::from_millis(12);
    assert_eq!(line("it serves", &Ok(()), took, Paint::Plain), "  ✓ it serves (12 ms)");
    let failed = line("it serves", &Err("no".repeat(1000)), took, Paint::Colours);
    assert!(failed.starts_with("  \x1b[31m✗\x1b[0m it serves (12 ms)\n      nono"));
    assert!(failed.len() < 1000);
}
