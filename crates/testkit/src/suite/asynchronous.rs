//! Executions that are started, left alone and looked at later.

use futures::future::try_join_all;

use super::expect::{completed, demand, list, same, status};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Execution, asynchronous",
        cases: cases![
            "\"async\": true is 202 with Location" => by_body,
            "Prefer: respond-async is 202 and says so" => by_preference,
            "Prefer: wait=0 waits for nothing" => wait_nothing,
            "Prefer: wait=30 waits, and says so" => wait_some,
            "what was started goes on by itself to its end" => goes_on,
            "an execution never goes back while it is watched" => never_back,
            "three at once have three ids and all complete" => three_at_once,
        ],
    }
}

async fn started(it: &Subject, pairs: &[(&str, &str)], in_body: bool) -> Result<Reply, String> {
    let mut body = it.basic_request();
    if in_body {
        body["async"] = true.into();
    }
    let reply = it.start_with(pairs, &body).await?;
    status(&reply, 202)?;
    same("Location", reply.header("location"), Some(reply.text("/pipeline_url")))?;
    let stands = reply.text("/status");
    demand!(matches!(stands, "pending" | "running"), "status is {stands:?}");
    Ok(reply)
}

async fn end(it: &Subject, started: &Reply) -> Outcome {
    completed(&it.follow(started.text("/pipeline_id")).await?)
}

async fn by_body(it: &Subject) -> Outcome {
    let reply = started(it, &[], true).await?;
    same("Preference-Applied", reply.header("preference-applied"), None)?;
    end(it, &reply).await
}

async fn by_preference(it: &Subject) -> Outcome {
    let reply = started(it, &[("prefer", "respond-async")], false).await?;
    same("Preference-Applied", reply.header("preference-applied"), Some("respond-async"))?;
    end(it, &reply).await
}

async fn wait_nothing(it: &Subject) -> Outcome {
    let reply = started(it, &[("prefer", "wait=0")], false).await?;
    same("Preference-Applied", reply.header("preference-applied"), Some("wait=0"))?;
    end(it, &reply).await
}

async fn wait_some(it: &Subject) -> Outcome {
    let reply = it.start_with(&[("prefer", "wait=30")], &it.basic_request()).await?;
    same("Preference-Applied", reply.header("preference-applied"), Some("wait=30"))?;
    completed(&reply)
}

async fn goes_on(it: &Subject) -> Outcome {
    let mut body = it.report_request();
    body["async"] = true.into();
    let first = it.start(&body).await?;
    status(&first, 202)?;
    let planned = list(&first, "/pipeline/worker_results")?.len();
    let last = it.follow(first.text("/pipeline_id")).await?;
    completed(&last)?;
    same("the number of steps", list(&last, "/pipeline/worker_results")?.len(), planned)
}

async fn never_back(it: &Subject) -> Outcome {
    const LOOKS_MAX: usize = 3_000;
    let mut body = it.report_request();
    body["async"] = true.into();
    let first = it.start(&body).await?;
    let path = first.text("/pipeline_url");
    let (mut settled, mut cost) = (0, 0.0);
    for _ in 0..LOOKS_MAX {
        let reply = it.get(path).by_client().send().await?;
        status(&reply, 200)?;
        let steps = list(&reply, "/pipeline/worker_results")?;
        let stands = |step: &&serde_json::Value| {
            matches!(step["status"].as_str(), Some("succeeded" | "skipped" | "failed"))
        };
        let now = steps.iter().filter(stands).count();
        demand!(now >= settled, "{settled} steps were settled, then {now}");
        let spent = reply.body["total_cost_usd"].as_f64().unwrap_or(-1.0);
        demand!(spent >= cost, "it had cost {cost}, then {spent}");
        (settled, cost) = (now, spent);
        if !matches!(reply.text("/status"), "pending" | "running" | "waiting") {
            return completed(&reply);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Err(format!("{path} did not end within {LOOKS_MAX} looks"))
}

async fn three_at_once(it: &Subject) -> Outcome {
    let replies = try_join_all((0..3).map(|_| started(it, &[], true))).await?;
    let mut ids: Vec<&str> = replies.iter().map(|reply| reply.text("/pipeline_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    same("the number of ids", ids.len(), 3)?;
    try_join_all(replies.iter().map(|reply| end(it, reply))).await.map(|_| ())
}
