//! Plans: what an execution would come to, without a start.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    JSON_MALFORMED, KEY_REQUIRED, REQUEST_INVALID, demand, fault, list, number, same, status,
    template_unknown, violation,
};
use super::subject::{BASIC, REPORT};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Plans",
        cases: cases![
            "a plan shows every step with its worker, cost and time" => every_step,
            "a plan starts nothing" => starts_nothing,
            "the same request is another plan under each strategy" => each_strategy,
            "speed leaves the optional step out, quality does not" => optional_step,
            "a basic quality level leaves the optional step out as well" => basic_level,
            "a budget is told whether it is enough" => budget,
            "a deadline that is too short is told" => deadline,
            "a plan needs a client key" => key,
            "a plan of an unknown template is 404" => unknown_template,
            "what does not fit is 422 with its place" => unfit,
            "a body that is no JSON is 400" => malformed,
            "a start with dry_run answers with its plan and starts nothing" => dry_run,
            "a plan says why a step may not be done, and what its time is made of" => reasons,
            "what was done often enough is expected by what was measured" => measured,
        ],
    }
}

async fn plan(it: &Subject, template: &str, body: &Value) -> Result<Reply, String> {
    let path = format!("/templates/{template}/plan");
    let reply = it.ask(Method::POST, &path).by_client().json(body).send().await?;
    status(&reply, 200)?;
    Ok(reply)
}

fn step<'r>(reply: &'r Reply, name: &str) -> Result<&'r Value, String> {
    let steps = list(reply, "/steps")?;
    let found = steps.iter().find(|step| step["step_name"] == name);
    found.ok_or_else(|| format!("{name} is missing"))
}

async fn every_step(it: &Subject) -> Outcome {
    let reply = plan(it, REPORT, &json!({ "topic": "tides" })).await?;
    let steps = list(&reply, "/steps")?;
    same("steps", steps.len(), 6)?;
    same("template", reply.text("/template"), REPORT)?;
    let starts: Vec<f64> = steps.iter().filter_map(|step| step["starts_ms"].as_f64()).collect();
    demand!(starts.len() == 6 && starts.is_sorted(), "starts: {starts:?}");
    same(
        "worker",
        step(&reply, "topic_research")?["worker_name"].as_str(),
        Some("topic_researcher"),
    )?;
    same("fate", step(&reply, "feed_fetching")?["fate"].as_str(), Some("conditional"))?;
    same("merge", &step(&reply, "merge_sources")?["worker_name"], &Value::Null)?;
    let (least, expected) =
        (number(&reply, "/cost/least_usd")?, number(&reply, "/cost/expected_usd")?);
    demand!(least <= expected, "least {least}, expected {expected}");
    demand!(number(&reply, "/cost/worst_usd")? >= expected, "the worst case is less than expected");
    demand!(number(&reply, "/time/worst_ms")? > 0.0, "attempts have time-outs");
    Ok(())
}

async fn starts_nothing(it: &Subject) -> Outcome {
    let topic = format!("plan-{}", it.token());
    plan(it, BASIC, &json!({ "topic": topic })).await?;
    let found = it.get(&format!("/pipeline-history?topic={topic}")).by_client().send().await?;
    same("executions", list(&found, "/pipelines")?.len(), 0)
}

async fn each_strategy(it: &Subject) -> Outcome {
    let reply = plan(it, REPORT, &json!({})).await?;
    let names: Vec<_> =
        list(&reply, "/strategies")?.iter().map(|row| &row["optimize_for"]).collect();
    same("strategies", json!(names), json!(["speed", "cost", "quality", "balanced"]))?;
    let mut choices = Vec::new();
    for name in ["speed", "cost", "quality", "balanced"] {
        let reply = plan(it, REPORT, &json!({ "optimize_for": name, "urgency": "low" })).await?;
        let terms = reply.body["terms"].clone();
        demand!(!choices.contains(&terms), "{name} has the terms of another: {terms}");
        choices.push(terms);
    }
    Ok(())
}

async fn optional_step(it: &Subject) -> Outcome {
    for (strategy, fate) in [("speed", "left_out"), ("quality", "certain")] {
        let reply = plan(it, REPORT, &json!({ "optimize_for": strategy })).await?;
        same(strategy, step(&reply, "source_curation")?["fate"].as_str(), Some(fate))?;
    }
    Ok(())
}

async fn basic_level(it: &Subject) -> Outcome {
    let reply = plan(it, REPORT, &json!({ "quality_level": "basic" })).await?;
    same("fate", step(&reply, "source_curation")?["fate"].as_str(), Some("left_out"))?;
    same("retries", &reply.body["terms"]["max_retries"], &json!(1))
}

async fn budget(it: &Subject) -> Outcome {
    let reply = plan(it, REPORT, &json!({ "budget_limit": 0.07 })).await?;
    same("limit", number(&reply, "/budget/limit_usd")?, 0.07)?;
    let verdict = reply.text("/budget/verdict");
    let known = matches!(verdict, "enough" | "tight" | "short" | "too_small");
    demand!(known, "verdict {verdict:?}");
    let too_small = number(&reply, "/cost/least_usd")? > 0.07;
    same("refused", verdict == "too_small", too_small)
}

async fn deadline(it: &Subject) -> Outcome {
    let reply = plan(it, REPORT, &json!({ "deadline_minutes": 0.001 })).await?;
    same("limit", number(&reply, "/deadline/limit_ms")?, 60.0)?;
    demand!(reply.text("/deadline/verdict") != "enough", "60 ms are enough for {REPORT}");
    Ok(())
}

async fn key(it: &Subject) -> Outcome {
    let path = format!("/templates/{BASIC}/plan");
    fault(&it.ask(Method::POST, &path).json(&json!({})).send().await?, KEY_REQUIRED)
}

async fn unknown_template(it: &Subject) -> Outcome {
    let asked = it.ask(Method::POST, "/templates/nope/plan").by_client().json(&json!({}));
    template_unknown(&asked.send().await?, "nope")
}

async fn unfit(it: &Subject) -> Outcome {
    let path = format!("/templates/{BASIC}/plan");
    for (body, pointer, code) in [
        (json!({ "budget_limit": -1 }), "/budget_limit", "minimum"),
        (json!({ "pipeline_template": REPORT }), "/pipeline_template", "conflict"),
        (json!({ "topic": "" }), "/topic", "minLength"),
        (json!({ "optimize_for": "luck" }), "/optimize_for", "enum"),
    ] {
        let reply = it.ask(Method::POST, &path).by_client().json(&body).send().await?;
        fault(&reply, REQUEST_INVALID)?;
        violation(&reply, pointer, code)?;
    }
    Ok(())
}

async fn malformed(it: &Subject) -> Outcome {
    let path = format!("/templates/{BASIC}/plan");
    fault(
        &it.ask(Method::POST, &path)
            .by_client()
            .body_of_type("application/json", "{")
            .send()
            .await?,
        JSON_MALFORMED,
    )
}

async fn dry_run(it: &Subject) -> Outcome {
    let topic = format!("dry-{}", it.token());
    let body = json!({ "topic": topic, "pipeline_template": BASIC, "dry_run": true });
    let reply = it.orchestrate().json(&body).send().await?;
    status(&reply, 200)?;
    same("template", reply.text("/template"), BASIC)?;
    demand!(reply.body.get("pipeline_id").is_none(), "something was started: {}", reply.body);
    let found = it.get(&format!("/pipeline-history?topic={topic}")).by_client().send().await?;
    same("executions", list(&found, "/pipelines")?.len(), 0)?;
    let without = json!({ "pipeline_template": BASIC, "dry_run": true });
    let reply = it.orchestrate().json(&without).send().await?;
    same("without a topic", (reply.status, reply.text("/code")), (400, "topic.missing"))?;
    let odd = json!({ "topic": "x", "pipeline_template": BASIC, "dry_run": "yes" });
    let reply = it.orchestrate().json(&odd).send().await?;
    fault(&reply, REQUEST_INVALID)?;
    violation(&reply, "/dry_run", "type")?;
    let unknown = json!({ "topic": "x", "pipeline_template": "nope", "dry_run": true });
    template_unknown(&it.orchestrate().json(&unknown).send().await?, "nope")
}

async fn reasons(it: &Subject) -> Outcome {
    let reply = plan(it, REPORT, &json!({ "optimize_for": "speed" })).await?;
    same("certain", &step(&reply, "topic_research")?["reason"], &Value::Null)?;
    for (name, word) in [("source_curation", "speed"), ("feed_fetching", "sources_available")] {
        let reason = step(&reply, name)?["reason"].as_str().unwrap_or_default();
        demand!(reason.contains(word), "{name}: {reason:?}");
    }
    let expected = number(&reply, "/time/expected_ms")?;
    demand!(number(&reply, "/time/least_ms")? <= expected, "the least is more than expected");
    demand!(number(&reply, "/time/high_ms")? >= expected, "the high time is below the expected");
    let path = list(&reply, "/critical_path")?;
    let sum: f64 = path.iter().filter_map(|step| step["time_ms"].as_f64()).sum();
    same("the path's sum", sum, expected)
}

async fn measured(it: &Subject) -> Outcome {
    let known = plan(it, BASIC, &json!({})).await?;
    let least = number(&known, "/statistics/samples_min")? as usize;
    let figures = &step(&known, "topic_research")?["figures"];
    let samples = figures["samples"].as_u64().unwrap_or_default() as usize;
    let by = figures["from"].as_str().unwrap_or_default();
    match by {
        "step" | "worker" => {
            demand!(samples >= least, "{samples} samples are not {least}");
            demand!(figures["time_p50_ms"].is_u64(), "no median: {figures}");
            let (p50, p95) = (figures["time_p50_ms"].as_u64(), figures["time_p95_ms"].as_u64());
            demand!(p50 <= p95, "the median is above the 95th percentile: {figures}");
            same("expected", step(&known, "topic_research")?["time_ms"].as_u64(), p50)
        }
        "registry" => same("samples", samples, 0),
        other => Err(format!("figures are from {other:?}")),
    }
}
