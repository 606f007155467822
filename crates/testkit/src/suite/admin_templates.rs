//! Templates as operators publish them. Every case has a template of its own, which is gone when it
//! ends; the templates that are there before are only read.

mod life;
mod wrong;

use std::time::Duration;

use futures::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{
    Fault, HEADER_INVALID, REQUEST_INVALID, demand, fault, list, moment, number, same, status,
    template_unknown, texts, violation,
};
use super::subject::{Ask, REPORT};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const EXISTS: Fault<'_> =
    Fault { status: 409, code: "resource.exists", error: "It exists already" };
const IN_USE: Fault<'_> = Fault { status: 409, code: "resource.in_use", error: "It is in use" };
const CHANGED: Fault<'_> =
    Fault { status: 412, code: "resource.changed", error: "It was changed meanwhile" };
const NOT_FOUND: Fault<'_> = Fault { status: 404, code: "resource.not_found", error: "Not found" };
const INVALID: Fault<'_> =
    Fault { status: 409, code: "template.invalid", error: "The template cannot be executed" };
const SCOPE_MISSING: Fault<'_> =
    Fault { status: 403, code: "auth.scope_missing", error: "The credential does not allow this" };

/// How long isolates may take to see what another one has published.
const SEEN_WITHIN_TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);
/// How many changes come at once.
const AT_ONCE: usize = 20;

pub fn phase() -> Phase {
    Phase {
        title: "Templates by operators",
        cases: cases![
            "a template that is published can be read, listed and started" => published,
            "the document that is shown can be sent back and changes nothing" => sent_back,
            "a replacement is the next revision, and the next start gets it" => replaced,
            "If-Match lets only one of twenty changes pass" => one_of_many,
            "changes without If-Match follow each other" => many,
            "a start meets a whole revision while others are published" => whole,
            "a patch changes attributes and leaves the steps" => patched,
            "all that is wrong with a document is told, and nothing is written" => wrong::wrong,
            "a dry validation tells the same and warns" => wrong::validated,
            "history says who, and a difference says what" => life::history,
            "a rollback is a new revision with the old content" => life::rolled_back,
            "a clone is a template of its own" => life::cloned,
            "what is not active cannot be started or become the default" => life::inactive,
            "the default is neither removed nor switched off" => life::the_default,
            "a template that another one names is not removed" => life::in_use,
            "what is removed is gone, and its revisions stay" => life::removed,
            "bodies that are none are refused with their place" => wrong::garbage,
            "a template of five hundred steps is published whole" => large,
            "only operators may" => wrong::operators_only,
        ],
    }
}

/// The path of a template, or of what belongs to it.
fn path(name: &str, rest: &str) -> String {
    format!("/admin/templates/{name}{rest}")
}

/// Two steps that call nobody, and say the same word.
fn document(name: &str, word: &str) -> Value {
    json!({
        "name": name, "description": "of the HTTP suite", "category": "suite",
        "input_schema": { "type": "object", "x-topic-required": false },
        "cache_ttl_seconds": 0,
        "steps": [
            { "step_order": 1, "step_name": "first", "kind": "transform",
              "input_mapping": { "first": word } },
            { "step_order": 2, "step_name": "second", "kind": "transform",
              "depends_on_steps": ["first"], "input_mapping": { "second": word } },
        ],
    })
}

async fn post(it: &Subject, path: &str, body: &Value) -> Result<Reply, String> {
    it.ask(Method::POST, path).by_worker().json(body).send().await
}

fn put<'s>(it: &'s Subject, name: &str, body: &Value) -> Ask<'s> {
    it.ask(Method::PUT, &path(name, "")).by_worker().json(body)
}

async fn read(it: &Subject, path: &str) -> Result<Reply, String> {
    it.get(path).by_worker().send().await
}

async fn remove(it: &Subject, name: &str) -> Result<Reply, String> {
    it.ask(Method::DELETE, &path(name, "")).by_worker().send().await
}

async fn create(it: &Subject, body: &Value) -> Result<Reply, String> {
    let reply = post(it, "/admin/templates", body).await?;
    status(&reply, 201)?;
    Ok(reply)
}

/// Does something with a new template, and removes it whatever came of that.
async fn with(it: &Subject, case: &str, does: impl AsyncFnOnce(&str, Reply) -> Outcome) -> Outcome {
    let name = format!("suite_{}_{case}", it.token());
    let outcome = match create(it, &document(&name, "one")).await {
        Ok(made) => does(&name, made).await,
        Err(error) => Err(error),
    };
    let gone = remove(it, &name).await?;
    outcome?;
    demand!(matches!(gone.status, 204 | 404), "{name} stays: {}", gone.body);
    Ok(())
}

/// Starts the template until a start gets this revision.
async fn started(it: &Subject, name: &str, revision: f64) -> Result<Reply, String> {
    let mut last = Value::Null;
    for _ in 0..SEEN_WITHIN_TRIES {
        let reply = it.start(&json!({ "pipeline_template": name })).await?;
        if reply.body["pipeline"]["template_revision"].as_f64() == Some(revision) {
            status(&reply, 200)?;
            return Ok(reply);
        }
        last = reply.body;
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("no start gets revision {revision} of {name}: {last}"))
}

fn tag(reply: &Reply) -> Result<String, String> {
    let tag = reply.header("etag").unwrap_or_default();
    demand!(tag.starts_with('"') && tag.len() > 10, "the tag is {tag:?}");
    Ok(tag.to_owned())
}

async fn published(it: &Subject) -> Outcome {
    with(it, "published", async |name, made| {
        same("location", made.header("location"), Some(path(name, "").as_str()))?;
        same("violations", list(&made, "/violations")?.len(), 0)?;
        let shown = read(it, &path(name, "")).await?;
        status(&shown, 200)?;
        same("what is shown", &shown.body, &made.body)?;
        same("the tag", tag(&shown)?, tag(&made)?)?;
        moment(shown.text("/created_at"))?;
        let listed = read(it, "/admin/templates?category=suite&limit=200").await?;
        demand!(texts(list(&listed, "/templates")?, "name").contains(&name), "it is not listed");
        let revision = number(&made, "/revision")?;
        let result = started(it, name, revision).await?;
        let steps = &result.body["pipeline"]["worker_results"];
        same("what it does", &steps[1]["data"], &json!({ "second": "one" }))?;
        fault(&post(it, "/admin/templates", &document(name, "two")).await?, EXISTS)
    })
    .await
}

async fn sent_back(it: &Subject) -> Outcome {
    with(it, "sent_back", async |name, made| {
        let again = put(it, name, &made.body["template"]).send().await?;
        status(&again, 200)?;
        same("the template", &again.body, &made.body)
    })
    .await?;
    let shown = read(it, &path(REPORT, "")).await?;
    status(&shown, 200)?;
    let validated = post(it, &path(REPORT, "/validate"), &shown.body["template"]).await?;
    same("valid", &validated.body["valid"], &json!(true))?;
    same("the content", &validated.body["content_hash"], &shown.body["content_hash"])
}

async fn replaced(it: &Subject) -> Outcome {
    with(it, "replaced", async |name, made| {
        let first = number(&made, "/revision")?;
        started(it, name, first).await?;
        let second = put(it, name, &document(name, "two")).send().await?;
        status(&second, 200)?;
        same("the revision", number(&second, "/revision")?, first + 1.0)?;
        demand!(tag(&second)? != tag(&made)?, "the tag stays");
        let result = started(it, name, first + 1.0).await?;
        let steps = &result.body["pipeline"]["worker_results"];
        same("what it does", &steps[0]["data"], &json!({ "first": "two" }))?;
        let again = put(it, name, &document(name, "two")).send().await?;
        same("the same again", &again.body, &second.body)?;
        let other = put(it, name, &document("another", "two")).send().await?;
        fault(&other, REQUEST_INVALID)?;
        violation(&other, "/name", "conflict")?;
        let unknown = format!("{name}_not");
        let missing = put(it, &unknown, &document(&unknown, "x")).send().await?;
        template_unknown(&missing, &unknown)
    })
    .await
}

async fn one_of_many(it: &Subject) -> Outcome {
    with(it, "one_of_many", async |name, made| {
        let seen = tag(&made)?;
        let bodies: Vec<Value> = (0..AT_ONCE).map(|n| document(name, &format!("w{n}"))).collect();
        let asked = bodies.iter().map(|body| put(it, name, body).header("if-match", &seen).send());
        let replies = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let won: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 200).collect();
        same("changes that passed", won.len(), 1)?;
        for lost in replies.iter().filter(|reply| reply.status != 200) {
            fault(lost, CHANGED)?;
        }
        let shown = read(it, &path(name, "")).await?;
        same("the template", &shown.body, &won[0].body)?;
        same("revisions", number(&shown, "/revision")?, number(&made, "/revision")? + 1.0)?;
        let right = put(it, name, &document(name, "x")).header("if-match", &tag(&shown)?);
        status(&right.send().await?, 200)?;
        let any = put(it, name, &document(name, "y")).header("if-match", "*").send().await?;
        status(&any, 200)?;
        let odd = put(it, name, &document(name, "z")).header("if-match", "y").send().await?;
        fault(&odd, HEADER_INVALID)
    })
    .await
}

async fn many(it: &Subject) -> Outcome {
    with(it, "many", async |name, made| {
        let bodies: Vec<Value> = (0..8).map(|n| document(name, &format!("w{n}"))).collect();
        let replies = join_all(bodies.iter().map(|body| put(it, name, body).send())).await;
        let replies = replies.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut numbers = Vec::new();
        for reply in &replies {
            status(reply, 200)?;
            numbers.push(number(reply, "/revision")? - number(&made, "/revision")?);
        }
        numbers.sort_by(f64::total_cmp);
        same("the revisions", numbers, (1..=8).map(f64::from).collect())
    })
    .await
}

async fn whole(it: &Subject) -> Outcome {
    with(it, "whole", async |name, _| {
        let publishes = async {
            for n in 0..15 {
                let reply = put(it, name, &document(name, &format!("word{n}"))).send().await?;
                status(&reply, 200)?;
            }
            Ok::<(), String>(())
        };
        let starts = async {
            let mut met = Vec::new();
            for _ in 0..30 {
                let reply = it.start(&json!({ "pipeline_template": name })).await?;
                status(&reply, 200)?;
                let steps = &reply.body["pipeline"]["worker_results"];
                let (first, second) = (&steps[0]["data"]["first"], &steps[1]["data"]["second"]);
                demand!(first.is_string() && first == second, "a mixture: {steps}");
                met.push(first.clone());
            }
            met.dedup();
            Ok(met)
        };
        let (published, met) = join(publishes, starts).await;
        published?;
        demand!(!met?.is_empty(), "nothing was started");
        Ok(())
    })
    .await
}

async fn patched(it: &Subject) -> Outcome {
    with(it, "patched", async |name, made| {
        let patch = async |body: Value| {
            it.ask(Method::PATCH, &path(name, "")).by_worker().json(&body).send().await
        };
        let text = patch(json!({ "description": "other", "display_name": "Other" })).await?;
        status(&text, 200)?;
        same("the revision", &text.body["revision"], &made.body["revision"])?;
        same("the text", text.text("/template/description"), "other")?;
        same("the steps", &text.body["template"]["steps"], &made.body["template"]["steps"])?;
        let limit = patch(json!({ "deadline_ms": 5000, "failure_tolerance": "partial" })).await?;
        same("a revision", number(&limit, "/revision")?, number(&made, "/revision")? + 1.0)?;
        let none = patch(json!({ "deadline_ms": null })).await?;
        same("the deadline", &none.body["template"]["deadline_ms"], &Value::Null)?;
        for (body, pointer, code) in [
            (json!({ "steps": [] }), "/steps", "unknown_field"),
            (json!({ "deadline_ms": "soon" }), "/deadline_ms", "type"),
            (json!({ "failure_tolerance": "none" }), "/failure_tolerance", "enum"),
            (json!({ "output_mapping": "=size(" }), "/output_mapping", "expression.malformed"),
        ] {
            let reply = patch(body).await?;
            fault(&reply, REQUEST_INVALID)?;
            violation(&reply, pointer, code)?;
        }
        Ok(())
    })
    .await
}

async fn large(it: &Subject) -> Outcome {
    with(it, "large", async |name, _| {
        let steps: Vec<Value> = (0..500)
            .map(|n| {
                json!({ "step_order": 500 - n, "step_name": format!("s{n}"), "kind": "transform",
                    "input_mapping": { format!("n{n}"): "x".repeat(400) } })
            })
            .collect();
        let reply = put(it, name, &json!({ "steps": steps })).send().await?;
        status(&reply, 200)?;
        let shown = read(it, &path(name, "")).await?;
        let found = list(&shown, "/template/steps")?;
        same("steps", found.len(), 500)?;
        same("the first", found[0]["step_name"].as_str(), Some("s499"))
    })
    .await
}
