//! Executions as they are read afterwards: one by its id, many in the history.

use std::time::Duration;

use serde_json::Value;

use super::expect::{completed, demand, list, moment, same, status, texts};
use super::subject::BASIC;
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

/// How long an execution that ended may take to appear in the history.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

pub fn phase() -> Phase {
    Phase {
        title: "Status and history",
        cases: cases![
            "GET /pipeline/{id} says what the start said" => same_as_start,
            "without a credential it shows progress and no payload" => progress_only,
            "a worker's credentials show everything" => worker_reads,
            "a finished execution appears in the history" => appears,
            "its entry says the same as its page" => entry,
            "filters find it, and others do not" => filters,
            "moments bound the history" => moments,
            "pages follow each other, newest first, and miss nothing" => pages,
            "total is counted when asked for" => total,
        ],
    }
}

async fn same_as_start(it: &Subject) -> Outcome {
    let first = it.basic().await?;
    let read = it.get(first.text("/pipeline_url")).by_client().send().await?;
    completed(&read)?;
    same("the body", &read.body, &first.body)
}

async fn progress_only(it: &Subject) -> Outcome {
    let first = it.report().await?;
    let read = it.get(first.text("/pipeline_url")).send().await?;
    completed(&read)?;
    for step in list(&read, "/pipeline/worker_results")? {
        let shown = step.get("data").is_some() || step.get("error").is_some();
        demand!(!shown, "{} shows a payload", step["step_name"]);
    }
    let fields = ["/status", "/articles_processed", "/final_quality_score", "/pipeline/topic"];
    for field in fields {
        same(field, read.body.pointer(field), first.body.pointer(field))?;
    }
    Ok(())
}

async fn worker_reads(it: &Subject) -> Outcome {
    let first = it.basic().await?;
    let read = it.get(first.text("/pipeline_url")).by_worker().send().await?;
    completed(&read)?;
    same("the body", &read.body, &first.body)
}

/// The entries of a query, newest first.
async fn ask(it: &Subject, query: &str) -> Result<Reply, String> {
    let reply = it.get(&format!("/pipeline-history?{query}")).by_client().send().await?;
    status(&reply, 200).map_err(|found| format!("{query}: {found}"))?;
    Ok(reply)
}

/// The entry of an execution, as soon as the history has it.
async fn find(it: &Subject, id: &str) -> Result<Value, String> {
    let query = format!("topic={}&limit=200", it.token());
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        let reply = ask(it, &query).await?;
        let entry = list(&reply, "/pipelines")?.iter().find(|entry| entry["pipeline_id"] == id);
        if let Some(entry) = entry {
            return Ok(entry.clone());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("{id} is not in the history after {PATIENCE:?}"))
}

async fn appears(it: &Subject) -> Outcome {
    find(it, it.basic().await?.text("/pipeline_id")).await.map(|_| ())
}

async fn entry(it: &Subject) -> Outcome {
    let page = it.cheap().await?;
    let entry = find(it, page.text("/pipeline_id")).await?;
    for field in [
        "pipeline_url",
        "template",
        "execution_strategy",
        "status",
        "total_cost_usd",
        "total_execution_time_ms",
        "sources_discovered",
        "articles_processed",
        "final_quality_score",
        "optimization_applied",
        "cache_hit",
    ] {
        same(field, &entry[field], &page.body[field])?;
    }
    for field in ["topic", "template_revision", "completed_at"] {
        same(field, &entry[field], &page.body["pipeline"][field])?;
    }
    same("urgency", &entry["urgency"], &Value::from("medium"))?;
    same("quality_level", &entry["quality_level"], &Value::from("standard"))?;
    moment(entry["created_at"].as_str().unwrap_or_default())
}

async fn filters(it: &Subject) -> Outcome {
    let id = it.cheap().await?.text("/pipeline_id").to_owned();
    find(it, &id).await?;
    let token = it.token();
    for (filter, expected) in [
        (format!("template={BASIC}"), true),
        ("template=nonexistent".to_owned(), false),
        ("status=completed".to_owned(), true),
        ("status=failed".to_owned(), false),
        ("strategy=cost_optimized".to_owned(), true),
        ("strategy=speed_optimized".to_owned(), false),
        ("cost_max_usd=1000".to_owned(), true),
        ("cost_min_usd=1000".to_owned(), false),
    ] {
        let reply = ask(it, &format!("topic={token}&limit=200&{filter}")).await?;
        let ids = texts(list(&reply, "/pipelines")?, "pipeline_id");
        same(&filter, ids.contains(&id.as_str()), expected)?;
    }
    let upper = ask(it, &format!("topic={}&limit=200", token.to_uppercase())).await?;
    demand!(!list(&upper, "/pipelines")?.is_empty(), "the topic's case counts");
    let pattern = ask(it, &format!("topic={}_&limit=200", &token[..4])).await?;
    demand!(list(&pattern, "/pipelines")?.is_empty(), "_ stands for any character");
    Ok(())
}

async fn moments(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let entry = find(it, id).await?;
    let at = entry["created_at"].as_str().unwrap_or_default();
    for (query, expected) in [
        (format!("from={at}&to={at}"), true),
        ("from=2999-01-01T00:00:00Z".to_owned(), false),
        ("to=2001-01-01T00:00:00%2B02:00".to_owned(), false),
    ] {
        let reply = ask(it, &format!("topic={}&limit=200&{query}", it.token())).await?;
        let found = texts(list(&reply, "/pipelines")?, "pipeline_id").contains(&id);
        same(&query, found, expected)?;
    }
    Ok(())
}

async fn pages(it: &Subject) -> Outcome {
    const PAGES_MAX: usize = 200;
    find(it, it.basic().await?.text("/pipeline_id")).await?;
    let last = find(it, it.cheap().await?.text("/pipeline_id")).await?;
    // What ended a moment ago may appear between the two readings.
    let until = last["created_at"].as_str().unwrap_or_default();
    let query = format!("topic={}&to={until}", it.token());
    let whole = ask(it, &format!("{query}&limit=200")).await?;
    let expected = texts(list(&whole, "/pipelines")?, "pipeline_id");
    demand!(expected.len() >= 2, "only {expected:?}");
    let created = texts(list(&whole, "/pipelines")?, "created_at");
    demand!(created.is_sorted_by(|a, b| a >= b), "not newest first: {created:?}");
    let mut found = Vec::new();
    let mut cursor = String::new();
    for _ in 0..PAGES_MAX {
        let reply = ask(it, &format!("{query}&limit=1{cursor}")).await?;
        let entries = list(&reply, "/pipelines")?;
        demand!(entries.len() <= 1, "{} entries on a page of one", entries.len());
        found.extend(texts(entries, "pipeline_id").into_iter().map(str::to_owned));
        match reply.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                return same("the pages together", found, expected);
            }
        }
    }
    Err(format!("no last page among {PAGES_MAX}"))
}

async fn total(it: &Subject) -> Outcome {
    find(it, it.basic().await?.text("/pipeline_id")).await?;
    let query = format!("topic={}&limit=1", it.token());
    let plain = ask(it, &query).await?;
    demand!(plain.body.get("total").is_none(), "total although nobody asked");
    let counted = ask(it, &format!("{query}&total=true")).await?;
    let whole = ask(it, &format!("topic={}&limit=200&total=true", it.token())).await?;
    let entries = list(&whole, "/pipelines")?.len() as u64;
    demand!(counted.body["total"].as_u64() >= Some(1), "total is {}", counted.body["total"]);
    same("total", whole.body["total"].as_u64(), Some(entries))
}
