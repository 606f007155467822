//! Signals: sent, kept until somebody waits for them, and refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    BODY_TOO_LARGE, EXECUTION_ENDED, Fault, JSON_MALFORMED, KEY_REQUIRED, MEDIA_TYPE,
    PIPELINE_NOT_FOUND, REQUEST_INVALID, SIGNAL_UNKNOWN, completed, demand, fault, same, step,
    step_stands, violation,
};
use super::subject::{AFTER_REVIEW, NOBODY, REVIEW};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const PATH: &str = "/pipeline/{id}/signal/{name}";

pub fn phase() -> Phase {
    Phase {
        title: "Signals",
        cases: cases![
            "a signal that no step waits for is 404" => not_awaited,
            "a signal wakes the step that waits for it" => wakes,
            "a signal with the same key is met once" => same_key,
            "a signal without a body is null" => without_body,
            "an approval that is withheld fails its step, and can be asked for again" => rejected,
            "a signal that comes at once is kept for its step" => early,
            "a signal wants a credential" => credentials,
            "a signal to an unknown execution is 404" => unknown,
            "a signal to an execution that has ended is 409" => ended,
            "a signal of more than 64 KiB is 413" => large,
            "a signal that is no JSON, or nested too deeply, is refused" => unfit,
            "a signal's name is 1 to 64 characters" => names,
        ],
    }
}

fn taken(reply: &Reply) -> Outcome {
    let stands = (reply.status, reply.text("/status"));
    demand!(matches!(stands, (200, "done") | (202, "accepted")), "{stands:?}: {}", reply.body);
    same("verb", reply.text("/verb"), "signal")?;
    demand!(reply.body["entry"].as_u64().is_some_and(|entry| entry > 0), "{}", reply.body);
    Ok(())
}

async fn not_awaited(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let reply = it.verb(&id, "signal/no_such").json(&json!({ "approved": true })).send().await?;
    fault(&reply, SIGNAL_UNKNOWN)?;
    demand!(reply.text("/detail").contains("no_such"), "{}", reply.text("/detail"));
    it.document().await?.check("POST", PATH, &reply)?;
    let shown = it.shown(&id).await?;
    same("status", shown.text("/status"), "waiting")?;
    step_stands(&shown, REVIEW, "waiting")?;
    approved(it, &id).await
}

/// Approves what waits for it, and sees it end with its report.
async fn approved(it: &Subject, id: &str) -> Outcome {
    taken(&it.review(id).json(&json!({ "approved": true })).send().await?)?;
    report_written(&it.follow(id).await?)
}

fn report_written(end: &Reply) -> Outcome {
    completed(end)?;
    step_stands(end, REVIEW, "succeeded")?;
    step_stands(end, AFTER_REVIEW, "succeeded")
}

async fn wakes(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let word = it.token();
    let reply = it.review(&id).json(&json!({ "approved": true, "note": word })).send().await?;
    taken(&reply)?;
    it.document().await?.check("POST", PATH, &reply)?;
    let end = it.follow(&id).await?;
    report_written(&end)?;
    same("the payload", step(&end, REVIEW)?["data"]["note"].as_str(), Some(word))?;
    fault(&it.review(&id).send().await?, EXECUTION_ENDED)
}

async fn same_key(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    let key = format!("{}/signal", it.token());
    let body = json!({ "approved": true });
    let ask = || it.review(&id).header("idempotency-key", &key).json(&body);
    let (first, second) = (ask().send().await?, ask().send().await?);
    taken(&first)?;
    report_written(&it.follow(&id).await?)?;
    let third = ask().send().await?;
    same("a repeated signal", third.status, 200)?;
    same("entry", &third.body["entry"], &first.body["entry"])?;
    // Whether the execution has gone on between the two, or has ended.
    demand!(matches!(second.status, 200 | 202), "{}: {}", second.status, second.body);
    same("entry", &second.body["entry"], &first.body["entry"])
}

/// Without a body the signal is `null`, and that approves nothing.
async fn without_body(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    taken(&it.review(&id).send().await?)?;
    withheld(&it.follow(&id).await?)
}

/// The approval was withheld: what is there already is kept, and no report is written.
fn withheld(end: &Reply) -> Outcome {
    same("status", end.text("/status"), "partial")?;
    step_stands(end, "content_classification", "succeeded")?;
    step_stands(end, REVIEW, "failed")?;
    same("code", step(end, REVIEW)?["error"]["code"].as_str(), Some("wait.rejected"))?;
    step_stands(end, AFTER_REVIEW, "skipped")
}

async fn rejected(it: &Subject) -> Outcome {
    let id = it.reviewed().await?;
    for answer in [json!({ "approved": false, "note": "too thin" }), json!({ "approved": 1 })] {
        taken(&it.review(&id).json(&answer).send().await?)?;
        withheld(&it.follow(&id).await?).map_err(|found| format!("{answer}: {found}"))?;
        let retried = it.verb(&id, "retry").send().await?;
        same("retry", retried.text("/status"), "done")?;
        it.until_waiting(&id).await?;
    }
    approved(it, &id).await
}

/// Whether it comes before its step waits or after: it is kept for it.
async fn early(it: &Subject) -> Outcome {
    let begun = it.start(&it.reviewed_request()).await?;
    let id = begun.text("/pipeline_id");
    approved(it, id).await
}

async fn credentials(it: &Subject) -> Outcome {
    let ask = it.ask(Method::POST, &format!("/pipeline/{NOBODY}/signal/go"));
    fault(&ask.json(&json!({})).send().await?, KEY_REQUIRED)
}

async fn unknown(it: &Subject) -> Outcome {
    let reply = it.verb(NOBODY, "signal/go").json(&json!({})).send().await?;
    fault(&reply, PIPELINE_NOT_FOUND)?;
    it.document().await?.check("POST", PATH, &reply)
}

async fn ended(it: &Subject) -> Outcome {
    let id = it.basic().await?.text("/pipeline_id");
    let reply = it.verb(id, "signal/go").json(&json!({ "approved": true })).send().await?;
    fault(&reply, EXECUTION_ENDED)?;
    demand!(reply.text("/detail").contains("completed"), "{}", reply.text("/detail"));
    Ok(())
}

async fn large(it: &Subject) -> Outcome {
    let body = json!({ "text": "x".repeat(64 * 1024) });
    let reply = it.verb(NOBODY, "signal/go").json(&body).send().await?;
    fault(&reply, BODY_TOO_LARGE)?;
    let body = json!({ "text": "x".repeat(63 * 1024) });
    fault(&it.verb(NOBODY, "signal/go").json(&body).send().await?, PIPELINE_NOT_FOUND)
}

async fn unfit(it: &Subject) -> Outcome {
    let ask = || it.verb(NOBODY, "signal/go");
    fault(&ask().body("{").send().await?, JSON_MALFORMED)?;
    fault(&ask().body_of_type("text/plain", "go").send().await?, MEDIA_TYPE)?;
    let deep = (0..110).fold(Value::Null, |inner, _| json!([inner]));
    let reply = ask().json(&deep).send().await?;
    fault(&reply, REQUEST_INVALID)?;
    violation(&reply, "", "nesting")
}

async fn names(it: &Subject) -> Outcome {
    let ask = |name: String| it.verb(NOBODY, &format!("signal/{name}"));
    let long = ask("n".repeat(65)).send().await?;
    fault(&long, REQUEST_INVALID)?;
    violation(&long, "/name", "length")?;
    fault(&ask("n".repeat(64)).send().await?, PIPELINE_NOT_FOUND)?;
    let none = Fault { status: 404, code: "route.unknown", error: "Endpoint not found" };
    fault(&ask(String::new()).send().await?, none)
}
