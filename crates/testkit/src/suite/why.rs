//! `GET /pipeline/{id}/why`.

use serde_json::Value;

use super::expect::{
    KEY_REQUIRED, PIPELINE_NOT_FOUND, demand, fault, list, moment, same, status, texts,
};
use super::subject::{AFTER_REVIEW, NOBODY, REVIEW};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const PATH: &str = "/pipeline/{id}/why";

pub fn phase() -> Phase {
    Phase {
        title: "Why",
        cases: cases![
            "an execution that goes on says what holds each unfinished step" => going_on,
            "one that is paused says so" => paused,
            "one that has ended says how" => ended,
            "why wants a credential" => credentials,
            "why of an unknown execution is 404" => unknown,
        ],
    }
}

async fn going_on(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let reply = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
    status(&reply, 200)?;
    it.document().await?.check("GET", PATH, &reply)?;
    same("pipeline_id", reply.text("/pipeline_id"), &id)?;
    same("status", reply.text("/status"), "waiting")?;
    moment(reply.text("/since"))?;
    moment(reply.text("/last_event_at"))?;
    held_by_review(&reply)?;
    let summary = reply.text("/summary");
    let told = summary.starts_with(&format!("step `{REVIEW}` waits for the signal `{REVIEW}`"));
    demand!(told, "the summary is {summary:?}");
    cancel(it, &id).await
}

/// The review waits for its signal until a moment that is told, the report for the review, and
/// nothing else is unfinished.
fn held_by_review(reply: &Reply) -> Outcome {
    let steps = list(reply, "/steps")?;
    same("the unfinished steps", texts(steps, "step"), vec![REVIEW, AFTER_REVIEW])?;
    same("their blockers", texts(steps, "blocker"), vec!["signal", "dependency"])?;
    for step in steps {
        let reason = step["reason"].as_str().unwrap_or_default();
        demand!(reason.contains(REVIEW), "the reason is {reason:?}");
    }
    same("the review", steps[0]["status"].as_str(), Some("waiting"))?;
    let until = steps[0]["next_at"].as_str().unwrap_or_default();
    moment(until)?;
    demand!(until > reply.text("/since"), "it is given up at {until}, before it waited");
    same("next_at of the report", &steps[1]["next_at"], &Value::Null)
}

async fn paused(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let reply = it.verb(&id, "pause").send().await?;
    same("pause", reply.text("/execution_status"), "paused")?;
    let reply = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
    it.document().await?.check("GET", PATH, &reply)?;
    same("status", reply.text("/status"), "paused")?;
    demand!(reply.text("/summary").contains("paused"), "{}", reply.text("/summary"));
    held_by_review(&reply)?;
    cancel(it, &id).await
}

async fn cancel(it: &Subject, id: &str) -> Outcome {
    let cancelled = it.verb(id, "cancel").send().await?;
    demand!(cancelled.status < 300, "cancel is {}", cancelled.status);
    Ok(())
}

async fn ended(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let reply = it.get(&format!("/pipeline/{id}/why")).by_worker().send().await?;
    status(&reply, 200)?;
    it.document().await?.check("GET", PATH, &reply)?;
    same("status", reply.text("/status"), "completed")?;
    same("steps", list(&reply, "/steps")?.len(), 0)?;
    same("phase", reply.text("/driver/phase"), "ended")?;
    same("at_work", reply.body["driver"]["at_work"].as_bool(), Some(false))?;
    demand!(reply.text("/summary").contains("completed"), "{}", reply.text("/summary"));
    Ok(())
}

async fn credentials(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    fault(&it.get(&format!("/pipeline/{id}/why")).send().await?, KEY_REQUIRED)
}

async fn unknown(it: &Subject) -> Outcome {
    for id in [NOBODY, "nope"] {
        let reply = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
        fault(&reply, PIPELINE_NOT_FOUND)?;
        it.document().await?.check("GET", PATH, &reply)?;
    }
    Ok(())
}
