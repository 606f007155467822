//! Documents in which something is wrong, and callers who may not.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SCOPE_MISSING, document, path, post, read};
use crate::suite::expect::{
    BODY_TOO_LARGE, JSON_MALFORMED, REQUEST_INVALID, WORKER_REQUIRED, demand, fault, list, number,
    same, status, template_unknown, texts, violation,
};
use crate::suite::subject::BASIC;
use crate::suite::{Outcome, Subject};

/// A document in which much is wrong, in steps that stand in another order.
fn bad(name: &str) -> Value {
    json!({
        "name": name, "deadline_ms": "soon", "surplus": 1,
        "steps": [
            { "step_order": 9, "step_name": "late", "worker_name": "nobody_has_this_name",
              "condition": "size(", "timeout_ms": -1 },
            { "step_order": 1, "step_name": "early", "kind": "transform",
              "depends_on_steps": ["late", "early", "unknown"], "config": { "odd": true } },
            { "step_order": 2, "step_name": "middle", "kind": "dance" },
            7,
        ],
    })
}

const WRONG: [(&str, &str); 10] = [
    ("/deadline_ms", "type"),
    ("/surplus", "unknown_field"),
    ("/steps/0/worker_name", "worker.unknown"),
    ("/steps/0/condition", "expression.malformed"),
    ("/steps/0/timeout_ms", "minimum"),
    ("/steps/1/depends_on_steps/1", "step.depends_on_itself"),
    ("/steps/1/depends_on_steps/2", "step.unknown_dependency"),
    ("/steps/1/config/odd", "config.unknown_field"),
    ("/steps/2/kind", "enum"),
    ("/steps/3", "type"),
];

pub(super) async fn wrong(it: &Subject) -> Outcome {
    let name = format!("suite_{}_wrong", it.token());
    let refused = post(it, "/admin/templates", &bad(&name)).await?;
    fault(&refused, REQUEST_INVALID)?;
    for (pointer, code) in WRONG {
        violation(&refused, pointer, code)?;
    }
    let cyclic = json!({ "name": name, "steps": [
        { "step_order": 1, "step_name": "a", "kind": "transform", "input_mapping": {},
          "depends_on_steps": ["b"] },
        { "step_order": 2, "step_name": "b", "kind": "transform", "input_mapping": {},
          "depends_on_steps": ["a"] },
    ] });
    let refused = post(it, "/admin/templates", &cyclic).await?;
    fault(&refused, REQUEST_INVALID)?;
    let codes = texts(list(&refused, "/violations")?, "code");
    same("violations", codes, vec!["template.cycle"])?;
    template_unknown(&read(it, &path(&name, "")).await?, &name)
}

pub(super) async fn validated(it: &Subject) -> Outcome {
    let name = format!("suite_{}_validated", it.token());
    let told = post(it, &path(&name, "/validate"), &bad(&name)).await?;
    status(&told, 200)?;
    same("valid", &told.body["valid"], &json!(false))?;
    for (pointer, code) in WRONG {
        violation(&told, pointer, code)?;
    }
    let total = number(&told, "/violations_total")?;
    same("how many", total as usize, list(&told, "/violations")?.len())?;
    let odd = json!({ "is_active": false, "steps": [{
        "step_order": 1, "step_name": "a", "worker_name": "topic_researcher",
        "endpoint": "/elsewhere", "fallback_worker": "topic_researcher",
    }] });
    let told = post(it, &path(&name, "/validate"), &odd).await?;
    same("valid", &told.body["valid"], &json!(true))?;
    demand!(told.text("/content_hash").len() == 64, "no hash: {}", told.body);
    let warned = texts(list(&told, "/warnings")?, "code");
    for code in ["template.inactive", "worker.unlisted_endpoint", "step.same_fallback"] {
        demand!(warned.contains(&code), "no {code} in {warned:?}");
    }
    template_unknown(&read(it, &path(&name, "")).await?, &name)
}

pub(super) async fn garbage(it: &Subject) -> Outcome {
    let send = async |body: String| {
        it.ask(Method::POST, "/admin/templates").by_worker().body(body).send().await
    };
    fault(&send("{\"steps\": [".to_owned()).await?, JSON_MALFORMED)?;
    fault(&send("[".repeat(5000)).await?, JSON_MALFORMED)?;
    let long = format!("{{\"name\": \"x\", \"description\": \"{}\"}}", "x".repeat(1 << 20));
    fault(&send(long).await?, BODY_TOO_LARGE)?;
    for (body, pointer, code) in [
        ("[]", "", "type"),
        ("{}", "/steps", "required"),
        ("{\"name\":\"t\",\"steps\":[]}", "/steps", "template.no_steps"),
        ("{\"name\":\"1\",\"steps\":[]}", "/name", "name.malformed"),
        ("{\"steps\":[{\"step_name\":\"a\"}]}", "/steps/0/step_order", "required"),
        ("{\"steps\":[{\"step_order\":1e400}]}", "", ""),
    ] {
        let reply = send(body.to_owned()).await?;
        if code.is_empty() {
            fault(&reply, JSON_MALFORMED)?;
            continue;
        }
        fault(&reply, REQUEST_INVALID)?;
        violation(&reply, pointer, code)?;
    }
    let levels = format!("{}1{}", "[".repeat(110), "]".repeat(110));
    let deep = format!(
        "{{\"name\":\"t\",\"steps\":[{{\"step_order\":1,\"step_name\":\"a\",\
         \"kind\":\"transform\",\"input_mapping\":{levels}}}]}}"
    );
    let reply = send(deep).await?;
    fault(&reply, REQUEST_INVALID)?;
    let odd = read(it, &path("no%20pe%27", "")).await?;
    template_unknown(&odd, "no pe'")
}

pub(super) async fn operators_only(it: &Subject) -> Outcome {
    let name = path(BASIC, "");
    for method in [Method::GET, Method::DELETE] {
        fault(&it.ask(method.clone(), &name).send().await?, WORKER_REQUIRED)?;
        fault(&it.ask(method, &name).by_client().send().await?, SCOPE_MISSING)?;
    }
    let body = document("never", "x");
    for path in ["/admin/templates", &path(BASIC, "/validate"), &path(BASIC, "/clone")] {
        fault(&it.ask(Method::POST, path).json(&body).send().await?, WORKER_REQUIRED)?;
        fault(&it.ask(Method::POST, path).by_client().json(&body).send().await?, SCOPE_MISSING)?;
    }
    Ok(())
}
