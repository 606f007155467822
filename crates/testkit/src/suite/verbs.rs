//! Verbs: what may be asked of an execution, what comes of it, and how it is refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    EXECUTION_CANCELLED, EXECUTION_ENDED, EXECUTION_IN_PROGRESS, EXECUTION_UNFINISHED,
    HEADER_INVALID, JSON_MALFORMED, KEY_INVALID, KEY_REQUIRED, MEDIA_TYPE, NOTHING_FAILED,
    PIPELINE_NOT_FOUND, REQUEST_INVALID, STEP_UNKNOWN, brief, completed, demand, fault, list,
    pipeline_id, same, status, step, step_stands, violation,
};
use super::subject::{AFTER_REVIEW, NOBODY, REVIEW};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const VERBS: [&str; 7] = ["cancel", "kill", "pause", "resume", "retry", "rerun", "restart"];

pub fn phase() -> Phase {
    Phase {
        title: "Verbs",
        cases: cases![
            "every verb wants a credential that is valid" => credentials,
            "every verb of an unknown execution is 404" => unknown,
            "every verb refuses a body that does not fit" => bodies,
            "cancel ends an execution, and again changes nothing" => cancel,
            "kill ends an execution at once" => kill,
            "a worker may cancel as well" => by_worker,
            "pause holds an execution and resume lets it go on" => pause_and_resume,
            "what has ended cannot be cancelled, killed, paused or resumed" => ended,
            "a verb with the same key is met once" => same_key,
            "rerun does a step of a finished execution anew" => rerun,
            "rerun of an unknown step is 404" => rerun_unknown,
            "retry of an execution in which nothing failed is 409" => retry_refused,
            "restart begins a new execution with the same request" => restart,
            "restart with the same key begins one" => restart_once,
            "restart of an execution that goes on is 409" => restart_early,
            "rerun and retry of an execution that goes on are 409" => in_progress,
            "resume of what is not paused changes nothing" => resumed_twice,
            "the result stands alone, once there is one" => result,
            "the result of an execution that goes on is 409" => result_early,
        ],
    }
}

/// The verb was taken: met, or at least stored.
fn taken(reply: &Reply, verb: &str, id: &str) -> Outcome {
    let stands = (reply.status, reply.text("/status"));
    demand!(
        matches!(stands, (200, "done" | "unchanged") | (202, "accepted")),
        "{verb} is {stands:?}: {}",
        reply.body
    );
    same("pipeline_id", reply.text("/pipeline_id"), id)?;
    same("verb", reply.text("/verb"), verb)?;
    same("pipeline_url", reply.text("/pipeline_url"), &format!("/pipeline/{id}"))?;
    let entry = reply.body["entry"].as_u64();
    demand!(
        entry.is_some_and(|entry| entry > 0) || reply.text("/status") == "unchanged",
        "no entry: {}",
        reply.body
    );
    Ok(())
}

fn body_of(verb: &str) -> Value {
    if verb == "rerun" { json!({ "step": "any" }) } else { json!({}) }
}

async fn credentials(it: &Subject) -> Outcome {
    for verb in VERBS {
        let ask = || it.ask(Method::POST, &format!("/pipeline/{NOBODY}/{verb}"));
        fault(&ask().json(&body_of(verb)).send().await?, KEY_REQUIRED)?;
        let wrong = ask().header("x-api-key", "wrong").json(&body_of(verb));
        fault(&wrong.send().await?, KEY_INVALID)?;
    }
    Ok(())
}

async fn unknown(it: &Subject) -> Outcome {
    let document = it.document().await?;
    for verb in VERBS {
        for id in [NOBODY, "nope"] {
            let reply = it.verb(id, verb).json(&body_of(verb)).send().await?;
            fault(&reply, PIPELINE_NOT_FOUND)?;
            document.check("POST", &format!("/pipeline/{{id}}/{verb}"), &reply)?;
        }
    }
    Ok(())
}

async fn bodies(it: &Subject) -> Outcome {
    for verb in VERBS {
        let ask = || it.verb(NOBODY, verb);
        fault(&ask().body("{").send().await?, JSON_MALFORMED)?;
        fault(&ask().body_of_type("text/plain", "x").send().await?, MEDIA_TYPE)?;
        fault(&ask().json(&json!([])).send().await?, REQUEST_INVALID)?;
        let mut body = body_of(verb);
        body["reasons"] = "why".into();
        body["reason"] = "x".repeat(501).into();
        let reply = ask().json(&body).send().await?;
        fault(&reply, REQUEST_INVALID)?;
        violation(&reply, "/reasons", "unknown_field")?;
        violation(&reply, "/reason", "maxLength")?;
    }
    for (verb, body, pointer, code) in [
        ("resume", json!({ "budget_limit": -1 }), "/budget_limit", "minimum"),
        ("rerun", json!({}), "/step", "required"),
        ("rerun", json!({ "step": "" }), "/step", "minLength"),
        ("restart", json!({ "revision": "oldest" }), "/revision", "enum"),
    ] {
        let reply = it.verb(NOBODY, verb).json(&body).send().await?;
        fault(&reply, REQUEST_INVALID)?;
        violation(&reply, pointer, code)?;
    }
    Ok(())
}

async fn cancel(it: &Subject) -> Outcome {
    let body = json!({ "reason": "the suite wants to know" });
    let id = it.reviewed().await?;
    let reply = it.verb(&id, "cancel").json(&body).send().await?;
    taken(&reply, "cancel", &id)?;
    it.document().await?.check("POST", "/pipeline/{id}/cancel", &reply)?;
    cut_short(&it.follow(&id).await?)?;
    let again = it.verb(&id, "cancel").send().await?;
    status(&again, 200)?;
    same("status", again.text("/status"), "unchanged")?;
    same("execution_status", again.text("/execution_status"), "cancelled")?;
    let result = it.get(&format!("/pipeline/{id}/result")).by_client().send().await?;
    fault(&result, EXECUTION_CANCELLED)
}

/// Nothing was done after the step that waited, and what was done before stays.
fn cut_short(end: &Reply) -> Outcome {
    same("status", end.text("/status"), "cancelled")?;
    step_stands(end, "content_classification", "succeeded")?;
    for name in [REVIEW, AFTER_REVIEW] {
        step_stands(end, name, "cancelled")?;
    }
    same("attempts", step(end, AFTER_REVIEW)?["attempts"].as_u64(), Some(0))
}

async fn kill(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let reply = it.verb(&id, "kill").send().await?;
    taken(&reply, "kill", &id)?;
    it.document().await?.check("POST", "/pipeline/{id}/kill", &reply)?;
    cut_short(&it.follow(&id).await?)
}

async fn by_worker(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let ask = it.ask(Method::POST, &format!("/pipeline/{id}/cancel"));
    let reply = ask.by_worker().header("prefer", "wait=10").send().await?;
    taken(&reply, "cancel", &id)?;
    cut_short(&it.follow(&id).await?)
}

/// What is approved while the execution is paused counts once it is resumed.
async fn pause_and_resume(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let paused = it.verb(&id, "pause").send().await?;
    taken(&paused, "pause", &id)?;
    same("execution_status", paused.text("/execution_status"), "paused")?;
    let again = it.verb(&id, "pause").send().await?;
    same("a second pause", again.text("/status"), "unchanged")?;
    let approved = it.review(&id).json(&json!({ "approved": true })).send().await?;
    taken(&approved, "signal", &id)?;
    let shown = it.shown(&id).await?;
    same("status", shown.text("/status"), "paused")?;
    step_stands(&shown, REVIEW, "waiting")?;
    let resumed = it.verb(&id, "resume").json(&json!({ "budget_limit": 5 })).send().await?;
    taken(&resumed, "resume", &id)?;
    it.document().await?.check("POST", "/pipeline/{id}/resume", &resumed)?;
    let end = it.follow(&id).await?;
    completed(&end)?;
    step_stands(&end, AFTER_REVIEW, "succeeded")
}

async fn resumed_twice(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let early = it.verb(&id, "resume").send().await?;
    same("a resume of what is not paused", early.text("/status"), "unchanged")?;
    taken(&it.verb(&id, "pause").send().await?, "pause", &id)?;
    taken(&it.verb(&id, "resume").send().await?, "resume", &id)?;
    it.until_waiting(&id).await?;
    taken(&it.verb(&id, "cancel").send().await?, "cancel", &id)
}

async fn in_progress(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let id = it.reviewed().await?;
    for verb in ["rerun", "retry"] {
        let body = if verb == "rerun" { json!({ "step": REVIEW }) } else { json!({}) };
        let reply = it.verb(&id, verb).json(&body).send().await?;
        fault(&reply, EXECUTION_IN_PROGRESS).map_err(|found| format!("{verb}: {found}"))?;
        same("pipeline_id", reply.text("/pipeline_id"), &id)?;
        document.check("POST", &format!("/pipeline/{{id}}/{verb}"), &reply)?;
    }
    taken(&it.verb(&id, "cancel").send().await?, "cancel", &id)
}

async fn ended(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    for verb in ["cancel", "kill", "pause", "resume"] {
        let reply = it.verb(id, verb).send().await?;
        fault(&reply, EXECUTION_ENDED).map_err(|found| format!("{verb}: {found}"))?;
        same("pipeline_id", reply.text("/pipeline_id"), id)?;
    }
    Ok(())
}

async fn same_key(it: &Subject) -> Outcome {
    let key = format!("{}/cancel", it.token());
    let id = it.reviewed().await?;
    let first = it.verb(&id, "cancel").header("idempotency-key", &key).send().await?;
    taken(&first, "cancel", &id)?;
    let again = it.verb(&id, "cancel").header("idempotency-key", &key).send().await?;
    taken(&again, "cancel", &id)?;
    it.follow(&id).await?;
    let after = it.verb(&id, "cancel").header("idempotency-key", &key).send().await?;
    status(&after, 200)?;
    let unfit = it.verb(&id, "cancel").header("idempotency-key", "a b").send().await?;
    fault(&unfit, HEADER_INVALID)
}

async fn rerun(it: &Subject) -> Outcome {
    let first = it.complete(&it.basic_request()).await?;
    completed(&first)?;
    let id = first.text("/pipeline_id");
    let step = first.text("/pipeline/worker_results/0/step_name");
    let reply = it.verb(id, "rerun").json(&json!({ "step": step })).send().await?;
    taken(&reply, "rerun", id)?;
    it.document().await?.check("POST", "/pipeline/{id}/rerun", &reply)?;
    for _ in 0..300 {
        let events = it.get(&format!("/pipeline/{id}/events")).by_client().send().await?;
        let text = events.body.as_str().unwrap_or_default();
        if text.contains("\"generation\":2") && text.ends_with("\n\n") {
            return completed(&it.follow(id).await?);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(format!("step {step} of {id} was not asked for anew"))
}

async fn rerun_unknown(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    for step in ["no_such_step", "no_such_step[3]"] {
        let reply = it.verb(id, "rerun").json(&json!({ "step": step })).send().await?;
        fault(&reply, STEP_UNKNOWN)?;
        demand!(reply.text("/detail").contains("no_such_step"), "{}", reply.text("/detail"));
    }
    Ok(())
}

async fn retry_refused(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let reply = it.verb(id, "retry").send().await?;
    fault(&reply, NOTHING_FAILED)?;
    it.document().await?.check("POST", "/pipeline/{id}/retry", &reply)
}

async fn restart(it: &Subject) -> Outcome {
    let old = it.basic().await?;
    let id = old.text("/pipeline_id");
    for body in [json!({}), json!({ "revision": "newest", "reason": "again" })] {
        let reply = it.verb(id, "restart").json(&body).send().await?;
        status(&reply, 202)?;
        it.document().await?.check("POST", "/pipeline/{id}/restart", &reply)?;
        same("restarted_from", reply.text("/restarted_from"), id)?;
        same("Location", reply.header("location"), Some(reply.text("/pipeline_url")))?;
        let new = reply.text("/pipeline_id");
        pipeline_id(new)?;
        demand!(new != id, "the new execution is the old one");
        let end = it.follow(new).await?;
        completed(&end)?;
        same("restarted_from", end.text("/restarted_from"), id)?;
        same("topic", end.text("/pipeline/topic"), old.text("/pipeline/topic"))?;
        let steps = "/pipeline/worker_results";
        same("the number of steps", list(&end, steps)?.len(), list(old, steps)?.len())?;
    }
    Ok(())
}

async fn restart_once(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let key = format!("{}/restart", it.token());
    let ask = || it.verb(id, "restart").header("idempotency-key", &key);
    let first = ask().send().await?;
    status(&first, 202)?;
    completed(&it.follow(first.text("/pipeline_id")).await?)?;
    let second = ask().send().await?;
    same("pipeline_id", second.text("/pipeline_id"), first.text("/pipeline_id"))?;
    let other = ask().json(&json!({ "revision": "newest" })).send().await?;
    fault(&other, super::expect::IDEMPOTENCY_MISMATCH)
}

async fn restart_early(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    fault(&it.verb(&id, "restart").send().await?, EXECUTION_UNFINISHED)?;
    taken(&it.verb(&id, "pause").send().await?, "pause", &id)?;
    let paused = it.verb(&id, "restart").send().await?;
    fault(&paused, EXECUTION_UNFINISHED)?;
    it.document().await?.check("POST", "/pipeline/{id}/restart", &paused)?;
    taken(&it.verb(&id, "cancel").send().await?, "cancel", &id)
}

async fn result(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let finished = it.basic().await?.text("/pipeline_id");
    let path = format!("/pipeline/{finished}/result");
    let reply = it.get(&path).by_client().send().await?;
    status(&reply, 200)?;
    document.check("GET", "/pipeline/{id}/result", &reply)?;
    let fields = reply.body.as_object().map_or(0, serde_json::Map::len);
    demand!(fields > 0 && reply.body.get("pipeline_id").is_none(), "{}", reply.body);
    fault(&it.get(&path).send().await?, KEY_REQUIRED)?;
    let nobody = it.get(&format!("/pipeline/{NOBODY}/result")).by_client().send().await?;
    fault(&nobody, PIPELINE_NOT_FOUND)
}

async fn result_early(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let id = it.reviewed().await?;
    let path = format!("/pipeline/{id}/result");
    let early = it.get(&path).by_client().send().await?;
    fault(&early, EXECUTION_UNFINISHED)?;
    document.check("GET", "/pipeline/{id}/result", &early)?;
    demand!(early.text("/detail").contains("waiting"), "{}", early.text("/detail"));
    taken(&it.review(&id).json(&json!({ "approved": true })).send().await?, "signal", &id)?;
    completed(&it.follow(&id).await?)?;
    let result = it.get(&path).by_client().send().await?;
    status(&result, 200)?;
    demand!(result.body["report"].is_object(), "no report: {}", brief(&result.body));
    same("review", &result.body["review"], &json!({ "approved": true }))
}
