//! Reports of workers that answered 202.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    BODY_TOO_LARGE, EXECUTION_ENDED, FENCE_STALE, JSON_MALFORMED, PIPELINE_NOT_FOUND,
    REQUEST_INVALID, STEP_UNKNOWN, WORKER_INVALID, WORKER_REQUIRED, completed, demand, fault, same,
    step_stands, violation,
};
use super::subject::{AFTER_REVIEW, Ask, NOBODY};
use super::{Outcome, Phase, Subject, cases};

const PATH: &str = "/pipeline/{id}/steps/{step}/complete";
/// The template with a worker that answers 202, where the orchestrator has it.
const CALLBACK: &str = "callback";

pub fn phase() -> Phase {
    Phase {
        title: "Callbacks",
        cases: cases![
            "a report wants a worker's credentials" => credentials,
            "a report about an unknown execution is 404" => unknown,
            "a report about an unknown step is 404" => unknown_step,
            "a report without a fence is 422" => fences,
            "a report that does not fit is refused" => unfit,
            "a report of more than 4 MiB is 413" => large,
            "a report with a stale fence is 409" => stale,
            "a report after the execution's end is 409" => ended,
            "a worker that answered 202 reports, and once" => reported,
        ],
    }
}

fn ask<'s>(it: &'s Subject, id: &str, step: &str) -> Ask<'s> {
    let path = format!("/pipeline/{id}/steps/{step}/complete");
    it.ask(Method::POST, &path).by_worker().header("prefer", "wait=10")
}

fn succeeded(fence: u64) -> Value {
    json!({ "status": "succeeded", "output": { "n": 1 }, "cost_usd": 0, "fence": fence })
}

async fn credentials(it: &Subject) -> Outcome {
    let path = format!("/pipeline/{NOBODY}/steps/any/complete");
    let post = || it.ask(Method::POST, &path).json(&succeeded(1));
    fault(&post().send().await?, WORKER_REQUIRED)?;
    fault(&post().by_client().send().await?, WORKER_REQUIRED)?;
    let wrong = post().header("authorization", "Bearer wrong").header("x-worker-id", "w");
    fault(&wrong.send().await?, WORKER_INVALID)
}

async fn unknown(it: &Subject) -> Outcome {
    for id in [NOBODY, "nope"] {
        let reply = ask(it, id, "any").json(&succeeded(1)).send().await?;
        fault(&reply, PIPELINE_NOT_FOUND)?;
        it.document().await?.check("POST", PATH, &reply)?;
    }
    Ok(())
}

async fn unknown_step(it: &Subject) -> Outcome {
    let finished = it.basic().await?;
    let id = finished.text("/pipeline_id");
    let known = finished.text("/pipeline/worker_results/0/step_name");
    // The step is no map: it has no elements.
    for step in ["no_such_step", "no_such_step%5B3%5D", &format!("{known}%5B0%5D")] {
        let reply = ask(it, id, step).json(&succeeded(1)).send().await?;
        fault(&reply, STEP_UNKNOWN).map_err(|found| format!("{step}: {found}"))?;
    }
    Ok(())
}

async fn fences(it: &Subject) -> Outcome {
    let mut body = succeeded(1);
    let with = |fence: &str| ask(it, NOBODY, "any").header("x-fence", fence);
    for reply in [
        with("2").json(&body).send().await?,
        with("soon").json(&body).send().await?,
        with("0").json(&body).send().await?,
    ] {
        fault(&reply, REQUEST_INVALID)?;
        demand!(reply.text("/violations/0/pointer") == "/fence", "{}", reply.body);
    }
    body["fence"] = Value::Null;
    let reply = ask(it, NOBODY, "any").json(&body).send().await?;
    fault(&reply, REQUEST_INVALID)?;
    violation(&reply, "/fence", "required")?;
    fault(&with("7").json(&body).send().await?, PIPELINE_NOT_FOUND)
}

async fn unfit(it: &Subject) -> Outcome {
    let post = || ask(it, NOBODY, "any").header("x-fence", "1");
    fault(&post().body("{").send().await?, JSON_MALFORMED)?;
    for (body, pointer, code) in [
        (json!({}), "/status", "required"),
        (json!({ "status": "done" }), "/status", "enum"),
        (json!({ "status": "succeeded" }), "/output", "required"),
        (json!({ "status": "failed" }), "/error", "required"),
        (json!({ "status": "failed", "error": { "code": "c" } }), "/error/message", "required"),
        (json!({ "status": "running", "heartbeat_ms": 1 }), "/heartbeat_ms", "minimum"),
        (json!({ "status": "running", "cost_usd": -1 }), "/cost_usd", "minimum"),
        (json!({ "status": "running", "fences": 1 }), "/fences", "unknown_field"),
    ] {
        let reply = post().json(&body).send().await?;
        fault(&reply, REQUEST_INVALID).map_err(|found| format!("{body}: {found}"))?;
        violation(&reply, pointer, code)?;
    }
    Ok(())
}

async fn large(it: &Subject) -> Outcome {
    let mut body = succeeded(1);
    body["output"]["text"] = "x".repeat(4 * 1024 * 1024).into();
    fault(&ask(it, NOBODY, "any").json(&body).send().await?, BODY_TOO_LARGE)?;
    body["output"]["text"] = "x".repeat(2 * 1024 * 1024).into();
    fault(&ask(it, NOBODY, "any").json(&body).send().await?, PIPELINE_NOT_FOUND)
}

async fn stale(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    // A step that is done, and one whose turn has not come: nobody waits for a report of either.
    for step in ["topic_research", AFTER_REVIEW] {
        for body in [succeeded(1_000_000), json!({ "status": "running", "fence": 1_000_000 })] {
            let reply = ask(it, &id, step).json(&body).send().await?;
            fault(&reply, FENCE_STALE).map_err(|found| format!("{step}: {found}"))?;
            it.document().await?.check("POST", PATH, &reply)?;
        }
    }
    let shown = it.shown(&id).await?;
    same("status", shown.text("/status"), "waiting")?;
    step_stands(&shown, AFTER_REVIEW, "pending")?;
    let cancelled = it.verb(&id, "cancel").send().await?;
    demand!(cancelled.status < 300, "cancel is {}", cancelled.status);
    Ok(())
}

async fn ended(it: &Subject) -> Outcome {
    let finished = it.basic().await?;
    let id = finished.text("/pipeline_id");
    let step = finished.text("/pipeline/worker_results/0/step_name");
    for body in [succeeded(1_000_000), json!({ "status": "running", "fence": 1_000_000 })] {
        fault(&ask(it, id, step).json(&body).send().await?, EXECUTION_ENDED)?;
    }
    Ok(())
}

/// Where the orchestrator has the template `callback`, its worker reports by itself; what it
/// reported is then reported once more. Else nothing may have been reported: that is an execution
/// without a 202, whose last fence counts no more.
async fn reported(it: &Subject) -> Outcome {
    if !it.has_template(CALLBACK).await? {
        return ended(it).await;
    }
    let body = json!({
        "topic": it.token(), "pipeline_template": CALLBACK, "use_cache": false,
    });
    let end = it.complete(&body).await?;
    completed(&end)?;
    let id = end.text("/pipeline_id");
    let events = it.get(&format!("/pipeline/{id}/events")).by_client().send().await?;
    let text = events.body.as_str().unwrap_or_default();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut events = data.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let step = "asked";
    let fence = events.find(|it| it["type"] == "step_succeeded" && it["step"] == step);
    let fence = fence.and_then(|event| event["fence"].as_u64());
    let fence = fence.ok_or_else(|| format!("step {step} of {id} has no fence: {text}"))?;
    let again = ask(it, id, step).json(&succeeded(fence)).send().await?;
    same("a repeated report", again.status, 200)
}
