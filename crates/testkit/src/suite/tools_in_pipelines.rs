//! Tools that are called: terms, invocations, and what is refused. The node is the orchestrator
//! itself, whose plan of a template is as good an answer as any; an installation that cannot call
//! itself says so, and the cases are content with that.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{KEY_REQUIRED, REQUEST_INVALID, demand, fault, list, same, status, violation};
use super::subject::{BASIC, NOBODY};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

const INVOKE: &str = "/tools/{tool_id}/invoke";
const TERMS: &str = "/tools/{tool_id}/terms";
/// What says that the platform keeps an installation from calling itself.
const AWAY: [&str; 3] = ["cannot be reached", "is refused", "status 5"];

pub fn phase() -> Phase {
    Phase {
        title: "Tools that are called",
        cases: cases![
            "a tool has a price when somebody says so" => terms,
            "terms that do not fit are refused" => bad_terms,
            "a tool is called at its node, and its answer is checked" => called,
            "an input that does not fit is not sent" => bad_input,
            "an output that does not fit fails and names the property" => bad_output,
            "a tool whose node is away is not called" => away,
            "a tool that nobody has is 404" => unknown,
            "an invocation wants a key" => credentials,
        ],
    }
}

/// A node and a tool that last for a case.
struct Registered {
    node: String,
    tool: String,
}

async fn created(it: &Subject, path: &str, body: &Value, id: &str) -> Result<String, String> {
    let reply = it.ask(Method::POST, path).by_worker().json(body).send().await?;
    status(&reply, 201)?;
    Ok(reply.body[id].as_str().unwrap_or_default().to_owned())
}

impl Registered {
    async fn new(it: &Subject, name: &str, more: Value) -> Result<Self, String> {
        let address = format!("{}/templates/{BASIC}/plan", it.client().url());
        let node = json!({"node_type": "TOOL_EXECUTOR", "address": address, "status": "ACTIVE"});
        let node = created(it, "/nodes/", &node, "node_id").await?;
        let mut tool = json!({
            "name": format!("suite {name} {}", it.token()), "category": "ANALYSIS",
            "target_node_id": node,
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            tool[field] = value.clone();
        }
        let tool = created(it, "/tools/", &tool, "tool_id").await?;
        Ok(Self { node, tool })
    }

    async fn priced(it: &Subject, name: &str, more: Value) -> Result<Self, String> {
        let registered = Self::new(it, name, more).await?;
        let path = format!("/tools/{}/terms", registered.tool);
        let body = json!({"estimated_cost_usd": 0, "max_retries": 0});
        let reply = it.ask(Method::PUT, &path).by_worker().json(&body).send().await?;
        status(&reply, 200)?;
        Ok(registered)
    }

    async fn invoke(&self, it: &Subject, body: &Value) -> Result<Reply, String> {
        let path = format!("/tools/{}/invoke", self.tool);
        let reply = it.ask(Method::POST, &path).by_client().json(body).send().await?;
        it.document().await?.check("POST", INVOKE, &reply)?;
        Ok(reply)
    }

    async fn remove(self, it: &Subject) -> Outcome {
        for path in [format!("/tools/{}", self.tool), format!("/nodes/{}", self.node)] {
            let reply = it.ask(Method::DELETE, &path).by_worker().send().await?;
            demand!(reply.status < 300, "DELETE {path} is {}", reply.status);
        }
        Ok(())
    }
}

async fn terms(it: &Subject) -> Outcome {
    let registered = Registered::new(it, "terms", json!({})).await?;
    let path = format!("/tools/{}/terms", registered.tool);
    let none = it.get(&path).by_client().send().await?;
    status(&none, 200)?;
    it.document().await?.check("GET", TERMS, &none)?;
    same("no price", &none.body["estimated_cost_usd"], &Value::Null)?;
    let refused = registered.invoke(it, &json!({})).await?;
    same("without a price", refused.status, 409)?;
    same("code", refused.text("/code"), "tool.not_callable")?;
    violation(&refused, "/estimated_cost", "tool.unpriced")?;
    let body = json!({"estimated_cost_usd": 0.25, "breaker": {"failures": 2}});
    let set = it.ask(Method::PUT, &path).by_worker().json(&body).send().await?;
    status(&set, 200)?;
    it.document().await?.check("PUT", TERMS, &set)?;
    same("the price", &set.body["estimated_cost_usd"], &json!(0.25))?;
    let dear = registered.invoke(it, &json!({"budget_limit": 0.1})).await?;
    same("more than the budget", dear.status, 402)?;
    registered.remove(it).await
}

async fn bad_terms(it: &Subject) -> Outcome {
    let registered = Registered::new(it, "bad terms", json!({})).await?;
    let path = format!("/tools/{}/terms", registered.tool);
    for (body, pointer, code) in [
        (json!({}), "/estimated_cost_usd", "required"),
        (json!({"estimated_cost_usd": -1}), "/estimated_cost_usd", "minimum"),
        (json!({"estimated_cost_usd": 0, "timeout_ms": 0}), "/timeout_ms", "minimum"),
        (json!({"estimated_cost_usd": 0, "price": 1}), "/price", "unknown_field"),
    ] {
        let reply = it.ask(Method::PUT, &path).by_worker().json(&body).send().await?;
        fault(&reply, REQUEST_INVALID)?;
        violation(&reply, pointer, code)?;
    }
    registered.remove(it).await
}

/// Whether the installation could call itself at all.
fn could_call(reply: &Reply) -> bool {
    reply.status != 502 || !AWAY.iter().any(|text| reply.text("/detail").contains(text))
}

async fn called(it: &Subject) -> Outcome {
    let schema = json!({"output_schema": {"type": "object", "required": ["template"]}});
    let registered = Registered::priced(it, "called", schema).await?;
    let body = json!({"input": {"topic": it.token()}});
    let path = format!("/tools/{}/invoke", registered.tool);
    let ask = || it.ask(Method::POST, &path).by_client().header("Idempotency-Key", it.token());
    let reply = ask().json(&body).send().await?;
    if could_call(&reply) {
        status(&reply, 200)?;
        it.document().await?.check("POST", INVOKE, &reply)?;
        same("its output", &reply.body["output"]["template"], &json!(BASIC))?;
        same("its artifacts", list(&reply, "/artifacts")?.len(), 0)?;
        let again = ask().json(&body).send().await?;
        same("the same call", again.text("/pipeline_id"), reply.text("/pipeline_id"))?;
        let shown = it.shown(reply.text("/pipeline_id")).await?;
        same("its step", shown.text("/pipeline/worker_results/0/status"), "succeeded")?;
    }
    registered.remove(it).await
}

async fn bad_input(it: &Subject) -> Outcome {
    let schema = json!({"input_schema": {
        "type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}},
    }});
    let registered = Registered::priced(it, "input", schema).await?;
    for (body, code) in [(json!({}), "required"), (json!({"input": {"topic": 7}}), "type")] {
        let reply = registered.invoke(it, &body).await?;
        fault(&reply, REQUEST_INVALID)?;
        violation(&reply, "/input/topic", code)?;
    }
    registered.remove(it).await
}

async fn bad_output(it: &Subject) -> Outcome {
    let schema = json!({"output_schema": {"properties": {"template": {"type": "integer"}}}});
    let registered = Registered::priced(it, "output", schema).await?;
    let reply = registered.invoke(it, &json!({"input": {"topic": "x"}})).await?;
    same("status", reply.status, 502)?;
    if could_call(&reply) {
        let detail = reply.text("/detail");
        let named = detail.contains("tool.output_invalid") && detail.contains("/template");
        demand!(named, "the detail is {detail:?}");
    }
    registered.remove(it).await
}

async fn away(it: &Subject) -> Outcome {
    let registered = Registered::priced(it, "away", json!({})).await?;
    let path = format!("/nodes/{}", registered.node);
    let body = json!({"status": "MAINTENANCE"});
    let reply = it.ask(Method::PUT, &path).by_worker().json(&body).send().await?;
    status(&reply, 200)?;
    let refused = registered.invoke(it, &json!({})).await?;
    same("status", refused.status, 409)?;
    let told = list(&refused, "/violations")?;
    same("the code", told[0]["code"].as_str(), Some("tool.unavailable"))?;
    let message = told[0]["message"].as_str().unwrap_or_default();
    demand!(message.contains("MAINTENANCE"), "the message is {message:?}");
    registered.remove(it).await
}

async fn unknown(it: &Subject) -> Outcome {
    for id in [NOBODY, "00000000-0000-4000-8000-000000000000"] {
        let path = format!("/tools/{id}/invoke");
        let reply = it.ask(Method::POST, &path).by_client().json(&json!({})).send().await?;
        same("status", reply.status, 404)?;
        same("code", reply.text("/code"), "resource.not_found")?;
    }
    Ok(())
}

async fn credentials(it: &Subject) -> Outcome {
    let reply = it.ask(Method::POST, "/tools/x/invoke").json(&json!({})).send().await?;
    fault(&reply, KEY_REQUIRED)
}
