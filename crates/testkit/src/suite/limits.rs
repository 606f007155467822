//! Limits of size, depth and number.

use futures::future::try_join_all;
use futures::stream;
use serde_json::{Value, json};

use super::expect::{
    BODY_TOO_LARGE, JSON_MALFORMED, QUERY_INVALID, REQUEST_INVALID, completed, demand, fault, list,
    number, same, violation,
};
use super::{Outcome, Phase, Subject, cases};

const BODY_BYTES_MAX: usize = 1024 * 1024;
const TWO_MB: usize = 2_000_000;

pub fn phase() -> Phase {
    Phase {
        title: "Limits",
        cases: cases![
            "a body of 2 MB is 413" => two_megabytes,
            "so is one that does not announce its length" => two_megabytes_in_parts,
            "a body of exactly 1 MiB is read, one byte more is not" => one_mebibyte,
            "JSON nested more than 128 levels deep is 400" => too_deep,
            "a topic of 500 characters is taken, in any script" => longest_topic,
            "a deadline beyond the environment's is cut to it" => long_deadline,
            "parameters of a query have limits" => long_query,
            "a page has at most 200 entries" => longest_page,
            "a burst is served, or told when to come again" => burst,
        ],
    }
}

/// A request of so many bytes that would not fit for another reason.
fn request_of(bytes: usize) -> String {
    let frame = r#"{"topic":"x","urgency":"yesterday","input":{"pad":""}}"#;
    let pad = "x".repeat(bytes - frame.len());
    frame.replace("\"pad\":\"\"", &format!("\"pad\":\"{pad}\""))
}

async fn two_megabytes(it: &Subject) -> Outcome {
    let reply = it.orchestrate().body(request_of(TWO_MB)).send().await?;
    fault(&reply, BODY_TOO_LARGE)?;
    same("detail", reply.text("/detail"), "At most 1048576 bytes are read")
}

async fn two_megabytes_in_parts(it: &Subject) -> Outcome {
    let text = request_of(TWO_MB).into_bytes();
    let parts: Vec<Result<Vec<u8>, std::io::Error>> =
        text.chunks(64 * 1024).map(|part| Ok(part.to_vec())).collect();
    let body = reqwest::Body::wrap_stream(stream::iter(parts));
    fault(&it.orchestrate().body(body).send().await?, BODY_TOO_LARGE)
}

async fn one_mebibyte(it: &Subject) -> Outcome {
    let reply = it.orchestrate().body(request_of(BODY_BYTES_MAX)).send().await?;
    fault(&reply, REQUEST_INVALID)?;
    violation(&reply, "/urgency", "enum")?;
    let reply = it.orchestrate().body(request_of(BODY_BYTES_MAX + 1)).send().await?;
    fault(&reply, BODY_TOO_LARGE)
}

async fn too_deep(it: &Subject) -> Outcome {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let reply = it.orchestrate().body(format!(r#"{{"input":{}}}"#, nested(128))).send().await?;
    fault(&reply, JSON_MALFORMED)?;
    let reply = it.orchestrate().body(nested(BODY_BYTES_MAX / 2)).send().await?;
    fault(&reply, JSON_MALFORMED)?;
    let reply = it.orchestrate().body(format!(r#"{{"input":{}}}"#, nested(101))).send().await?;
    violation(&reply, "/input", "nesting")?;
    let mut body = it.basic_request();
    let input: Value = serde_json::from_str(&nested(98)).map_err(|error| error.to_string())?;
    body["input"] = json!({ "nested": input });
    completed(&it.complete(&body).await?)
}

async fn longest_topic(it: &Subject) -> Outcome {
    for letter in ["a", "é", "界", "🌍"] {
        let topic = letter.repeat(500);
        let mut body = it.basic_request();
        body["topic"] = topic.as_str().into();
        let reply = it.complete(&body).await?;
        completed(&reply).map_err(|found| format!("{letter}: {found}"))?;
        same("topic", reply.text("/pipeline/topic"), &topic)?;
    }
    Ok(())
}

async fn long_deadline(it: &Subject) -> Outcome {
    let mut body = it.basic_request();
    body["deadline_minutes"] = 10_080.into();
    let reply = it.complete(&body).await?;
    completed(&reply)?;
    let longest = number(it.capabilities().await?, "/limits/execution_ms_max")?;
    let took = number(&reply, "/total_execution_time_ms")?;
    demand!(took <= longest, "it took {took} ms of at most {longest}");
    Ok(())
}

async fn long_query(it: &Subject) -> Outcome {
    for (name, chars_max) in [("topic", 200), ("template", 64), ("cursor", 64)] {
        let path = format!("/pipeline-history?{name}={}", "x".repeat(chars_max + 1));
        let reply = it.get(&path).by_client().send().await?;
        fault(&reply, QUERY_INVALID).map_err(|found| format!("{name}: {found}"))?;
        violation(&reply, &format!("/{name}"), "maxLength")?;
    }
    Ok(())
}

async fn longest_page(it: &Subject) -> Outcome {
    let reply = it.get("/pipeline-history?limit=200").by_client().send().await?;
    demand!(list(&reply, "/pipelines")?.len() <= 200, "more than 200 entries");
    let reply = it.get("/pipeline-history?limit=201").by_client().send().await?;
    fault(&reply, QUERY_INVALID)?;
    violation(&reply, "/limit", "maximum")
}

async fn burst(it: &Subject) -> Outcome {
    let places = number(it.capabilities().await?, "/limits/concurrent_executions_max")?;
    let body = it.basic_request();
    let asked = (0..2 * places.min(20.0) as usize).map(|_| it.orchestrate().json(&body).send());
    let replies = try_join_all(asked).await?;
    for reply in &replies {
        match reply.status {
            200 => completed(reply)?,
            202 => completed(&it.follow(reply.text("/pipeline_id")).await?)?,
            429 => {
                same("code", reply.text("/code"), "admission.refused")?;
                let seconds = reply.header("retry-after").and_then(|text| text.parse::<u32>().ok());
                demand!(seconds >= Some(1), "Retry-After is {seconds:?}");
            }
            other => return Err(format!("status {other}: {}", reply.text("/detail"))),
        }
    }
    let served = replies.iter().filter(|reply| reply.status != 429).count();
    demand!(served > 0, "none of {} was served", replies.len());
    Ok(())
}
