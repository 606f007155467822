//! Figures of administration: they equal what the history shows.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::expect::{demand, list, same, status};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

/// How often figures and history are compared: executions may end between two readings.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);
const PAGES_MAX: usize = 200;

pub fn phase() -> Phase {
    Phase {
        title: "Administration: figures and alerts",
        cases: cases![
            "GET /admin/stats counts what the history lists" => stats,
            "GET /admin/costs comes to what the history lists" => costs,
            "GET /admin/performance knows the worker, the template and the strategy" => performance,
            "a day without executions costs nothing" => empty,
            "days that are none are refused, each with its place" => bad_days,
            "parameters that do not fit are refused" => bad_queries,
            "without the right to administer they are refused" => rights,
            "GET /admin/alerts is a list" => alerts,
            "an alert that is not there is not found" => no_alert,
        ],
    }
}

async fn admin(it: &Subject, path: &str) -> Result<Reply, String> {
    let reply = it.get(path).by_worker().send().await?;
    status(&reply, 200).map_err(|found| format!("{path}: {found}"))?;
    Ok(reply)
}

/// All executions of the account that were asked for since a moment, from the history.
async fn history(it: &Subject, from: &str) -> Result<Vec<Value>, String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let path = format!("/pipeline-history?limit=200&from={from}{cursor}");
        let reply = it.get(&path).by_client().send().await?;
        status(&reply, 200)?;
        found.extend(list(&reply, "/pipelines")?.iter().cloned());
        match reply.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
    Err(format!("more than {PAGES_MAX} pages"))
}

/// An hour ago would do where clocks are exact; buckets are whole five minutes.
const ENDED: [&str; 4] = ["completed", "partial", "failed", "cancelled"];

fn of_status(entries: &[Value], word: &str) -> u64 {
    entries.iter().filter(|entry| entry["status"] == word).count() as u64
}

async fn stats(it: &Subject) -> Outcome {
    it.cheap().await?;
    let mut difference = String::new();
    for _ in 0..TRIES {
        let reply = admin(it, "/admin/stats?account=default").await?;
        let entries = history(it, "2001-01-01T00:00:00Z").await?;
        let all = list(&reply, "/ended")?.iter().find(|row| row["period"] == "all").cloned();
        let all = all.unwrap_or_default();
        // What was archived before is counted, and stands in the history no more.
        let archived = reply.body["storage"]["archived_executions"].as_u64().unwrap_or(0);
        let counted: u64 = ENDED.iter().map(|word| all[word].as_u64().unwrap_or(0)).sum();
        let listed: u64 = ENDED.iter().map(|word| of_status(&entries, word)).sum();
        let each = ENDED
            .iter()
            .all(|word| archived > 0 || all[*word].as_u64() == Some(of_status(&entries, word)));
        let stored = reply.body["storage"]["executions"].as_u64() == Some(entries.len() as u64);
        if counted == listed + archived && each && stored {
            return Ok(());
        }
        difference = format!(
            "counted {all}, listed {listed}, archived {archived}; stored {}, listed {}",
            reply.body["storage"],
            entries.len()
        );
        tokio::time::sleep(PAUSE).await;
    }
    Err(difference)
}

async fn costs(it: &Subject) -> Outcome {
    it.report().await?;
    let mut difference = String::new();
    for _ in 0..TRIES {
        let as_of = admin(it, "/admin/stats?account=default").await?;
        let today = as_of.text("/as_of").split('T').next().unwrap_or_default();
        let path = format!("/admin/costs?account=default&from={today}&to={today}");
        let reply = admin(it, &path).await?;
        let entries = history(it, "2001-01-01T00:00:00Z").await?;
        let ended_today =
            |entry: &&Value| entry["completed_at"].as_str().is_some_and(|at| at.starts_with(today));
        let entries: Vec<&Value> = entries.iter().filter(ended_today).collect();
        let by_template: f64 =
            list(&reply, "/by_template")?.iter().filter_map(|row| row["cost_usd"].as_f64()).sum();
        let listed: f64 = entries.iter().filter_map(|entry| entry["total_cost_usd"].as_f64()).sum();
        let counted = list(&reply, "/by_day")?.first().and_then(|day| day["executions"].as_u64());
        if (by_template - listed).abs() < 1e-6 && counted == Some(entries.len() as u64) {
            demand!(
                reply.body["forecast"]["spent_usd"].as_f64() >= reply.body["total_usd"].as_f64(),
                "the month costs less than the day: {}",
                reply.body["forecast"]
            );
            return Ok(());
        }
        difference = format!(
            "{by_template} by template and {listed} in the history; {counted:?} and {} executions",
            entries.len()
        );
        tokio::time::sleep(PAUSE).await;
    }
    Err(difference)
}

async fn performance(it: &Subject) -> Outcome {
    let page = it.cheap().await?;
    let (template, strategy) = (page.text("/template"), page.text("/execution_strategy"));
    let mut last = Reply { status: 0, headers: Default::default(), body: Value::Null };
    for _ in 0..TRIES {
        last = admin(it, "/admin/performance?time_range=1h&limit=200").await?;
        let has = |list: &str, field: &str, name: &str| {
            last.body[list].as_array().is_some_and(|rows| rows.iter().any(|row| row[field] == name))
        };
        let worker = page.body["pipeline"]["worker_results"][0]["worker_name"].clone();
        let worker = worker.as_str().unwrap_or_default();
        if has("templates", "name", template)
            && has("strategies", "name", strategy)
            && has("workers", "worker", worker)
        {
            let rows = list(&last, "/templates")?;
            let row = rows.iter().find(|row| row["name"] == template).cloned().unwrap_or_default();
            demand!(row["duration"]["p50_ms"].is_u64(), "no durations: {row}");
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("{template} or {strategy} is not there: {}", last.body))
}

async fn empty(it: &Subject) -> Outcome {
    let reply = admin(it, "/admin/costs?from=2001-02-03&to=2001-02-04").await?;
    same("total", reply.body["total_usd"].as_f64(), Some(0.0))?;
    same("days", list(&reply, "/by_day")?.len(), 0)?;
    same("from", reply.text("/from"), "2001-02-03")
}

async fn bad_days(it: &Subject) -> Outcome {
    for (query, pointers) in [
        ("from=soon&to=2026-02-30", vec!["/from", "/to"]),
        ("from=2026-02-02&to=2026-02-01", vec!["/from"]),
        ("from=2001-01-01&to=2026-01-01", vec!["/from"]),
    ] {
        let reply = it.get(&format!("/admin/costs?{query}")).by_worker().send().await?;
        status(&reply, 422)?;
        let found = list(&reply, "/violations")?.iter().map(|v| v["pointer"].clone());
        let found: Vec<Value> = found.collect();
        same(query, found, pointers.into_iter().map(Value::from).collect::<Vec<_>>())?;
    }
    Ok(())
}

async fn bad_queries(it: &Subject) -> Outcome {
    for path in [
        "/admin/stats?acount=default",
        "/admin/performance?time_range=2h",
        "/admin/performance?limit=0",
        "/admin/costs?limit=201",
        "/admin/alerts?status=gone",
        "/admin/alerts?kind=weather",
        "/admin/alerts?cursor=x",
    ] {
        let reply = it.get(path).by_worker().send().await?;
        status(&reply, 422).map_err(|found| format!("{path}: {found}"))?;
    }
    Ok(())
}

async fn rights(it: &Subject) -> Outcome {
    for path in ["/admin/stats", "/admin/performance", "/admin/costs", "/admin/alerts"] {
        let nobody = it.get(path).send().await?;
        status(&nobody, 401).map_err(|found| format!("{path}: {found}"))?;
        let client = it.get(path).by_client().send().await?;
        status(&client, 403).map_err(|found| format!("{path}: {found}"))?;
    }
    Ok(())
}

async fn alerts(it: &Subject) -> Outcome {
    let reply = admin(it, "/admin/alerts?status=unresolved&limit=200").await?;
    for alert in list(&reply, "/alerts")? {
        demand!(alert["status"] != "resolved", "{alert}");
        let path = format!("/admin/alerts/{}", alert["id"].as_str().unwrap_or_default());
        let one = admin(it, &path).await?;
        same("kind", &one.body["kind"], &alert["kind"])?;
    }
    Ok(())
}

async fn no_alert(it: &Subject) -> Outcome {
    for (path, post) in [
        ("/admin/alerts/none", false),
        ("/admin/alerts/none/acknowledge", true),
        ("/admin/alerts/none/resolve", true),
    ] {
        let method = if post { Method::POST } else { Method::GET };
        let request = it.ask(method, path);
        let reply = request.by_worker().send().await?;
        status(&reply, 404)?;
        same("code", reply.text("/code"), "resource.not_found")?;
    }
    Ok(())
}
