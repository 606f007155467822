//! Executions that the caller waits for.

use serde_json::{Value, json};

use super::expect::{completed, demand, has, list, number, same, status, texts};
use super::subject::{BASIC, REPORT};
use super::{Outcome, Phase, Subject, cases, public};

pub fn phase() -> Phase {
    Phase {
        title: "Execution, synchronous",
        cases: cases![
            "a basic execution completes" => basic,
            "its one step was done by the topic researcher" => basic_step,
            "the report takes all five workers, each with work to show" => report,
            "the report has articles, findings and an HTML page" => report_content,
            "steps that do not depend on each other are in parallel" => parallel,
            "one after the other when the request says so" => sequential,
            "a request without a template gets the default one" => default_template,
            "optimize_for decides the strategy" => strategies,
            "labels of urgency and quality are accepted" => labels,
            "max_articles is a limit" => articles_limited,
            "the cost stays within the budget" => within_budget,
            "input reaches the template" => template_input,
            "a topic in any script comes back as it was" => any_script,
            "spaces around a topic are taken off" => trimmed,
            "fields that are null are as good as left out" => nulls,
        ],
    }
}

async fn basic(it: &Subject) -> Outcome {
    let reply = it.basic().await?;
    completed(reply)?;
    same("template", reply.text("/template"), BASIC)?;
    same("strategy", reply.text("/execution_strategy"), "balanced")?;
    same("cache_hit", &reply.body["cache_hit"], &Value::Bool(false))?;
    let topic = it.basic_request()["topic"].as_str().unwrap_or_default().to_owned();
    same("topic", reply.text("/pipeline/topic"), &topic)
}

async fn basic_step(it: &Subject) -> Outcome {
    let reply = it.basic().await?;
    let steps = list(reply, "/pipeline/worker_results")?;
    let step = steps.first().ok_or("there is no step")?;
    same("worker_name", step["worker_name"].as_str(), Some("topic_researcher"))?;
    same("success", step["success"].as_bool(), Some(true))?;
    same("attempts", step["attempts"].as_u64(), Some(1))?;
    same("error", &step["error"], &Value::Null)?;
    let angles = step["data"]["angles"].as_array().map_or(0, Vec::len);
    demand!(angles > 0, "no angles: {}", step["data"]);
    let sources = step["data"]["sources"].as_array().map(|all| all.len() as f64);
    same("sources_discovered", Some(number(reply, "/sources_discovered")?), sources)
}

async fn report(it: &Subject) -> Outcome {
    let reply = it.report().await?;
    completed(reply)?;
    same("template", reply.text("/template"), REPORT)?;
    let steps = list(reply, "/pipeline/worker_results")?;
    for (name, _) in public::WORKERS {
        let step = steps.iter().find(|step| step["worker_name"] == name);
        let step = step.ok_or_else(|| format!("{name} did no step"))?;
        same(name, step["status"].as_str(), Some("succeeded"))?;
        demand!(step["attempts"].as_u64() > Some(0), "{name} was never tried");
        demand!(step["data"].is_object(), "{name} has no output");
    }
    let merged = steps.iter().find(|step| step["communication_method"] == "internal");
    demand!(merged.is_some(), "no step was done by the orchestrator itself");
    Ok(())
}

async fn report_content(it: &Subject) -> Outcome {
    let reply = it.report().await?;
    for count in ["/sources_discovered", "/articles_processed", "/final_quality_score"] {
        demand!(number(reply, count)? > 0.0, "{count} is 0");
    }
    let steps = list(reply, "/pipeline/worker_results")?;
    let written = steps.iter().find(|step| step["worker_name"] == "report_builder");
    let output = &written.ok_or("there is no report")?["data"];
    let html = output["report"]["html"].as_str().unwrap_or_default();
    demand!(html.contains("<html") && html.contains("</html>"), "no page: {html:.80}");
    let shown = html.to_lowercase().contains("artificial intelligence");
    demand!(shown, "the page does not name its topic");
    let findings = output["key_findings"].as_array().map_or(0, Vec::len);
    demand!(findings > 0, "no key findings");
    demand!(!output["summary"].as_str().unwrap_or_default().is_empty(), "no summary");
    Ok(())
}

async fn parallel(it: &Subject) -> Outcome {
    let reply = it.report().await?;
    let applied = has(reply, "/optimization_applied", "parallel_processing")?;
    demand!(applied, "only {}", reply.body["optimization_applied"]);
    Ok(())
}

async fn sequential(it: &Subject) -> Outcome {
    let mut body = it.report_request();
    body["enable_parallel_processing"] = false.into();
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    let applied = has(&reply, "/optimization_applied", "parallel_processing")?;
    demand!(!applied, "parallel_processing was applied");
    let names = |reply: &crate::client::Reply| -> Result<Vec<String>, String> {
        let steps = texts(list(reply, "/pipeline/worker_results")?, "step_name");
        Ok(steps.into_iter().map(str::to_owned).collect())
    };
    same("steps", names(&reply)?, names(it.report().await?)?)
}

async fn default_template(it: &Subject) -> Outcome {
    let templates = it.get("/templates").send().await?;
    let listed = list(&templates, "/templates")?;
    let default = listed.iter().find(|template| template["is_default"] == true);
    let default = default.and_then(|template| template["name"].as_str()).unwrap_or_default();
    demand!(!default.is_empty(), "no template is the default: {}", templates.body);
    let body = json!({ "topic": "solar power", "use_cache": false, "async": true });
    let reply = it.start(&body).await?;
    status(&reply, 202)?;
    same("template", reply.text("/template"), default)?;
    it.follow(reply.text("/pipeline_id")).await.map(|_| ())
}

async fn strategies(it: &Subject) -> Outcome {
    for (word, label) in [
        ("speed", "speed_optimized"),
        ("cost", "cost_optimized"),
        ("quality", "quality_optimized"),
        ("balanced", "balanced"),
    ] {
        let mut body = it.basic_request();
        body["optimize_for"] = word.into();
        let reply = it.complete(&body).await?;
        completed(&reply)?;
        same(word, reply.text("/execution_strategy"), label)?;
    }
    Ok(())
}

async fn labels(it: &Subject) -> Outcome {
    for (urgency, quality) in
        [("low", "basic"), ("medium", "premium"), ("high", "enterprise"), ("critical", "standard")]
    {
        let mut body = it.basic_request();
        body["urgency"] = urgency.into();
        body["quality_level"] = quality.into();
        let reply = it.complete(&body).await?;
        completed(&reply).map_err(|found| format!("{urgency}, {quality}: {found}"))?;
    }
    Ok(())
}

async fn articles_limited(it: &Subject) -> Outcome {
    let mut body = it.report_request();
    body["max_articles"] = 5.into();
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    let articles = number(&reply, "/articles_processed")?;
    demand!((1.0..=5.0).contains(&articles), "{articles} articles");
    demand!(number(it.report().await?, "/articles_processed")? > articles, "it changed nothing");
    Ok(())
}

async fn within_budget(it: &Subject) -> Outcome {
    const BUDGET_USD: f64 = 0.25;
    let mut body = it.basic_request();
    body["budget_limit"] = BUDGET_USD.into();
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    let cost = number(&reply, "/total_cost_usd")?;
    demand!((0.0..=BUDGET_USD).contains(&cost), "{cost} USD");
    Ok(())
}

async fn template_input(it: &Subject) -> Outcome {
    let mut body = it.report_request();
    body["input"] = json!({ "report_type": "brief", "report_format": "markdown" });
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    let steps = list(&reply, "/pipeline/worker_results")?;
    let report = steps.iter().map(|step| &step["data"]["report"]).find(|it| it.is_object());
    let report = report.ok_or("there is no report")?;
    demand!(report["markdown"].as_str().is_some_and(|text| !text.is_empty()), "no Markdown");
    let html = report["html"].as_str().unwrap_or_default();
    demand!(html.is_empty(), "HTML although only Markdown was wanted");
    Ok(())
}

async fn any_script(it: &Subject) -> Outcome {
    for topic in ["Übergänge & Énergie", "人工智能", "الطاقة المتجددة", "🌍 \"quoted\" \\ <b>"]
    {
        let mut body = it.basic_request();
        body["topic"] = topic.into();
        let reply = it.complete(&body).await?;
        completed(&reply).map_err(|found| format!("{topic}: {found}"))?;
        same("topic", reply.text("/pipeline/topic"), topic)?;
    }
    Ok(())
}

async fn trimmed(it: &Subject) -> Outcome {
    let mut body = it.basic_request();
    body["topic"] = "  ocean energy\n".into();
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    same("topic", reply.text("/pipeline/topic"), "ocean energy")
}

async fn nulls(it: &Subject) -> Outcome {
    let mut body = it.basic_request();
    for field in ["urgency", "budget_limit", "input", "time_range", "async", "max_articles"] {
        body[field] = Value::Null;
    }
    completed(&it.complete(&body).await?)
}
