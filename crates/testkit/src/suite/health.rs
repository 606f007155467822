//! `GET /pipeline-health`: workers, what the orchestrator needs, and the verdict over both.

use serde_json::Value;

use super::expect::{
    KEY_REQUIRED, QUERY_INVALID, demand, fault, list, moment, same, status, texts,
};
use super::public::WORKERS;
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const COMPONENTS: [&str; 5] = ["d1", "kv", "r2", "queue", "journal"];

pub fn phase() -> Phase {
    Phase {
        title: "Pipeline health",
        cases: cases![
            "D1, KV, R2, queue and a journal answer in time" => components,
            "each worker has its state, its success rate and its breaker" => workers,
            "a worker that did a step has its calls of the day" => calls,
            "fresh=true checks the workers, and not twice in a moment" => fresh,
            "the verdict follows from what was found" => verdict,
            "a query that is none is refused" => bad_query,
            "it takes a credential" => credentials,
            "/capabilities tells how each worker did lately" => measured,
        ],
    }
}

async fn ask(it: &Subject, query: &str) -> Result<Reply, String> {
    let reply = it.get(&format!("/pipeline-health{query}")).by_client().send().await?;
    status(&reply, 200)?;
    Ok(reply)
}

async fn components(it: &Subject) -> Outcome {
    let reply = ask(it, "").await?;
    let found = list(&reply, "/components")?;
    same("components", texts(found, "name"), COMPONENTS.to_vec())?;
    for component in found {
        let name = &component["name"];
        same(&name.to_string(), &component["status"], &Value::from("healthy"))?;
        demand!(component["latency_ms"].is_u64(), "{name} has no latency");
        demand!(component["detail"].is_null(), "{name}: {}", component["detail"]);
        moment(component["checked_at"].as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn worker<'r>(reply: &'r Reply, name: &str) -> Result<&'r Value, String> {
    let found = list(reply, "/workers")?.iter().find(|worker| worker["worker_name"] == name);
    found.ok_or_else(|| format!("{name} is not among the workers"))
}

async fn workers(it: &Subject) -> Outcome {
    let reply = ask(it, "").await?;
    let names = texts(list(&reply, "/workers")?, "worker_name");
    demand!(names.is_sorted(), "not by name: {names:?}");
    for (name, _) in WORKERS {
        let worker = worker(&reply, name)?;
        let state = worker["status"].as_str().unwrap_or_default();
        let known = ["unknown", "healthy", "degraded", "unhealthy"].contains(&state);
        demand!(known, "{name} is {state:?}");
        let breaker = worker["breaker"].as_str().unwrap_or_default();
        demand!(["closed", "open", "half_open"].contains(&breaker), "{name}: {breaker:?}");
        let calls = worker["calls_24h"].as_u64();
        let rate = worker["success_rate_24h"].as_f64();
        demand!(calls.is_some(), "{name} has no calls_24h");
        same(name, rate.is_some(), calls > Some(0))?;
        demand!(rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{name}: {rate:?}");
    }
    Ok(())
}

async fn calls(it: &Subject) -> Outcome {
    const LOOKS: u32 = 40;
    status(it.basic().await?, 200)?;
    for _ in 0..LOOKS {
        let reply = ask(it, "").await?;
        let worker = worker(&reply, "topic_researcher")?;
        if worker["calls_24h"].as_u64() > Some(0) {
            let rate = worker["success_rate_24h"].as_f64();
            demand!(rate.is_some_and(|rate| rate > 0.0), "the rate is {rate:?}");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    Err("the execution's step is not among the calls of the day".to_owned())
}

async fn fresh(it: &Subject) -> Outcome {
    let first = ask(it, "?fresh=true").await?;
    for (name, _) in WORKERS {
        let checked = worker(&first, name)?;
        demand!(checked["status"] != "unknown", "{name} was not checked");
        moment(checked["checked_at"].as_str().unwrap_or_default())?;
    }
    let second = ask(it, "?fresh=true").await?;
    let at = |reply: &Reply| -> Result<Vec<String>, String> {
        let all = texts(list(reply, "/workers")?, "checked_at");
        Ok(all.into_iter().map(str::to_owned).collect())
    };
    let (before, after) = (at(&first)?, at(&second)?);
    let again = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    demand!(again < WORKERS.len(), "all were checked again: {before:?}, {after:?}");
    let known = it.get("/health").send().await?;
    demand!(list(&known, "/workers")?.len() >= WORKERS.len(), "/health does not know them");
    Ok(())
}

async fn verdict(it: &Subject) -> Outcome {
    let reply = ask(it, "").await?;
    let reasons = list(&reply, "/reasons")?;
    let found = reply.text("/status");
    demand!(["healthy", "degraded", "unhealthy"].contains(&found), "{found:?}");
    same("healthy without reasons", found == "healthy", reasons.is_empty())?;
    moment(reply.text("/timestamp"))
}

async fn bad_query(it: &Subject) -> Outcome {
    for query in ["?fresh=maybe", "?fresh=true&fresh=true", "?freshh=true", "?fresh="] {
        let reply = it.get(&format!("/pipeline-health{query}")).by_client().send().await?;
        fault(&reply, QUERY_INVALID).map_err(|found| format!("{query}: {found}"))?;
    }
    Ok(())
}

async fn credentials(it: &Subject) -> Outcome {
    fault(&it.get("/pipeline-health").send().await?, KEY_REQUIRED)?;
    status(&it.get("/pipeline-health").by_worker().send().await?, 200)
}

async fn measured(it: &Subject) -> Outcome {
    let reply = it.get("/capabilities").send().await?;
    for worker in list(&reply, "/available_workers")? {
        let (name, measured) = (&worker["worker_name"], &worker["measured"]);
        let samples = measured["samples"].as_u64();
        demand!(samples.is_some(), "{name} has no samples: {measured}");
        let some = samples > Some(0);
        same(&name.to_string(), measured["success_rate"].is_number(), some)?;
        let (p50, p95) = (measured["p50_ms"].as_u64(), measured["p95_ms"].as_u64());
        demand!(p50 <= p95 && (some || p50.is_none()), "{name}: {measured}");
    }
    Ok(())
}
