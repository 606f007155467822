//! The health of nodes: asked by the cron, a few each minute, those first that were asked longest
//! ago. A node that fails again and again is in error and its tools are not chosen; one that passes
//! again and again is back. Once is not enough for either: a node must not come and go with every
//! lost packet.

use engine::time::{Millis, Timestamp};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use worker::{Fetch, Method, Request, RequestInit, RequestRedirect};

use super::workers::{CHECK_TIMEOUT, CHECKS_AT_ONCE, read_answer};
use crate::clock::now;
use crate::db::node_health::{self, DueNode, Found};
use crate::db::{D1, registry_upkeep};
use crate::driver::Site;
use crate::log::{self, Level};
use crate::within::within;

/// Nodes that are asked in one go: the platform limits the calls of an invocation.
const NODES_AT_A_TIME: u32 = 40;
/// A node that was asked so lately is not asked again: the cron may come twice.
const NOT_WITHIN: Millis = Millis::from_secs(30);
/// Failures in a row that put a node into error.
const FAILURES: u32 = 3;
/// Passes in a row that bring it back.
const PASSES: u32 = 2;
/// Tools that come back in one go.
const TOOLS_AT_A_TIME: u32 = 200;
/// How much of an error is kept.
const ERROR_CHARS_MAX: usize = 200;

/// Asks the nodes that it is time for, and draws the conclusions; then tools that were disabled for
/// a node come back where it has, whoever brought it back.
pub async fn check_nodes(site: &Site) {
    if let Err(error) = check(site).await {
        log::write(Level::Warn, json!({ "event": "nodes.check_failed", "error": error }));
    }
    if let Err(error) = bring_tools_back(site).await {
        log::write(Level::Warn, json!({ "event": "tools.not_brought_back", "error": error }));
    }
}

async fn bring_tools_back(site: &Site) -> Result<(), String> {
    let database = D1::new(site.bindings.database().map_err(|error| error.to_string())?);
    let enabled = registry_upkeep::come_back(&database, TOOLS_AT_A_TIME, now()).await;
    let enabled = enabled.map_err(|error| error.to_string())?;
    if !enabled.is_empty() {
        let many = enabled.len();
        log::write(Level::Info, json!({ "event": "tools.enabled_by_node", "count": many }));
    }
    Ok(())
}

async fn check(site: &Site) -> Result<(), String> {
    let database = D1::new(site.bindings.database().map_err(|error| error.to_string())?);
    let before =
        Timestamp::from_millis(now().as_millis().saturating_sub_unsigned(NOT_WITHIN.get()));
    let due = node_health::due(&database, before, NODES_AT_A_TIME).await;
    let due = due.map_err(|error| error.to_string())?;
    if due.is_empty() {
        return Ok(());
    }
    let checks = due.into_iter().map(|node| async move {
        let error = ask(site, &node.address).await.err();
        judged(node, error)
    });
    let found: Vec<Found> = stream::iter(checks).buffer_unordered(CHECKS_AT_ONCE).collect().await;
    let noted = node_health::note(&database, &found, now()).await;
    noted.map_err(|error| error.to_string())?;
    let moved: Vec<&Found> =
        found.iter().filter(|found| found.status != found.node.status).collect();
    moved.iter().for_each(|found| told(found));
    Ok(())
}

async fn ask(site: &Site, address: &str) -> Result<(), String> {
    let url = format!("{}/health", address.trim_end_matches('/'));
    let answer = within(CHECK_TIMEOUT, get(site, &url)).await;
    let (status, body) = answer.ok_or_else(|| "no answer in time".to_owned())??;
    passes(status, &body)
}

/// What is answered at a URL. A redirect could lead to an address that was not checked.
async fn get(site: &Site, url: &str) -> Result<(u16, Value), String> {
    let failed = |error: worker::Error| error.to_string();
    worker_kit::ssrf::check(url, site.config.local_addresses_allowed)
        .map_err(|refusal| format!("the address is refused: {}", refusal.code()))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Get).with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init).map_err(failed)?;
    read_answer(Fetch::Request(request).send().await.map_err(failed)?).await
}

/// Whether an answer is that of a node that can be called.
fn passes(status: u16, body: &Value) -> Result<(), String> {
    if !(200..=299).contains(&status) {
        return Err(format!("it answered with status {status}"));
    }
    match body["status"].as_str() {
        None | Some("ok" | "healthy" | "degraded") => Ok(()),
        Some(other) => Err(format!("it says that it is `{other}`")),
    }
}

/// What follows from a check.
fn judged(node: DueNode, error: Option<String>) -> Found {
    let is_active = node.status == "ACTIVE";
    let (failed, passed) = match error {
        Some(_) => (node.checks_failed.saturating_add(1), 0),
        None => (0, node.checks_passed.saturating_add(1)),
    };
    let status = match is_active {
        true if failed >= FAILURES => "ERROR",
        false if passed < PASSES => "ERROR",
        true | false => "ACTIVE",
    };
    let error = error.map(|error| error.chars().take(ERROR_CHARS_MAX).collect());
    Found { node, checks_failed: failed, checks_passed: passed, status, error }
}

fn told(found: &Found) {
    let level = if found.status == "ERROR" { Level::Warn } else { Level::Info };
    log::write(
        level,
        json!({
            "event": "node.status_changed",
            "node": found.node.node_id,
            "status": found.status,
            "error": found.error,
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(status: &str, checks_failed: u32, checks_passed: u32) -> DueNode {
        DueNode {
            node_id: "n".to_owned(),
            address: "https://n".to_owned(),
            status: status.to_owned(),
            checks_failed,
            checks_passed,
        }
    }

    #[test]
    fn it_takes_three_failures_to_fall_and_two_passes_to_rise() {
        let bad = || Some("no answer in time".to_owned());
        for (status, failed, passed, error, expected) in [
            ("ACTIVE", 0, 9, bad(), ("ACTIVE", 1, 0)),
            ("ACTIVE", 1, 0, bad(), ("ACTIVE", 2, 0)),
            ("ACTIVE", 2, 0, bad(), ("ERROR", 3, 0)),
            ("ACTIVE", 2, 0, None, ("ACTIVE", 0, 1)),
            ("ERROR", 3, 0, None, ("ERROR", 0, 1)),
            ("ERROR", 0, 1, bad(), ("ERROR", 1, 0)),
            ("ERROR", 0, 1, None, ("ACTIVE", 0, 2)),
            ("ERROR", u32::MAX, 0, bad(), ("ERROR", u32::MAX, 0)),
        ] {
            let found = judged(node(status, failed, passed), error.clone());
            let came = (found.status, found.checks_failed, found.checks_passed);
            assert_eq!(came, expected, "{status} {failed} {passed} {error:?}");
            assert_eq!(found.error, error);
        }
    }

    #[test]
    fn an_answer_passes_unless_it_says_otherwise() {
        for (status, body, expected) in [
            (200, json!({ "status": "ok" }), true),
            (204, Value::Null, true),
            (200, json!({ "status": "degraded" }), true),
            (200, json!({ "status": "down" }), false),
            (302, Value::Null, false),
            (404, json!({ "status": "ok" }), false),
            (503, Value::Null, false),
        ] {
            assert_eq!(passes(status, &body).is_ok(), expected, "{status} {body}");
        }
    }
}
