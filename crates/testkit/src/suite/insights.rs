//! What executions came to, and the history as a table.

use std::time::Duration;

use serde_json::json;

use super::expect::{Fault, demand, fault, list, number, same, status, texts};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

/// How long an execution that ended may take to be counted.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);
const OPERATOR_REQUIRED: Fault<'_> =
    Fault { status: 403, code: "auth.operator_required", error: "The operator is needed" };

pub fn phase() -> Phase {
    Phase {
        title: "Insights",
        cases: cases![
            "an execution that ended is counted" => counted,
            "what is counted by strategy and template adds up" => adds_up,
            "an answer serves until a fresh one is asked for" => cached,
            "every time range is answered" => ranges,
            "a time range that there is none of is refused" => refused,
            "another account is for the operator" => foreign,
            "the history as CSV says what it says as JSON" => table,
            "CSV is what Accept asks for" => accepted,
        ],
    }
}

async fn ask(it: &Subject, query: &str) -> Result<Reply, String> {
    let reply = it.get(&format!("/performance-insights?{query}")).by_client().send().await?;
    status(&reply, 200).map_err(|found| format!("{query}: {found}"))?;
    Ok(reply)
}

fn executions(reply: &Reply) -> Result<f64, String> {
    number(reply, "/overall/executions/value")
}

async fn counted(it: &Subject) -> Outcome {
    let before = executions(&ask(it, "time_range=1h&fresh=true").await?)?;
    let mut body = it.basic_request();
    body["use_cache"] = json!(false);
    it.complete(&body).await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = ask(it, "time_range=1h&fresh=true").await?;
        if executions(&now)? > before {
            let worker = list(&now, "/by_worker")?.iter().any(|w| w["attempts"]["value"] != 0.0);
            demand!(worker, "no worker has attempts");
            return Ok(());
        }
        demand!(tokio::time::Instant::now() < until, "it is not counted after {PATIENCE:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn adds_up(it: &Subject) -> Outcome {
    it.basic().await?;
    let found = ask(it, "time_range=30d").await?;
    for place in ["/by_strategy", "/by_template"] {
        let parts = list(&found, place)?.iter();
        let sum: f64 = parts.filter_map(|part| part["executions"]["value"].as_f64()).sum();
        same(place, sum, executions(&found)?)?;
    }
    let shares = list(&found, "/bottlenecks")?.iter();
    let shares: f64 = shares.filter_map(|one| one["critical_path_share"].as_f64()).sum();
    demand!(shares <= 1.001, "shares of the critical path add up to {shares}");
    for one in list(&found, "/recommendations")? {
        let rows = one["evidence"].as_array().is_some_and(|rows| !rows.is_empty());
        demand!(rows, "{} brings no evidence", one["title"]);
    }
    Ok(())
}

async fn cached(it: &Subject) -> Outcome {
    let first = ask(it, "time_range=7d").await?;
    let second = ask(it, "time_range=7d").await?;
    same("generated_at", second.text("/generated_at"), first.text("/generated_at"))?;
    same("x-cache", second.header("x-cache"), Some("hit"))?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let fresh = ask(it, "time_range=7d&fresh=true").await?;
    same("x-cache", fresh.header("x-cache"), Some("miss"))?;
    let moved = fresh.text("/generated_at") != first.text("/generated_at");
    demand!(moved, "a fresh answer is as old as the first");
    Ok(())
}

async fn ranges(it: &Subject) -> Outcome {
    for range in ["1h", "24h", "7d", "30d"] {
        let found = ask(it, &format!("time_range={range}")).await?;
        same("time_range", found.text("/time_range"), range)?;
        for measure in ["success_rate", "cache_hit_rate"] {
            let value = &found.body["overall"][measure]["value"];
            let is_share =
                value.is_null() || value.as_f64().is_some_and(|v| (0.0..=1.0).contains(&v));
            demand!(is_share, "{range}: {measure} is {value}");
        }
    }
    Ok(())
}

async fn refused(it: &Subject) -> Outcome {
    for query in ["time_range=2h", "time_range=", "fresh=maybe", "range=1h", "account="] {
        let reply = it.get(&format!("/performance-insights?{query}")).by_client().send().await?;
        status(&reply, 422).map_err(|found| format!("{query}: {found}"))?;
    }
    let reply = it.get("/performance-insights").send().await?;
    status(&reply, 401)
}

async fn foreign(it: &Subject) -> Outcome {
    let path = "/performance-insights?account=another-account";
    let reply = it.get(path).by_client().send().await?;
    fault(&reply, OPERATOR_REQUIRED)?;
    let reply = it.get(path).by_worker().send().await?;
    status(&reply, 200)?;
    same("account", reply.text("/account"), "another-account")?;
    same("executions", executions(&reply)?, 0.0)
}

async fn table(it: &Subject) -> Outcome {
    it.basic().await?;
    let query = format!("topic={}&limit=200&to=2999-01-01T00:00:00Z", it.token());
    let path = format!("/pipeline-history?{query}");
    let json = it.get(&path).by_client().send().await?;
    let csv = it.get(&format!("{path}&format=csv")).by_client().send().await?;
    status(&csv, 200)?;
    let kind = csv.header("content-type").unwrap_or_default();
    demand!(kind.starts_with("text/csv"), "content-type is {kind}");
    let disposition = csv.header("content-disposition").unwrap_or_default();
    demand!(disposition.ends_with(".csv\""), "content-disposition is {disposition}");
    let text = csv.body.as_str().unwrap_or_default();
    demand!(text.starts_with("pipeline_id,topic,template,"), "no header: {text:.80}");
    let lines: Vec<&str> = text.split("\r\n").skip(1).filter(|line| !line.is_empty()).collect();
    for id in texts(list(&json, "/pipelines")?, "pipeline_id") {
        demand!(lines.iter().any(|line| line.starts_with(id)), "{id} is missing");
    }
    Ok(())
}

async fn accepted(it: &Subject) -> Outcome {
    let path = "/pipeline-history?limit=1";
    let csv = it.get(path).by_client().header("accept", "text/csv").send().await?;
    let kind = csv.header("content-type").unwrap_or_default();
    demand!(kind.starts_with("text/csv"), "content-type is {kind}");
    let query = it.get(&format!("{path}&format=json")).by_client();
    let json = query.header("accept", "text/csv").send().await?;
    list(&json, "/pipelines")?;
    let wrong = it.get(&format!("{path}&format=xml")).by_client().send().await?;
    status(&wrong, 422)
}
