//! `Idempotency-Key`: a start that is repeated starts nothing new.

use futures::future::try_join_all;
use serde_json::Value;

use super::expect::{IDEMPOTENCY_MISMATCH, REQUEST_INVALID, completed, demand, fault, same};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Idempotency",
        cases: cases![
            "the same key finds the first execution" => repeated,
            "the order of fields makes no other request" => reordered,
            "the same key with another request is 409" => mismatch,
            "requests at the same moment start one execution" => concurrent,
            "a request that was refused leaves its key free" => refused,
            "another key, or none, starts another execution" => other_keys,
            "a key of 255 characters is taken" => longest,
        ],
    }
}

/// A key of this pass that no other case uses.
fn key(it: &Subject, case: &str) -> String {
    format!("{}/{case}", it.token())
}

async fn start(it: &Subject, key: &str, body: &Value) -> Result<Reply, String> {
    it.start_with(&[("idempotency-key", key)], body).await
}

async fn repeated(it: &Subject) -> Outcome {
    let (key, body) = (key(it, "repeated"), it.basic_request());
    let first = start(it, &key, &body).await?;
    completed(&first)?;
    let second = start(it, &key, &body).await?;
    completed(&second)?;
    same("pipeline_id", second.text("/pipeline_id"), first.text("/pipeline_id"))?;
    let begun = "/pipeline/started_at";
    same("started_at", second.text(begun), first.text(begun))
}

async fn reordered(it: &Subject) -> Outcome {
    let (key, body) = (key(it, "reordered"), it.basic_request());
    let fields = body.as_object().into_iter().flatten();
    let mut written: Vec<String> =
        fields.map(|(name, value)| format!(" {} : {value} ", Value::from(name.as_str()))).collect();
    let first = start(it, &key, &body).await?;
    completed(&first)?;
    written.reverse();
    let text = format!("{{\n{}\n}}", written.join(",\n"));
    let second = it.orchestrate().header("idempotency-key", &key).body(text).send().await?;
    completed(&second)?;
    same("pipeline_id", second.text("/pipeline_id"), first.text("/pipeline_id"))
}

async fn mismatch(it: &Subject) -> Outcome {
    let (key, mut body) = (key(it, "mismatch"), it.basic_request());
    completed(&start(it, &key, &body).await?)?;
    body["urgency"] = "high".into();
    fault(&start(it, &key, &body).await?, IDEMPOTENCY_MISMATCH)
}

async fn concurrent(it: &Subject) -> Outcome {
    let (key, body) = (key(it, "concurrent"), it.basic_request());
    let replies = try_join_all((0..4).map(|_| start(it, &key, &body))).await?;
    let first = replies.first().map(|reply| reply.text("/pipeline_id")).unwrap_or_default();
    for reply in &replies {
        completed(reply)?;
        same("pipeline_id", reply.text("/pipeline_id"), first)?;
    }
    Ok(())
}

async fn refused(it: &Subject) -> Outcome {
    let (key, body) = (key(it, "refused"), it.basic_request());
    let mut unfit = body.clone();
    unfit["urgency"] = "yesterday".into();
    fault(&start(it, &key, &unfit).await?, REQUEST_INVALID)?;
    completed(&start(it, &key, &body).await?)
}

async fn other_keys(it: &Subject) -> Outcome {
    let body = it.basic_request();
    let replies = [
        start(it, &key(it, "one"), &body).await?,
        start(it, &key(it, "two"), &body).await?,
        it.start(&body).await?,
    ];
    let mut ids: Vec<&str> = replies.iter().map(|reply| reply.text("/pipeline_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    demand!(ids.len() == 3 && !ids.contains(&""), "{ids:?}");
    Ok(())
}

async fn longest(it: &Subject) -> Outcome {
    let mut key = key(it, "longest");
    key.push_str(&"~".repeat(255 - key.len()));
    let reply = start(it, &key, &it.basic_request()).await?;
    completed(&reply)?;
    let again = start(it, &key, &it.basic_request()).await?;
    same("pipeline_id", again.text("/pipeline_id"), reply.text("/pipeline_id"))
}
