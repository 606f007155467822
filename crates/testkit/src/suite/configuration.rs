//! Whether the installation is whole: its configuration, its seed rows, its health.

use serde_json::Value;

use super::expect::{brief, demand, has, list, moment, number, page, same, status, texts};
use super::{Outcome, Phase, Subject, cases, public};

const BODY_BYTES_MAX: f64 = 1_048_576.0;

pub fn phase() -> Phase {
    Phase {
        title: "Configuration and health",
        cases: cases![
            "/health finds nothing missing" => nothing_missing,
            "/health knows only registered workers, each with its state" => known_workers,
            "/health names the environment" => environment,
            "public pages show no secret" => no_secret,
            "the four strategies have their rows" => strategies,
            "the four quality levels widen step by step" => quality_levels,
            "the four urgencies shorten step by step" => urgencies,
            "the limits of the environment are stated" => limits,
            "every step of every template can be done here" => steps_can_be_done,
        ],
    }
}

async fn nothing_missing(it: &Subject) -> Outcome {
    let reply = it.get("/health").send().await?;
    status(&reply, 200)?;
    let problems = list(&reply, "/problems")?;
    demand!(problems.is_empty(), "{}", brief(&Value::from(problems.clone())));
    Ok(())
}

async fn known_workers(it: &Subject) -> Outcome {
    let reply = it.get("/health").send().await?;
    let registered = texts(list(it.capabilities().await?, "/available_workers")?, "worker_name");
    let checked = list(&reply, "/workers")?;
    for worker in checked {
        let name = worker["worker_name"].as_str().unwrap_or_default();
        demand!(registered.contains(&name), "{name:?} is not registered");
        let state = worker["status"].as_str().unwrap_or_default();
        let known = matches!(state, "unknown" | "healthy" | "degraded" | "unhealthy");
        demand!(known, "{name} is {state:?}");
        if let Some(at) = worker["checked_at"].as_str() {
            moment(at)?;
        }
    }
    let ailing =
        |worker: &&Value| worker["status"] == "degraded" || worker["status"] == "unhealthy";
    let well = list(&reply, "/problems")?.is_empty() && !checked.iter().any(|it| ailing(&it));
    same("status", reply.text("/status"), if well { "ok" } else { "degraded" })
}

async fn environment(it: &Subject) -> Outcome {
    let reply = it.get("/health").send().await?;
    let found = reply.text("/environment");
    let known = ["local", "development", "staging", "production", "enterprise"];
    demand!(known.contains(&found), "environment is {found:?}");
    Ok(())
}

async fn no_secret(it: &Subject) -> Outcome {
    let secrets = [it.client().key(), it.client().secret()];
    for path in
        ["/", "/help", "/health", "/healthz", "/capabilities", "/templates", "/openapi.json"]
    {
        let reply = it.get(path).send().await?;
        page(&reply)?;
        let text = format!("{:?}{}", reply.headers, reply.body);
        demand!(!secrets.iter().any(|secret| text.contains(secret)), "{path} shows a secret");
    }
    Ok(())
}

async fn strategies(it: &Subject) -> Outcome {
    let listed = list(it.capabilities().await?, "/strategies")?;
    for (name, label) in [
        ("speed", "speed_optimized"),
        ("cost", "cost_optimized"),
        ("quality", "quality_optimized"),
        ("balanced", "balanced"),
    ] {
        let row = listed.iter().find(|row| row["name"] == name);
        let row = row.ok_or_else(|| format!("{name} is missing"))?;
        same(name, row["label"].as_str(), Some(label))?;
        demand!(row["deadline_ms"].as_u64() > Some(0), "{name} has no deadline");
    }
    let choices = texts(listed, "worker_choice");
    let known = ["declared", "cheapest", "fastest", "best"];
    demand!(choices.len() == 4 && choices.iter().all(|it| known.contains(it)), "{choices:?}");
    let quality = listed.iter().find(|row| row["name"] == "quality");
    same("use_cache of quality", quality.map(|row| &row["use_cache"]), Some(&Value::Bool(false)))
}

async fn quality_levels(it: &Subject) -> Outcome {
    let listed = list(it.capabilities().await?, "/quality_levels")?;
    for field in ["source_discovery_depth", "max_articles", "min_quality"] {
        let values = ["basic", "standard", "premium", "enterprise"].map(|name| {
            listed.iter().find(|row| row["name"] == name).and_then(|row| row[field].as_f64())
        });
        let whole = values.iter().all(Option::is_some) && values.is_sorted();
        demand!(whole && values[0] < values[3], "{field}: {values:?}");
    }
    for row in listed {
        let name = &row["name"];
        demand!(row["deadline_factor"].as_f64() > Some(0.0), "{name}: no deadline_factor");
        demand!(row["skip_optional_steps"].is_boolean(), "{name}: no skip_optional_steps");
    }
    Ok(())
}

async fn urgencies(it: &Subject) -> Outcome {
    let listed = list(it.capabilities().await?, "/urgency_levels")?;
    let rows = ["medium", "high", "critical"]
        .map(|name| listed.iter().find(|row| row["name"] == name).unwrap_or(&Value::Null));
    let deadlines = rows.map(|row| row["deadline_ms"].as_u64());
    let shorter = deadlines[0] > deadlines[1] && deadlines[1] > deadlines[2];
    demand!(shorter && deadlines[2] > Some(0), "deadlines: {deadlines:?}");
    let priorities = rows.map(|row| row["priority"].as_i64());
    demand!(priorities.is_sorted() && priorities[0] < priorities[2], "{priorities:?}");
    demand!(listed.iter().any(|row| row["name"] == "low"), "low is missing");
    Ok(())
}

async fn limits(it: &Subject) -> Outcome {
    let reply = it.capabilities().await?;
    same("body_bytes_max", number(reply, "/limits/body_bytes_max")?, BODY_BYTES_MAX)?;
    for name in
        ["execution_ms_max", "concurrent_executions_max", "default_budget_usd", "sync_window_ms"]
    {
        let value = number(reply, &format!("/limits/{name}"))?;
        demand!(value > 0.0, "{name} is {value}");
    }
    for kind in ["worker", "transform", "map", "wait", "pipeline"] {
        demand!(has(reply, "/step_kinds", kind)?, "{kind} is no kind of step");
    }
    Ok(())
}

async fn steps_can_be_done(it: &Subject) -> Outcome {
    let capable = it.capabilities().await?;
    let workers = texts(list(capable, "/available_workers")?, "worker_name");
    demand!(workers.len() >= public::WORKERS.len(), "only {workers:?}");
    let kinds: Vec<&Value> = list(capable, "/step_kinds")?.iter().collect();
    for template in texts(list(capable, "/available_templates")?, "name") {
        let reply = it.get(&format!("/templates/{template}")).send().await?;
        status(&reply, 200)?;
        for step in list(&reply, "/steps")? {
            let place = format!("{template}: {}", step["step_name"]);
            demand!(kinds.contains(&&step["kind"]), "{place}: a step of kind {}", step["kind"]);
            for field in ["worker_name", "fallback_worker"] {
                let Some(name) = step[field].as_str() else { continue };
                demand!(workers.contains(&name), "{place}: {name} is not available");
            }
        }
    }
    Ok(())
}
