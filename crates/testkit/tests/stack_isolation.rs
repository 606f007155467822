//! Accounts are strangers to each other: every endpoint of the OpenAPI document is asked for what
//! belongs to one account with the key of another, and shows and changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::stack::{Stack, StateDir, WORKER_SHARED_SECRET, key_hash, wanted};

const OWNER_KEY: &str = "bwk_ownerownerownerownerownerownerownerownerown";
const STRANGER_KEY: &str = "bwk_strangerstrangerstrangerstrangerstrangerstr";
/// What stands in everything that the owner has.
const MARK: &str = "zanzibar";
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom what an endpoint names in its path belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// An account: another one does not find it.
    Account,
    /// The installation: only its operator may.
    Operator,
    /// Nobody: everybody may look.
    Everybody,
}

/// What the first name of a path means, for paths that begin so: whom it belongs to, and one that
/// is there. A path that has a name and is not here fails the test: add it.
const NAMED: [(&str, Holder, &str); 26] = [
    ("/pipeline/{id}", Holder::Account, "of the execution"),
    ("/admin/audit-log/{id}", Holder::Account, "zanzibar-entry"),
    ("/admin/api-keys/{id}", Holder::Account, "zanzibar-key"),
    ("/admin/users/{user_id}", Holder::Account, "zanzibar-user"),
    ("/admin/alerts/{id}", Holder::Account, "zanzibar-alert"),
    ("/admin/accounts/{id}", Holder::Operator, "owner"),
    ("/admin/workers/{name}", Holder::Operator, "topic_researcher"),
    ("/admin/templates/{name}", Holder::Operator, "basic_research_pipeline"),
    ("/docs/assets/{file}", Holder::Everybody, "swagger.js"),
    ("/templates/{name}", Holder::Everybody, "basic_research_pipeline"),
    ("/api/v1/collab/tasks/{task_id}", Holder::Account, "zanzibar-task"),
    ("/api/v1/agents/{id}", Holder::Account, "zanzibar-agent"),
    ("/api/v1/prompts/{id}", Holder::Account, "zanzibar-prompt"),
    ("/api/v1/agent-logs/{id}", Holder::Account, "zanzibar-entry"),
    ("/api/v1/system-logs/{id}", Holder::Account, "zanzibar-line"),
    ("/api/v1/chat/{id}", Holder::Account, "zanzibar-message"),
    ("/api/v1/events/{id}", Holder::Account, "990001"),
    ("/api/v1/jobs/{job_id}", Holder::Account, JOB),
    ("/nodes/{node_id}", Holder::Account, NODE),
    ("/tools/{tool_id}", Holder::Account, TOOL),
    ("/artifacts/{artifact_id}", Holder::Account, ARTIFACT),
    ("/tools/name/{tool_name}", Holder::Account, "zanzibar"),
    // Lists of the caller's own account, whatever is named.
    ("/artifacts/tool/{tool_id}", Holder::Everybody, TOOL),
    ("/nodes/type/{node_type}", Holder::Everybody, "TOOL_EXECUTOR"),
    ("/tools/category/{category}", Holder::Everybody, "ANALYSIS"),
    ("/tools/tags/{tag_search}", Holder::Everybody, "zanzibar"),
];
const NODE: &str = "0193a1c2-0000-7000-8000-0000000000a1";
const TOOL: &str = "0193a1c2-0000-7000-8000-0000000000a2";
const JOB: &str = "0193a1c2-0000-7000-8000-0000000000a4";
const ARTIFACT: &str = "0193a1c2-0000-7000-8000-0000000000a3";

/// One endpoint of the document.
struct Endpoint {
    method: Method,
    path: String,
    body: Option<Value>,
    streams: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_keeps_the_accounts_apart() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("isolation");
    state.execute(&rows());
    let stack = Stack::start(&state, &[]);
    let owner = Client::new(stack.url(), OWNER_KEY, WORKER_SHARED_SECRET);
    let stranger = Client::new(stack.url(), STRANGER_KEY, WORKER_SHARED_SECRET);
    let execution = execution_of(&owner).await;
    own_things(&owner).await;

    let document = owner.get("/openapi.json").await.expect("the document").body;
    let endpoints = endpoints(&document);
    assert!(endpoints.len() >= 26, "only {} endpoints", endpoints.len());
    let mut failures = Vec::new();
    let mut shown = 0;
    for endpoint in &endpoints {
        let place = format!("{} {}", endpoint.method, endpoint.path);
        let Some((holder, path)) = named(&endpoint.path, &execution) else {
            failures.push(format!("{place}: not in the table of this test"));
            continue;
        };
        // A stream of an account's own rows has no end: tests/agents.rs holds it to the account.
        if endpoint.streams && holder.is_none() {
            continue;
        }
        let reply = ask(&stranger, endpoint, &path).await;
        let refused = matches!(reply.status, 401 | 403 | 404);
        if !refused && matches!(holder, Some(Holder::Account | Holder::Operator)) {
            failures.push(format!("{place}: a stranger gets {} {}", reply.status, reply.body));
        }
        // A refusal may repeat the name that was asked for; nothing else may be told.
        let told = reply.body.to_string().replace(&path, "");
        if !refused && (told.contains(MARK) || told.contains(&execution)) {
            failures.push(format!("{place}: a stranger is shown {}", reply.body));
        }
        if reply.body.to_string().contains(&format!("topic {MARK}")) {
            failures.push(format!("{place}: a stranger is told {}", reply.body));
        }
        if endpoint.method == Method::GET && !endpoint.streams {
            let own = match holder {
                Some(Holder::Operator) => as_operator(&owner, &path).await,
                Some(Holder::Account | Holder::Everybody) | None => {
                    ask(&owner, endpoint, &path).await
                }
            };
            let found = (200..300).contains(&own.status);
            if holder.is_some() && !found {
                failures.push(format!("{place}: its own account gets {} {}", own.status, own.body));
            }
            shown += usize::from(found && own.body.to_string().contains(MARK));
        }
    }
    assert!(failures.is_empty(), "accounts are not apart:\n  {}", failures.join("\n  "));
    assert!(shown >= 5, "only {shown} endpoints show the owner what a stranger must not see");
    let after = owner.execution(&execution).await.expect("an answer");
    assert_eq!(after.text("/pipeline/status"), "completed", "{}", after.body);
    same_request_is_another_execution(&stranger, &execution).await;
    let revoked = owner.get("/pipeline-history").await.expect("an answer");
    assert_eq!(revoked.status, 200, "the owner's key still serves: {}", revoked.body);
}

/// Two accounts, each with a key that may do everything within it, and things of the first.
fn rows() -> String {
    let all = r#"["execute","read","admin"]"#;
    let nobody = ".".repeat(53);
    let (owner, stranger, spare) = (key_hash(OWNER_KEY), key_hash(STRANGER_KEY), key_hash(MARK));
    format!(
        "INSERT INTO accounts (id, name) VALUES ('owner', 'Owner'), ('stranger', 'Stranger');
         INSERT INTO api_keys (id, account_id, name, key_hash, scopes) VALUES
           ('owner-key', 'owner', '{MARK}', '{owner}', '{all}'),
           ('zanzibar-key', 'owner', '{MARK}', '{spare}', '{all}'),
           ('stranger-key', 'stranger', '', '{stranger}', '{all}');
         INSERT INTO users
           (user_id, account_id, email, email_key, name, name_key, password_hash, role)
           VALUES ('zanzibar-user', 'owner', 'ada@{MARK}.example', 'ada@{MARK}.example',
             'topic {MARK}', 'topic {MARK}', '$2b$04${nobody}', 'viewer');
         INSERT INTO performance_alerts
           (id, account_id, kind, severity, subject_type, subject, message, metric, observed,
            threshold)
           VALUES ('zanzibar-alert', 'owner', 'cost_spike', 'warning', 'account', 'owner',
             'topic {MARK}', 'cost_usd', 2, 1);
         INSERT INTO audit_log (id, account_id, actor_type, actor, change, subject_type, subject)
           VALUES ('zanzibar-entry', 'owner', 'api_key', 'owner-key', 'api_key.issued', 'api_key',
             'topic {MARK}');
         INSERT INTO nodes (node_id, account_id, node_type, address)
           VALUES ('{NODE}', 'owner', 'TOOL_EXECUTOR', 'https://{MARK}.example');
         INSERT INTO tools (tool_id, account_id, name, description, category, target_node_id)
           VALUES ('{TOOL}', 'owner', 'zanzibar', 'topic {MARK}', 'ANALYSIS', '{NODE}');
         INSERT INTO tool_tags (account_id, tag_name, tool_id)
           VALUES ('owner', 'zanzibar', '{TOOL}');
         INSERT INTO artifacts (artifact_id, account_id, file_name, storage_pointer, size_bytes,
             created_by_tool_id)
           VALUES ('{ARTIFACT}', 'owner', 'topic {MARK}', 's3://x', 1, '{TOOL}');
         INSERT INTO tasks (task_id, account_id, title, created_by)
           VALUES ('zanzibar-task', 'owner', 'topic {MARK}', 'key:owner-key');
         INSERT INTO agents (id, account_id, name, model)
           VALUES ('zanzibar-agent', 'owner', 'topic {MARK}', 'm');
         INSERT INTO prompts (id, account_id, author, prompt_text, timestamp)
           VALUES ('zanzibar-prompt', 'owner', 'engineer', 'topic {MARK}', '2026-11-21');
         INSERT INTO agent_logs
           (id, account_id, agent_id, event_category, event_type, content, timestamp)
           VALUES ('zanzibar-entry', 'owner', 'zanzibar-agent', 'hook', 'Stop', 'topic {MARK}',
             '2026-11-21');
         INSERT INTO system_logs (id, account_id, level, message, timestamp)
           VALUES ('zanzibar-line', 'owner', 'INFO', 'topic {MARK}', '2026-11-21');
         INSERT INTO orchestrator_chat
           (id, account_id, sender_type, receiver_type, message, timestamp)
           VALUES ('zanzibar-message', 'owner', 'user', 'orchestrator', 'topic {MARK}',
             '2026-11-21');
         INSERT INTO jobs (id, account_id, title, created_by)
           VALUES ('{JOB}', 'owner', 'topic {MARK}', 'key:owner-key');
         INSERT INTO events (id, account, topic, event_type, payload)
           VALUES (990001, 'owner', 'custom', 'zanzibar.done', '\"topic {MARK}\"');"
    )
}

fn request() -> Value {
    json!({ "topic": format!("topic {MARK}"), "pipeline_template": "basic_research_pipeline" })
}

/// A completed execution of the owner's.
async fn execution_of(owner: &Client) -> String {
    let begun = owner.orchestrate_once("zanzibar-1", &request()).await.expect("an answer");
    assert_eq!(begun.status, 200, "{}", begun.body);
    let id = begun.text("/pipeline_id").to_owned();
    owner.wait_for_end(&id, PATIENCE).await.expect("it ends");
    id
}

/// What cannot be made by a row alone.
async fn own_things(owner: &Client) {
    let put = |path: String| owner.as_client(owner.request(Method::PUT, &path));
    let content = put(format!("/artifacts/{ARTIFACT}/content")).body(format!("topic {MARK}"));
    let terms = put(format!("/tools/{TOOL}/terms")).json(&json!({ "estimated_cost_usd": 0.01 }));
    for request in [content.header("content-type", "text/plain"), terms] {
        let reply = owner.send(request).await.expect("an answer");
        assert!((200..300).contains(&reply.status), "{}", reply.body);
    }
}

/// Neither the idempotency key nor the stored result of another account leads to its execution.
async fn same_request_is_another_execution(stranger: &Client, execution: &str) {
    let reply = stranger.orchestrate_once("zanzibar-1", &request()).await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_ne!(reply.text("/pipeline_id"), execution);
    assert_eq!(reply.body["cache_hit"], false, "{}", reply.body);
    let other = json!({ "topic": "else", "pipeline_template": "basic_research_pipeline" });
    let reply = stranger.orchestrate_once("zanzibar-1", &other).await.expect("an answer");
    assert_eq!(reply.status, 409, "its own key is its own: {}", reply.body);
}

/// Every endpoint, gentle ones first, so that nothing is taken away before it was looked at.
fn endpoints(document: &Value) -> Vec<Endpoint> {
    let paths = document["paths"].as_object().expect("a document has paths");
    let mut found: Vec<Endpoint> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(move |(method, operation)| Endpoint {
                method: method.to_ascii_uppercase().parse().expect("a method"),
                path: path.clone(),
                body: example(document, operation),
                streams: !operation["responses"]["200"]["content"]["text/event-stream"].is_null(),
            })
        })
        .collect();
    found.sort_by_key(|it| (it.method != Method::GET, it.method == Method::DELETE));
    found
}

/// A body that fits, so that a refusal is about whose it is.
fn example(document: &Value, operation: &Value) -> Option<Value> {
    let media = operation["requestBody"]["content"].get("application/json")?;
    let own = [&media["example"], &media["schema"]["example"], &media["schema"]["examples"][0]];
    if let Some(own) = own.into_iter().find(|example| !example.is_null()) {
        return Some(own.clone());
    }
    let reference = media["schema"]["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    let schema = reference.and_then(|pointer| document.pointer(pointer));
    let found = schema.map(|schema| [&schema["example"], &schema["examples"][0]]);
    let found = found.into_iter().flatten().find(|example| !example.is_null());
    Some(found.cloned().unwrap_or_else(|| json!({})))
}

/// The path with names in it that are there, and whom they belong to; `None` when nobody said.
fn named(path: &str, execution: &str) -> Option<(Option<Holder>, String)> {
    if !path.contains('{') {
        return Some((None, path.to_owned()));
    }
    let begins = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    let (prefix, holder, name) = NAMED.iter().find(|(prefix, ..)| begins(prefix))?;
    let name = if prefix.starts_with("/pipeline/") { execution } else { name };
    let (stem, _) = prefix.split_once('{')?;
    let rest = &path[prefix.len()..];
    // What else is named stands below the first one, which decides.
    let rest: Vec<&str> = rest
        .split('/')
        .map(|part| match part {
            "{step}" => "topic_research",
            "{revision}" => "1",
            part if part.starts_with('{') => "go",
            part => part,
        })
        .collect();
    let query = if path.ends_with("/diff") { "?from=1&to=1" } else { "" };
    Some((Some(*holder), format!("{stem}{name}{}{query}", rest.join("/"))))
}

async fn ask(client: &Client, endpoint: &Endpoint, path: &str) -> Reply {
    let request = client.as_client(client.request(endpoint.method.clone(), path));
    let request = match &endpoint.body {
        Some(body) => request.header("X-Fence", "1").json(body),
        None => request,
    };
    client.send(request).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn as_operator(client: &Client, path: &str) -> Reply {
    let request = client.as_worker(client.request(Method::GET, path));
    client.send(request).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The table has no line that no endpoint needs, once the endpoint is there.
#[test]
fn the_table_names_each_beginning_once() {
    let prefixes: BTreeSet<&str> = NAMED.iter().map(|(prefix, ..)| *prefix).collect();
    assert_eq!(prefixes.len(), NAMED.len());
    let unknown = named("/nothing/{id}/known", "pipe_1");
    assert!(unknown.is_none(), "{unknown:?}");
    let step = named("/pipeline/{id}/steps/{step}/complete", "pipe_1");
    let path = "/pipeline/pipe_1/steps/topic_research/complete".to_owned();
    assert_eq!(step, Some((Some(Holder::Account), path)));
}
