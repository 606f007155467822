//! What errors tell: everything for whoever asked, and nothing of what is inside. It comes last and
//! looks at every error reply that the suite has met.

use reqwest::Method;

use super::expect::demand;
use super::{Outcome, Phase, Subject, cases};

/// SQL and what a database says of it, and traces of Rust and JavaScript.
const INSIDE: [&str; 14] = [
    "D1_ERROR",
    "SQLITE_",
    "no such table",
    "no such column",
    "syntax error",
    "SELECT ",
    "INSERT INTO",
    "UPDATE ",
    "panicked",
    "RuntimeError",
    "wasm-function",
    ".rs:",
    "\\n    at ",
    "file://",
];
/// What a suite that was passed as a whole meets at least.
const ERRORS_MIN: usize = 100;

pub fn phase() -> Phase {
    Phase {
        title: "What errors tell",
        cases: cases![
            "hostile names and values are refused without a trace of the inside" => hostile,
            "no error of this suite tells SQL, a stack or a secret" => every_error,
        ],
    }
}

async fn hostile(it: &Subject) -> Outcome {
    let words =
        ["'; DROP TABLE accounts; --", "\" OR 1=1 --", "%00", "../../etc/passwd", "{{7*7}}"];
    for word in words {
        let path: String = url_encoded(word);
        for path in [
            format!("/templates/{path}"),
            format!("/pipeline/{path}"),
            format!("/admin/audit-log/{path}"),
            format!("/pipeline-history?topic={path}"),
            format!("/pipeline-history?cursor={path}"),
            format!("/admin/audit-log?cursor={path}"),
        ] {
            let reply = it.get(&path).by_client().by_worker().send().await?;
            demand!(reply.status < 500, "{path}: {} {}", reply.status, reply.body);
        }
    }
    let method = Method::from_bytes(b"PROPFIND").map_err(|error| error.to_string())?;
    let reply = it.ask(method, "/help").send().await?;
    demand!(matches!(reply.status, 400 | 405 | 501), "{}: {}", reply.status, reply.body);
    Ok(())
}

fn url_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"))
}

async fn every_error(it: &Subject) -> Outcome {
    let errors = it.client().errors();
    // With --only there are few.
    let ours = errors.iter().any(|error| error.contains("\"request_id\""));
    demand!(ours, "no error of an orchestrator was met");
    let secrets = [it.client().key(), it.client().secret()];
    for error in &errors {
        for inside in INSIDE.iter().chain(secrets.iter()) {
            demand!(!error.contains(inside), "an error tells {inside:?}: {error}");
        }
    }
    if errors.len() < ERRORS_MIN {
        println!("    (of {} errors)", errors.len());
    }
    Ok(())
}
