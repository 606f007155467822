//! Tasks on the real stack: a hundred writers of one task, approvals by a second person, no way
//! around what an approval says, and kills wherever one could be lost.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::stack::{Stack, StateDir, WORKER_SHARED_SECRET, key_hash, wanted};

const ADA: &str = "bwk_adaadaadaadaadaadaadaadaadaadaadaadaadaadaa";
const BOB: &str = "bwk_bobbobbobbobbobbobbobbobbobbobbobbobbobbobb";
const EVE: &str = "bwk_eveeveeveeveeveeveeveeveeveeveeveeveeveevee";
const STRANGER: &str = "bwk_strangerstrangerstrangerstrangerstrangerstr";
const VARS: [&str; 2] = ["MAX_CONCURRENT_PIPELINES=64", "LEASE_SECONDS=1"];
const WRITERS: usize = 100;
/// A writer that is overtaken so often has been starved.
const ROUNDS_MAX: usize = 400;
const LOOKS: usize = 150;

/// Three keys of one account and one of another, and a template that waits for Bob.
fn rows() -> String {
    let all = r#"["execute","read"]"#;
    let keys = [("ada", "acme", ADA), ("bob", "acme", BOB), ("eve", "acme", EVE)];
    let keys = keys.iter().chain(&[("stranger", "other", STRANGER)]);
    let keys: Vec<String> = keys
        .map(|(id, account, key)| {
            format!("('{id}', '{account}', '{id}', '{}', '{all}')", key_hash(key))
        })
        .collect();
    let approval = json!({
        "title": "Release?", "candidates": ["key:bob", "key:ada"], "forbid_self_approval": true,
        "form": {
            "type": "object", "required": ["note", "score"], "additionalProperties": false,
            "properties": {"note": {"type": "string"}, "score": {"type": "integer", "minimum": 1}},
        },
        "due_ms": 1, "escalation": {"after_ms": 1, "candidates": ["key:eve"]},
    });
    let timed = json!({"approval": {"title": "In time?"}, "timeout_ms": 1_500});
    format!(
        "INSERT INTO accounts (id, name) VALUES ('acme', 'Acme'), ('other', 'Other');
         INSERT INTO api_keys (id, account_id, name, key_hash, scopes) VALUES {};
         INSERT INTO pipeline_templates (name) VALUES ('guarded'), ('timed');
         INSERT INTO pipeline_steps
           (template_name, step_order, step_name, kind, depends_on_steps, input_mapping, config)
         VALUES
           ('guarded', 1, 'release', 'wait', '[]', NULL, '{}'),
           ('guarded', 2, 'last', 'transform', '[\"release\"]', '{{\"said\": \"$.note\"}}', NULL),
           ('timed', 1, 'gate', 'wait', '[]', NULL, '{timed}');",
        keys.join(", "),
        json!({"approval": approval, "timeout_ms": 600_000}),
    )
}

struct People {
    ada: Client,
    bob: Client,
    eve: Client,
}

impl People {
    fn of(stack: &Stack) -> Self {
        let with = |key: &str| Client::new(stack.url(), key, WORKER_SHARED_SECRET);
        Self { ada: with(ADA), bob: with(BOB), eve: with(EVE) }
    }
}

async fn ask(client: &Client, method: Method, path: &str, body: &Value) -> Reply {
    let request = client.as_client(client.request(method, path)).json(body);
    client.send(request).await.unwrap()
}

async fn post(client: &Client, path: &str, body: &Value) -> Reply {
    ask(client, Method::POST, path, body).await
}

async fn begin(client: &Client, template: &str) -> String {
    let body = json!({ "topic": "tides", "pipeline_template": template, "async": true });
    let begun = client.orchestrate(&body).await.unwrap();
    assert!(matches!(begun.status, 200 | 202), "{}", begun.body);
    begun.text("/pipeline_id").to_owned()
}

/// The tasks of an execution, as soon as one stands so.
async fn task_of(client: &Client, id: &str, status: &str) -> Value {
    let path = format!("/api/v1/collab/state/tasks?pipeline_id={id}");
    let mut last = Value::Null;
    for _ in 0..LOOKS {
        last = client.get(&path).await.unwrap().body;
        let tasks = last["tasks"].as_array().cloned().unwrap_or_default();
        if let Some(task) = tasks.into_iter().find(|task| task["status"] == status) {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("no task of {id} is {status}: {last}");
}

fn place(task: &Value) -> String {
    format!("/api/v1/collab/tasks/{}", task["task_id"].as_str().unwrap())
}

async fn ended(client: &Client, id: &str) -> Reply {
    client.wait_for_end(id, Duration::from_secs(60)).await.unwrap()
}

fn count(state: &StateDir, sql: &str) -> u64 {
    state.query(&format!("SELECT count(*) AS n FROM {sql}"))[0]["n"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writers_win_one_version_each_and_lose_no_update() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("task-writers");
    state.execute(&rows());
    let stack = Stack::start(&state, &VARS);
    let ada = People::of(&stack).ada;
    let made = post(&ada, "/api/v1/collab/tasks", &json!({ "title": "Count" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = place(&made.body);
    let writers = (0..WRITERS).map(|n| write(&ada, &path, n));
    let won: Vec<(u64, usize)> = join_all(writers).await;
    let versions: BTreeSet<u64> = won.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (2..=WRITERS as u64 + 1).collect(), "each version has one winner");
    let overtaken: usize = won.iter().map(|(_, overtaken)| overtaken).sum();
    let is = ada.get(&path).await.unwrap().body;
    assert_eq!(is["version"], WRITERS + 1);
    let written = is["metadata"].as_object().unwrap();
    assert_eq!(written.len(), WRITERS, "no update is lost");
    assert!((0..WRITERS).all(|n| written[&format!("w{n}")] == n));
    assert!(overtaken > 0, "they met");
    let id = made.text("/task_id");
    let logged = format!("audit_log WHERE subject = '{id}' AND change = 'task.updated'");
    assert_eq!(count(&state, &logged), WRITERS as u64);
    println!("{WRITERS} writers, {overtaken} overtaken");
}

/// Adds its own field, however often others are quicker; the version that it won, and how often
/// they were.
async fn write(client: &Client, path: &str, n: usize) -> (u64, usize) {
    let mut version = 1;
    for round in 0..ROUNDS_MAX {
        let patch = json!({ "version": version, "metadata": { (format!("w{n}")): n } });
        let reply = ask(client, Method::PATCH, path, &patch).await;
        match reply.status {
            200 => return (reply.body["version"].as_u64().unwrap(), round),
            409 => {
                assert_eq!(reply.text("/code"), "task.version_conflict");
                let current = reply.body["current"]["version"].as_u64().unwrap();
                assert!(current > version, "{}", reply.body);
                version = current;
            }
            _ => panic!("{}: {}", reply.status, reply.body),
        }
    }
    panic!("writer {n} was overtaken {ROUNDS_MAX} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_around_what_an_approval_says() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("task-approval");
    state.execute(&rows());
    let stack = Stack::start(&state, &VARS);
    let People { ada, bob, eve } = People::of(&stack);
    let id = begin(&ada, "guarded").await;
    let task = task_of(&ada, &id, "open").await;
    let path = place(&task);
    let why = ada.get(&format!("/pipeline/{id}/why")).await.unwrap().body;
    assert_eq!(why["steps"][0]["task"]["task_id"], task["task_id"], "{why}");
    assert_eq!(why["steps"][0]["task"]["candidates"], json!(["key:bob", "key:ada"]));

    let yes = json!({ "approved": true, "data": { "note": "fine", "score": 3 } });
    let complete = format!("{path}/complete");
    let signal = format!("/pipeline/{id}/signal/release");
    for (who, path, status, code) in [
        (&ada, &complete, 403, "task.self_approval"),
        (&eve, &complete, 403, "task.not_candidate"),
        (&ada, &signal, 409, "approval.by_task"),
        (&bob, &signal, 409, "approval.by_task"),
    ] {
        let reply = post(who, path, &yes).await;
        assert_eq!((reply.status, reply.text("/code")), (status, code), "{}", reply.body);
    }
    let stranger = Client::new(stack.url(), STRANGER, WORKER_SHARED_SECRET);
    for reply in [post(&stranger, &complete, &yes).await, stranger.get(&path).await.unwrap()] {
        assert_eq!(reply.status, 404, "{}", reply.body);
    }
    let patched = json!({ "version": task["version"], "candidates": ["key:eve"] });
    let patched = ask(&eve, Method::PATCH, &path, &patched).await;
    assert_eq!((patched.status, patched.text("/code")), (409, "task.of_execution"));
    let removed = ask(&eve, Method::DELETE, &path, &json!({})).await;
    assert_eq!((removed.status, removed.text("/code")), (409, "task.of_execution"));

    let bad = json!({ "approved": true, "data": { "score": 0, "x": 1 } });
    let bad = post(&bob, &complete, &bad).await;
    let found = bad.body["violations"].as_array().unwrap();
    let pointers: Vec<&str> = found.iter().map(|v| v["pointer"].as_str().unwrap()).collect();
    assert_eq!((bad.status, pointers), (422, vec!["/data/note", "/data/score", "/data/x"]));

    let done = post(&bob, &complete, &yes).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"), "{}", done.body);
    assert_eq!(done.body["result"], json!({ "note": "fine", "score": 3, "approved": true }));
    let end = ended(&ada, &id).await;
    assert_eq!(end.text("/pipeline/status"), "completed", "{}", end.body);
    let last = end.body["pipeline"]["worker_results"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["data"], json!({ "said": "fine" }));
    let again = post(&bob, &complete, &yes).await;
    assert_eq!((again.status, &again.body), (200, &done.body), "asked again, nothing changes");
    let other = json!({ "approved": false });
    let late = post(&bob, &complete, &other).await;
    assert_eq!((late.status, late.text("/code")), (409, "task.closed"));
    let subject = task["task_id"].as_str().unwrap();
    let logged = format!("audit_log WHERE subject = '{subject}' AND actor = 'bob'");
    assert_eq!(count(&state, &logged), 1);

    let restarted = post(&bob, &format!("/pipeline/{id}/restart"), &json!({})).await;
    let again = restarted.text("/pipeline_id").to_owned();
    let task = task_of(&ada, &again, "open").await;
    let own = post(&bob, &format!("{}/complete", place(&task)), &yes).await;
    assert_eq!(own.text("/code"), "task.self_approval", "who restarts it began it");
    let given = post(&ada, &format!("{}/complete", place(&task)), &yes).await;
    assert_eq!(given.status, 200, "{}", given.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_survives_kills_and_takes_effect_once() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("task-kills");
    state.execute(&rows());
    let mut stack = Stack::start(&state, &VARS);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(begin(&People::of(&stack).ada, "guarded").await);
        // Some are killed before their task stands in the database.
        stack.kill();
        stack = stack.again();
    }
    let people = People::of(&stack);
    let mut tasks = Vec::new();
    for id in &ids {
        tasks.push(task_of(&people.ada, id, "open").await);
    }
    let yes = json!({ "approved": true, "data": { "note": "fine", "score": 3 } });
    for task in &tasks {
        let bob = People::of(&stack).bob;
        let path = format!("{}/complete", place(task));
        let request = bob.as_client(bob.request(Method::POST, &path)).json(&yes);
        let reply = bob.send(request.header("Prefer", "respond-async")).await.unwrap();
        assert!(matches!(reply.status, 200 | 202), "{}", reply.body);
        stack.kill();
        stack = stack.again();
    }
    let people = People::of(&stack);
    for (id, task) in ids.iter().zip(&tasks) {
        let end = ended(&people.ada, id).await;
        assert_eq!(end.text("/pipeline/status"), "completed", "{}", end.body);
        let done = task_of(&people.ada, id, "completed").await;
        assert_eq!(done["task_id"], task["task_id"]);
        assert_eq!(done["completed_by"], "key:bob");
        assert_eq!(done["result"], json!({ "note": "fine", "score": 3, "approved": true }));
        let subject = done["task_id"].as_str().unwrap();
        for (table, expected) in [
            (format!("tasks WHERE pipeline_id = '{id}'"), 1),
            (format!("events WHERE subject = '{subject}' AND event_type = 'task.completed'"), 1),
            (format!("events WHERE subject = '{subject}' AND event_type = 'task.created'"), 1),
            (format!("audit_log WHERE subject = '{subject}'"), 1),
        ] {
            assert_eq!(count(&state, &table), expected, "{table}");
        }
        let again = post(&people.bob, &format!("{}/complete", place(task)), &yes).await;
        assert_eq!(again.status, 200, "{}", again.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_the_execution_close_tasks_and_time_gives_them_to_others() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("task-time");
    state.execute(&rows());
    let stack = Stack::start(&state, &VARS);
    let People { ada, bob, eve } = People::of(&stack);
    let (guarded, timed) = (begin(&ada, "guarded").await, begin(&ada, "timed").await);
    let task = task_of(&ada, &guarded, "open").await;
    let claimed = post(&bob, &format!("{}/claim", place(&task)), &json!({})).await;
    assert_eq!((claimed.status, claimed.text("/status")), (200, "claimed"), "{}", claimed.body);
    for _ in 0..2 {
        assert!(stack.fire_cron().await);
    }
    let late = ada.get(&place(&task)).await.unwrap().body;
    assert!(late["overdue_at"].is_string() && late["escalation"]["escalated_at"].is_string());
    assert_eq!((&late["status"], &late["claimed_by"]), (&json!("open"), &Value::Null), "{late}");
    let named: BTreeSet<&str> =
        late["candidates"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(named, BTreeSet::from(["key:ada", "key:bob", "key:eve"]));
    let subject = task["task_id"].as_str().unwrap();
    for told in ["task.overdue", "task.escalated"] {
        let told = format!("events WHERE subject = '{subject}' AND event_type = '{told}'");
        assert_eq!(count(&state, &told), 1, "{told}");
    }
    let no = json!({ "approved": false });
    let withheld = post(&eve, &format!("{}/complete", place(&task)), &no).await;
    assert_eq!((withheld.status, &withheld.body["result"]), (200, &json!({ "approved": false })));
    let end = ended(&ada, &guarded).await;
    assert_eq!(end.text("/pipeline/status"), "failed", "{}", end.body);
    let retried = post(&ada, &format!("/pipeline/{guarded}/retry"), &json!({})).await;
    assert!(matches!(retried.status, 200 | 202), "{}", retried.body);
    let second = task_of(&ada, &guarded, "open").await;
    assert_eq!((&second["generation"], second["task_id"] == task["task_id"]), (&json!(2), false));
    let cancelled = post(&ada, &format!("/pipeline/{guarded}/cancel"), &json!({})).await;
    assert!(matches!(cancelled.status, 200 | 202), "{}", cancelled.body);
    task_of(&ada, &guarded, "cancelled").await;
    task_of(&ada, &timed, "expired").await;

    let open = begin(&ada, "timed").await;
    let (gate, yes) = (format!("/pipeline/{open}/signal/gate"), json!({ "approved": true }));
    let signal = post(&ada, &gate, &yes).await;
    assert!(matches!(signal.status, 200 | 202), "nothing says who may give it");
    let done = task_of(&ada, &open, "completed").await;
    assert_eq!(done["completed_by"], "key:ada");
}
