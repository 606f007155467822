//! The tool registry: the calls that clients of the original make, and what becomes of rows that
//! others point to. Each case makes rows of its own and takes them away again.

use reqwest::Method;
use serde_json::{Value, json};

use super::expect::{brief, demand, list, moment, same, status, texts};
use super::{Outcome, Phase, Subject, cases};
use crate::client::Reply;

pub fn phase() -> Phase {
    Phase {
        title: "Tool registry",
        cases: cases![
            "the calls of the original's README do what they did" => readme,
            "both spellings of a path lead to the same" => slashes,
            "ids are accepted in any case" => any_case,
            "what does not fit is listed under detail, with its place" => validation,
            "a schema that is none is refused at its place" => schemas,
            "what is not there is 404, and a name that is taken 409" => absent_and_taken,
            "a change keeps what it does not name" => changes,
            "reading takes a key, writing the right to administer" => rights,
            "a node that tools point to is deleted, and the tools stay" => node_deleted,
            "writes are in the audit log" => audited,
            "replies fit the document" => documented,
        ],
    }
}

/// A node of this pass.
pub(super) async fn node(it: &Subject, state: &str) -> Result<String, String> {
    let body = json!({"node_type": "TOOL_EXECUTOR", "address": "https://tools.example",
        "status": state});
    let reply = post(it, "/nodes/", &body).await?;
    status(&reply, 201)?;
    Ok(reply.text("/node_id").to_owned())
}

/// A tool of this pass, with further fields.
pub(super) async fn tool(it: &Subject, name: &str, more: &Value) -> Result<String, String> {
    let mut body = json!({"name": format!("{name} {}", it.token()), "category": "PROCESSING"});
    let fields = more.as_object().into_iter().flatten();
    fields.for_each(|(name, value)| body[name] = value.clone());
    let reply = post(it, "/tools/", &body).await?;
    status(&reply, 201)?;
    Ok(reply.text("/tool_id").to_owned())
}

pub(super) async fn post(it: &Subject, path: &str, body: &Value) -> Result<Reply, String> {
    it.ask(Method::POST, path).by_worker().json(body).send().await
}

pub(super) async fn read(it: &Subject, path: &str) -> Result<Reply, String> {
    it.get(path).by_client().send().await
}

/// Takes away what a case has made.
pub(super) async fn remove(it: &Subject, paths: &[String]) -> Outcome {
    for path in paths {
        let reply = it.ask(Method::DELETE, path).by_worker().send().await?;
        status(&reply, 204)?;
    }
    Ok(())
}

pub(super) fn ids(reply: &Reply, field: &str) -> Result<Vec<String>, String> {
    Ok(texts(list(reply, "")?, field).into_iter().map(str::to_owned).collect())
}

#[expect(clippy::too_many_lines, reason = "one story, told in the order of the original's page")]
async fn readme(it: &Subject) -> Outcome {
    let node = post(
        it,
        "/nodes/",
        &json!({
            "node_type": "TOOL_EXECUTOR", "address": "192.168.1.100:8080", "status": "ACTIVE",
        }),
    )
    .await?;
    status(&node, 201)?;
    let node_id = node.text("/node_id");
    same("Location", node.header("location"), Some(format!("/nodes/{node_id}").as_str()))?;
    moment(node.text("/created_at"))?;
    let name = format!("sentiment_analyzer {}", it.token());
    let tool = post(
        it,
        "/tools/",
        &json!({
            "name": name, "description": "Analyzes the sentiment of a text", "category": "ANALYSIS",
            "version": "1.0.0", "status": "ENABLED", "target_node_id": node_id,
            "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
            "output_schema": {"type": "object", "properties": {"sentiment": {"type": "string"}}},
        }),
    )
    .await?;
    status(&tool, 201)?;
    let id = tool.text("/tool_id");
    let tag = it.ask(Method::POST, &format!("/tools/{id}/tags/nlp")).by_worker().send().await?;
    status(&tag, 201)?;
    let artifact = post(
        it,
        "/artifacts/",
        &json!({
            "file_name": "analysis.json", "mime_type": "application/json",
            "storage_pointer": "s3://bucket/analysis.json", "size_bytes": 2048,
            "created_by_tool_id": id,
        }),
    )
    .await?;
    status(&artifact, 201)?;
    for (path, field, wanted) in [
        ("/nodes/?skip=0&limit=1000".to_owned(), "node_id", node_id),
        ("/nodes/type/TOOL_EXECUTOR?limit=1000".to_owned(), "node_id", node_id),
        ("/nodes/active/?limit=1000".to_owned(), "node_id", node_id),
        ("/tools/?skip=0&limit=1000".to_owned(), "tool_id", id),
        ("/tools/active/?limit=1000".to_owned(), "tool_id", id),
        ("/tools/category/ANALYSIS?limit=1000".to_owned(), "tool_id", id),
        ("/tools/tags/NLP?limit=1000".to_owned(), "tool_id", id),
        (format!("/artifacts/tool/{id}"), "artifact_id", artifact.text("/artifact_id")),
        ("/artifacts/large/?min_size=2048&limit=1000".to_owned(), "created_by_tool_id", id),
        ("/queries/active-tools-with-nodes?limit=1000".to_owned(), "tool_id", id),
        ("/queries/tools-by-category-with-tags?limit=1000".to_owned(), "tool_id", id),
        ("/queries/node-health-status?limit=1000".to_owned(), "node_id", node_id),
        ("/queries/large-artifacts-by-tool?min_size=1&limit=1000".to_owned(), "tool_id", id),
        (
            "/queries/search-tools-by-schema?input_property=text&output_property=sentiment\
             &limit=1000"
                .to_owned(),
            "tool_id",
            id,
        ),
    ] {
        let reply = read(it, &path).await?;
        status(&reply, 200).map_err(|found| format!("{path}: {found}"))?;
        demand!(ids(&reply, field)?.iter().any(|found| found == wanted), "{path} lacks {wanted}");
    }
    let escaped = name.replace(' ', "%20");
    let found = read(it, &format!("/tools/name/{escaped}")).await?;
    same("the tool by its name", found.text("/tool_id"), id)?;
    same("its tags", &found.body["tags"], &json!(["nlp"]))?;
    let artifact = format!("/artifacts/{}", artifact.text("/artifact_id"));
    remove(it, &[artifact, format!("/tools/{id}"), format!("/nodes/{node_id}")]).await
}

async fn slashes(it: &Subject) -> Outcome {
    for path in ["/nodes", "/tools", "/artifacts", "/tools/active", "/stats/summary"] {
        let (with, without) = (read(it, &format!("{path}/")).await?, read(it, path).await?);
        same(path, with.status, 200)?;
        same(path, without.status, 200)?;
    }
    // Not whatever path is asked for.
    status(&read(it, "/nodes/none/").await?, 422)
}

async fn any_case(it: &Subject) -> Outcome {
    let id = node(it, "INACTIVE").await?;
    let upper = read(it, &format!("/nodes/{}", id.to_uppercase())).await?;
    same("the id", upper.text("/node_id"), &id)?;
    let tool = tool(it, "any case", &json!({"target_node_id": id.to_uppercase()})).await?;
    let shown = read(it, &format!("/tools/{tool}")).await?;
    same("target_node_id", shown.text("/target_node_id"), &id)?;
    remove(it, &[format!("/tools/{tool}"), format!("/nodes/{id}")]).await
}

/// The reply is a 422 that names this place and kind.
fn invalid(reply: &Reply, loc: &Value, kind: &str) -> Outcome {
    status(reply, 422)?;
    let found = list(reply, "/detail")?;
    let at = found.iter().find(|item| &item["loc"] == loc && item["type"] == kind);
    let message = at.and_then(|item| item["msg"].as_str()).unwrap_or_default();
    demand!(!message.is_empty(), "no {kind} at {loc}: {}", brief(&reply.body["detail"]));
    same("violations", list(reply, "/violations")?.len(), found.len())?;
    demand!(!reply.text("/error").is_empty() && !reply.text("/code").is_empty(), "no error form");
    Ok(())
}

async fn validation(it: &Subject) -> Outcome {
    let reply = post(it, "/nodes/", &json!({"node_type": "ROBOT", "adress": "x"})).await?;
    invalid(&reply, &json!(["body", "address"]), "missing")?;
    invalid(&reply, &json!(["body", "node_type"]), "enum")?;
    invalid(&reply, &json!(["body", "adress"]), "extra_forbidden")?;
    let long = json!({"name": "x".repeat(101), "category": "ANALYSIS"});
    invalid(&post(it, "/tools/", &long).await?, &json!(["body", "name"]), "string_too_long")?;
    let negative = json!({"file_name": "a", "size_bytes": -1});
    let reply = post(it, "/artifacts/", &negative).await?;
    invalid(&reply, &json!(["body", "size_bytes"]), "greater_than_equal")?;
    for (path, loc, kind) in [
        ("/nodes/not-a-uuid", json!(["path", "node_id"]), "uuid_parsing"),
        ("/tools/not-a-uuid", json!(["path", "tool_id"]), "uuid_parsing"),
        ("/nodes/type/ROBOT", json!(["path", "node_type"]), "enum"),
        ("/tools/category/other", json!(["path", "category"]), "enum"),
        ("/tools/?limit=1001", json!(["query", "limit"]), "less_than_equal"),
        ("/tools/?skip=-1", json!(["query", "skip"]), "greater_than_equal"),
        ("/tools/?cursor=x", json!(["query", "cursor"]), "cursor"),
        ("/tools/?page=2", json!(["query", "page"]), "extra_forbidden"),
        ("/artifacts/large/?min_size=big", json!(["query", "min_size"]), "type_error"),
    ] {
        let reply = read(it, path).await?;
        invalid(&reply, &loc, kind).map_err(|found| format!("{path}: {found}"))?;
    }
    let unknown = json!({"name": "x", "category": "STORAGE", "target_node_id": NOBODY});
    invalid(&post(it, "/tools/", &unknown).await?, &json!(["body", "target_node_id"]), "unknown")?;
    let unknown = json!({"file_name": "x", "created_by_tool_id": NOBODY});
    let reply = post(it, "/artifacts/", &unknown).await?;
    invalid(&reply, &json!(["body", "created_by_tool_id"]), "unknown")
}

/// An id that nothing has.
pub(super) const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

async fn schemas(it: &Subject) -> Outcome {
    for (schema, pointer) in [
        (json!({"type": "strnig"}), "/input_schema/type"),
        (json!({"properties": {"a": {"minimum": "1"}}}), "/input_schema/properties/a/minimum"),
        (json!({"$ref": "https://remote.example/s.json"}), "/input_schema/$ref"),
        (json!({"items": {"$ref": "#"}}), "/input_schema/items/$ref"),
    ] {
        let body = json!({"name": "x", "category": "ANALYSIS", "input_schema": schema});
        let reply = post(it, "/tools/", &body).await?;
        status(&reply, 422)?;
        let found = list(&reply, "/violations")?;
        demand!(texts(found, "pointer").contains(&pointer), "{pointer}: {}", brief(&reply.body));
    }
    Ok(())
}

async fn absent_and_taken(it: &Subject) -> Outcome {
    for path in [
        format!("/nodes/{NOBODY}"),
        format!("/tools/{NOBODY}"),
        format!("/artifacts/{NOBODY}"),
        "/tools/name/nobody%20has%20this".to_owned(),
    ] {
        let reply = read(it, &path).await?;
        status(&reply, 404)?;
        same("code", reply.text("/code"), "resource.not_found")?;
        demand!(reply.body["detail"].is_string(), "detail: {}", brief(&reply.body));
    }
    let (first, second) = (tool(it, "one", &json!({})).await?, tool(it, "two", &json!({})).await?);
    let taken = json!({"name": format!("one {}", it.token()), "category": "ANALYSIS"});
    let again = post(it, "/tools/", &taken).await?;
    let path = format!("/tools/{second}");
    let rename = it.ask(Method::PUT, &path).by_worker().json(&json!({"name": taken["name"]}));
    for reply in [again, rename.send().await?] {
        status(&reply, 409)?;
        same("code", reply.text("/code"), "resource.exists")?;
        demand!(reply.text("/detail").contains("one "), "detail: {}", brief(&reply.body));
    }
    remove(it, &[format!("/tools/{first}"), path.clone()]).await?;
    let gone = it.ask(Method::DELETE, &path).by_worker().send().await?;
    status(&gone, 404)
}

async fn changes(it: &Subject) -> Outcome {
    let node = node(it, "ACTIVE").await?;
    let id = tool(it, "changed", &json!({"description": "a", "target_node_id": node})).await?;
    let path = format!("/tools/{id}");
    let put = |body: Value| it.ask(Method::PUT, &path).by_worker().json(&body).send();
    let changed = put(json!({"version": "2.0.0", "status": "DEPRECATED"})).await?;
    status(&changed, 200)?;
    same("version", changed.text("/version"), "2.0.0")?;
    same("description", changed.text("/description"), "a")?;
    same("target_node_id", changed.text("/target_node_id"), &node)?;
    let cleared = put(json!({"description": null, "target_node_id": null})).await?;
    same("description", &cleared.body["description"], &Value::Null)?;
    same("target_node_id", &cleared.body["target_node_id"], &Value::Null)?;
    same("status", cleared.text("/status"), "DEPRECATED")?;
    let node_path = format!("/nodes/{node}");
    let ask = it.ask(Method::PUT, &node_path).by_worker().json(&json!({"status": "MAINTENANCE"}));
    let changed = ask.send().await?;
    same("status", changed.text("/status"), "MAINTENANCE")?;
    same("address", changed.text("/address"), "https://tools.example")?;
    remove(it, &[path.clone(), node_path.clone()]).await
}

async fn rights(it: &Subject) -> Outcome {
    status(&it.get("/nodes/").send().await?, 401)?;
    let body = json!({"node_type": "TOOL_EXECUTOR", "address": "x"});
    status(&it.ask(Method::POST, "/nodes/").json(&body).send().await?, 401)?;
    let reply = it.ask(Method::POST, "/nodes/").by_client().json(&body).send().await?;
    status(&reply, 403)?;
    same("code", reply.text("/code"), "auth.scope_missing")?;
    status(&it.get("/nodes/").by_worker().send().await?, 200)
}

async fn node_deleted(it: &Subject) -> Outcome {
    let node = node(it, "ACTIVE").await?;
    let id = tool(it, "left alone", &json!({"target_node_id": node})).await?;
    remove(it, &[format!("/nodes/{node}")]).await?;
    let tool = read(it, &format!("/tools/{id}")).await?;
    status(&tool, 200)?;
    same("target_node_id", &tool.body["target_node_id"], &Value::Null)?;
    let without = read(it, "/maintenance/tools-without-nodes?limit=1000").await?;
    demand!(ids(&without, "tool_id")?.contains(&id), "it is not among the tools without nodes");
    remove(it, &[format!("/tools/{id}")]).await
}

async fn audited(it: &Subject) -> Outcome {
    let id = tool(it, "logged", &json!({})).await?;
    status(&it.ask(Method::POST, &format!("/tools/{id}/tags/x")).by_worker().send().await?, 201)?;
    remove(it, &[format!("/tools/{id}")]).await?;
    let log = it.get(&format!("/admin/audit-log?subject={id}")).by_worker().send().await?;
    let mut changes = texts(list(&log, "/entries")?, "change");
    changes.sort_unstable();
    same("the changes", changes, vec!["tool.created", "tool.deleted", "tool.tagged"])
}

async fn documented(it: &Subject) -> Outcome {
    let document = it.document().await?;
    let node = post(it, "/nodes/", &json!({"node_type": "STORAGE_NODE", "address": "x"})).await?;
    document.check("POST", "/nodes", &node)?;
    let id = tool(it, "documented", &json!({})).await?;
    document.check("GET", "/tools/{tool_id}", &read(it, &format!("/tools/{id}")).await?)?;
    document.check("POST", "/nodes", &post(it, "/nodes/", &json!({})).await?)?;
    let absent = read(it, &format!("/tools/{NOBODY}")).await?;
    document.check("GET", "/tools/{tool_id}", &absent)?;
    document.check("GET", "/nodes", &read(it, "/nodes?limit=0").await?)?;
    for operation in document.operations() {
        let path = operation.path;
        let ours = operation.value["tags"] == json!(["tools"]);
        if ours && operation.method == "GET" && !path.contains('{') {
            document.check("GET", path, &read(it, path).await?)?;
        }
    }
    remove(it, &[format!("/tools/{id}"), format!("/nodes/{}", node.text("/node_id"))]).await
}
