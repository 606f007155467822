//! Results of identical requests, kept in KV.

use std::time::Duration;

use serde_json::{Value, json};

use super::expect::{completed, demand, has, list, number, same};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

/// KV may go on for a minute with not knowing a key that it was asked for before.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_secs(1);

pub fn phase() -> Phase {
    Phase {
        title: "Cache",
        cases: cases![
            "an identical request gets the first one's result" => hit,
            "a hit has an id of its own, costs nothing and says so" => hit_reply,
            "a hit can be read like any execution" => hit_readable,
            "use_cache: false goes past it" => not_wanted,
            "the quality strategy goes past it" => quality,
            "another input is another request" => other_input,
        ],
    }
}

fn request(it: &Subject, case: &str) -> Value {
    json!({
        "topic": "tidal power", "pipeline_template": BASIC,
        "input": { "pass": it.token(), "case": case },
    })
}

/// The first execution of a request, and one that was served with its result.
async fn first_and_hit(it: &Subject, body: &Value) -> Result<(Reply, Reply), String> {
    let first = it.complete(body).await?;
    completed(&first)?;
    same("cache_hit of the first", &first.body["cache_hit"], &Value::Bool(false))?;
    let looks = PATIENCE.as_millis() / PAUSE.as_millis();
    for _ in 0..looks {
        let reply = it.complete(body).await?;
        completed(&reply)?;
        if reply.body["cache_hit"] == true {
            return Ok((first, reply));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("no identical request was served from the cache within {PATIENCE:?}"))
}

async fn hit(it: &Subject) -> Outcome {
    let (first, hit) = first_and_hit(it, &request(it, "hit")).await?;
    let outputs = |reply: &Reply| -> Result<Vec<Value>, String> {
        let steps = list(reply, "/pipeline/worker_results")?;
        Ok(steps.iter().map(|step| step["data"].clone()).collect())
    };
    same("the outputs", outputs(&hit)?, outputs(&first)?)?;
    same(
        "final_quality_score",
        &hit.body["final_quality_score"],
        &first.body["final_quality_score"],
    )
}

async fn hit_reply(it: &Subject) -> Outcome {
    let (first, hit) = first_and_hit(it, &request(it, "reply")).await?;
    demand!(hit.text("/pipeline_id") != first.text("/pipeline_id"), "the id is the first one's");
    same("total_cost_usd", number(&hit, "/total_cost_usd")?, 0.0)?;
    demand!(has(&hit, "/optimization_applied", "caching")?, "caching is not named");
    for step in list(&hit, "/pipeline/worker_results")? {
        same("attempts", step["attempts"].as_u64(), Some(0))?;
        same("cache_hit of the step", step["cache_hit"].as_bool(), Some(true))?;
    }
    Ok(())
}

async fn hit_readable(it: &Subject) -> Outcome {
    let (_, hit) = first_and_hit(it, &request(it, "readable")).await?;
    let read = it.get(hit.text("/pipeline_url")).by_client().send().await?;
    same("the body", &read.body, &hit.body)
}

async fn not_wanted(it: &Subject) -> Outcome {
    let mut body = request(it, "not wanted");
    first_and_hit(it, &body).await?;
    body["use_cache"] = false.into();
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    same("cache_hit", &reply.body["cache_hit"], &Value::Bool(false))?;
    demand!(!has(&reply, "/optimization_applied", "caching")?, "caching is named");
    Ok(())
}

async fn quality(it: &Subject) -> Outcome {
    let mut body = request(it, "quality");
    body["optimize_for"] = "quality".into();
    for _ in 0..3 {
        let reply = it.complete(&body).await?;
        completed(&reply)?;
        same("cache_hit", &reply.body["cache_hit"], &Value::Bool(false))?;
        tokio::time::sleep(PAUSE / 4).await;
    }
    Ok(())
}

async fn other_input(it: &Subject) -> Outcome {
    first_and_hit(it, &request(it, "other input")).await?;
    for body in [
        request(it, "another input"),
        json!({ "optimize_for": "cost", "topic": "tidal power", "pipeline_template": BASIC,
            "input": { "pass": it.token(), "case": "other input" } }),
    ] {
        let reply = it.complete(&body).await?;
        completed(&reply)?;
        same("cache_hit", &reply.body["cache_hit"], &Value::Bool(false))?;
    }
    Ok(())
}
