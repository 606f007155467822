//! Signals: sent, kept until somebody waits for them, and refused.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    BODY_TOO_LARGE, EXECUTION_ENDED, Fault, JSON_MALFORMED, KEY_REQUIRED, MEDIA_TYPE,
    PIPELINE_NOT_FOUND, REQUEST_INVALID, SIGNAL_UNKNOWN, completed, demand, fault, same, violation,
};
use super::subject::{Ask, NOBODY};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;
use crate::fixtures::SIGNAL;

/// The template that waits for a signal, where the orchestrator has it.
const WAIT: &str = "wait";
const PATH: &str = "/pipeline/{id}/signal/{name}";

pub fn phase() -> Phase {
    Phase {
        title: "Signals",
        cases: cases![
            "a signal that no step waits for is 404" => not_awaited,
            "a signal wakes the step that waits for it" => wakes,
            "a signal with the same key is met once" => same_key,
            "a signal without a body is null" => without_body,
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

/// An execution that waits for a signal, where the orchestrator has a template with one.
async fn waiting(it: &Subject) -> Result<Option<String>, String> {
    const LOOKS_MAX: usize = 300;
    if !it.has_template(WAIT).await? {
        return Ok(None);
    }
    let body = json!({
        "topic": it.token(), "pipeline_template": WAIT, "async": true, "use_cache": false,
    });
    let begun = it.start(&body).await?;
    let id = begun.text("/pipeline_id").to_owned();
    for _ in 0..LOOKS_MAX {
        let stands = it.get(&format!("/pipeline/{id}")).by_client().send().await?;
        if stands.text("/status") == "waiting" {
            return Ok(Some(id));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(format!("{id} never waited"))
}

fn signal<'s>(it: &'s Subject, id: &str) -> Ask<'s> {
    it.verb(id, &format!("signal/{SIGNAL}"))
}

/// No step of the seed data's templates waits for a signal.
async fn not_awaited(it: &Subject) -> Outcome {
    let (id, reply) = it.act(|id| signal(it, id).json(&json!({ "approved": true }))).await?;
    fault(&reply, SIGNAL_UNKNOWN)?;
    demand!(reply.text("/detail").contains(SIGNAL), "{}", reply.text("/detail"));
    it.document().await?.check("POST", PATH, &reply)?;
    completed(&it.follow(&id).await?)
}

async fn wakes(it: &Subject) -> Outcome {
    let Some(id) = waiting(it).await? else { return not_awaited(it).await };
    let why = it.get(&format!("/pipeline/{id}/why")).by_client().send().await?;
    demand!(why.text("/summary").contains(SIGNAL), "{}", why.text("/summary"));
    let reply = signal(it, &id).json(&json!({ "colour": "green" })).send().await?;
    taken(&reply)?;
    it.document().await?.check("POST", PATH, &reply)?;
    let end = it.follow(&id).await?;
    completed(&end)?;
    demand!(end.body.to_string().contains("green"), "the payload is nowhere: {}", end.body);
    fault(&signal(it, &id).send().await?, EXECUTION_ENDED)
}

async fn same_key(it: &Subject) -> Outcome {
    let Some(id) = waiting(it).await? else { return not_awaited(it).await };
    let key = format!("{}/signal", it.token());
    let ask = || signal(it, &id).header("idempotency-key", &key).json(&json!(1));
    let (first, second) = (ask().send().await?, ask().send().await?);
    taken(&first)?;
    completed(&it.follow(&id).await?)?;
    let third = ask().send().await?;
    same("a repeated signal", third.status, 200)?;
    same("entry", &third.body["entry"], &first.body["entry"])?;
    // The execution may have ended or gone on between the two.
    demand!(second.status < 300 || second.status == 409, "{}: {}", second.status, second.body);
    Ok(())
}

async fn without_body(it: &Subject) -> Outcome {
    let Some(id) = waiting(it).await? else { return not_awaited(it).await };
    taken(&signal(it, &id).send().await?)?;
    completed(&it.follow(&id).await?)
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
