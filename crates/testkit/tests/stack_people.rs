//! People at work on the real stack, from end to end: one signs in, makes a job with a pipeline and
//! watches it over `/ws`; another approves what it waits for; the trail says who did what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod sockets;

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sockets::Socket;
use testkit::client::{Client, Reply};
use testkit::stack::{Stack, StateDir, wanted};

const PASSWORD: &str = "correct horse battery";
const LOOKS: usize = 150;

const ROWS: &str = "
  INSERT INTO pipeline_templates (name) VALUES ('release');
  INSERT INTO pipeline_steps
    (template_name, step_order, step_name, kind, depends_on_steps, input_mapping, config)
  VALUES
    ('release', 1, 'gate', 'wait', '[]', NULL,
     '{\"approval\": {\"title\": \"Release?\", \"forbid_self_approval\": true}}'),
    ('release', 2, 'last', 'transform', '[\"gate\"]', '{\"topic\": \"$.topic\"}', NULL);";

/// Somebody who has signed in.
struct Person<'s> {
    client: &'s Client,
    id: String,
    token: String,
}

impl Person<'_> {
    async fn ask(&self, method: Method, path: &str, body: &Value) -> Reply {
        let request = self.client.request(method, path).bearer_auth(&self.token);
        self.client.send(request.json(body)).await.unwrap()
    }

    async fn read(&self, path: &str) -> Reply {
        let request = self.client.request(Method::GET, path).bearer_auth(&self.token);
        self.client.send(request).await.unwrap()
    }
}

/// Signs in with the form of the original's clients.
async fn signed_in<'s>(client: &'s Client, id: &str, email: &str) -> Person<'s> {
    let form =
        format!("username={}&password={}", email.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    let request = client.request(Method::POST, "/auth/login").body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let reply = client.send(request).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    Person { client, id: id.to_owned(), token: reply.text("/access_token").to_owned() }
}

async fn by_operator(client: &Client, path: &str, body: &Value) -> Reply {
    let request = client.as_worker(client.request(Method::POST, path)).json(body);
    client.send(request).await.unwrap()
}

/// What the job's owner is told of it until it ends.
async fn followed(socket: &mut Socket, job: &str) -> Vec<String> {
    let mut told = Vec::new();
    while told.last().map(String::as_str) != Some("job.completed") {
        let event = socket.of_type("event").await;
        if event["event"]["subject"] == job {
            told.push(event["event"]["type"].as_str().unwrap().to_owned());
        }
    }
    told
}

async fn task_of(person: &Person<'_>, execution: &str) -> Value {
    let path = format!("/api/v1/collab/state/tasks?pipeline_id={execution}&status=open");
    for _ in 0..LOOKS {
        let found = person.read(&path).await.body["tasks"][0].clone();
        if found.is_object() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{execution} asks nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_begins_a_job_and_another_approves_it() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("people");
    state.execute(ROWS);
    let stack = Stack::start(&state, &["BCRYPT_COST=4"]);
    let client = stack.client();
    let first = json!({ "email": "ada@example.com", "password": PASSWORD });
    let first = by_operator(&client, "/auth/bootstrap", &first).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let second = json!({ "email": "bob@example.com", "password": PASSWORD, "role": "user" });
    let second = by_operator(&client, "/admin/users", &second).await;
    assert_eq!(second.status, 201, "{}", second.body);
    let ada = signed_in(&client, first.text("/user_id"), "ada@example.com").await;
    let bob = signed_in(&client, second.text("/user_id"), "bob@example.com").await;

    let bearer = format!("Bearer {}", ada.token);
    let mut socket = Socket::open(&stack, "/ws", &[("authorization", &bearer)]).await.unwrap();
    socket.of_type("welcome").await;
    socket.subscribe("mine", "jobs", None).await;
    let body = json!({ "title": "Release", "pipeline_template": "release", "topic": "tides" });
    let made = ada.ask(Method::POST, "/api/v1/jobs", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (job, execution) = (made.text("/id").to_owned(), made.text("/pipeline_id").to_owned());

    let task = task_of(&bob, &execution).await;
    assert_eq!(task["title"], "Release?");
    let path = format!("/api/v1/collab/tasks/{}/complete", task["task_id"].as_str().unwrap());
    let own = ada.ask(Method::POST, &path, &json!({ "approved": true })).await;
    assert_eq!((own.status, own.text("/code")), (403, "task.self_approval"), "{}", own.body);
    let waits = ada.read(&format!("/api/v1/jobs/{job}")).await;
    assert_eq!(waits.text("/status"), "waiting", "{}", waits.body);
    let approved = bob.ask(Method::POST, &path, &json!({ "approved": true })).await;
    assert_eq!(approved.status, 200, "{}", approved.body);

    let told = followed(&mut socket, &job).await;
    assert_eq!(told.first().map(String::as_str), Some("job.created"), "{told:?}");
    assert!(told.contains(&"job.waiting".to_owned()), "{told:?}");
    let ended = ada.read(&format!("/api/v1/jobs/{job}")).await;
    assert_eq!(ended.text("/status"), "completed", "{}", ended.body);

    let trail = ada.read("/admin/audit-log?limit=200").await;
    let entries = trail.body["entries"].as_array().unwrap();
    let said: BTreeSet<(&str, &str)> = entries
        .iter()
        .filter_map(|entry| Some((entry["change"].as_str()?, entry["actor"].as_str()?)))
        .collect();
    println!("{said:?}");
    let by = |who: &str, change: &str| {
        said.iter().any(|(found, actor)| *found == change && actor.ends_with(who))
    };
    assert!(by(&ada.id, "security.signed_in") && by(&bob.id, "security.signed_in"), "{said:?}");
    assert!(by(&ada.id, "job.created"), "{said:?}");
    assert!(by(&bob.id, "task.completed"), "{said:?}");
}
