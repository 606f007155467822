//! An OpenAI-compatible chat model that lives in the test's process. It answers what the reference
//! workers ask for from what they send, counts tokens, and remembers every call; it can be told to
//! refuse or to answer nonsense.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// How the model calls itself.
pub const NAME: &str = "test-model-1";
/// What it says of every angle and every article, so that its part in an output can be seen.
pub const MARK: &str = "as the test model sees it";

/// How it behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// It does what it is asked for.
    #[default]
    Willing,
    /// It answers with words that are no JSON, and counts them.
    Rambling,
    /// It refuses with 503.
    Down,
}

/// One call that it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The `Authorization` header.
    pub authorization: String,
    /// The model that was asked for.
    pub model: String,
    /// Tokens that it said it read.
    pub input_tokens: u64,
    /// Tokens that it said it wrote.
    pub output_tokens: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct ChatModel {
    url: String,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ChatModel {
    /// Starts to serve on a free port of the loopback interface.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let url = format!("http://{address}/v1");
        let model = Self { url, mood: Arc::default(), asked: Arc::default() };
        let router =
            Router::new().route("/v1/chat/completions", post(complete)).with_state(model.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        model
    }

    /// What `LLM_BASE_URL` is set to.
    pub fn base_url(&self) -> &str {
        &self.url
    }

    /// Changes how it behaves.
    pub fn behave(&self, mood: Mood) {
        *self.mood.lock().expect("no holder panics") = mood;
    }

    /// The calls since this was last asked.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("no holder panics"))
    }
}

async fn complete(
    State(model): State<ChatModel>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let mood = *model.mood.lock().expect("no holder panics");
    let question = text(&body["messages"][1]["content"]);
    let answer = match mood {
        Mood::Down => None,
        Mood::Rambling => Some("I would rather talk about the weather.".to_owned()),
        Mood::Willing => Some(answer(&question).to_string()),
    };
    let read = body["messages"].to_string();
    let asked = Asked {
        authorization: authorization.unwrap_or_default().to_owned(),
        model: text(&body["model"]),
        input_tokens: tokens(&read),
        output_tokens: answer.as_deref().map_or(0, tokens),
    };
    model.asked.lock().expect("no holder panics").push(asked.clone());
    let Some(content) = answer else {
        let error = json!({ "error": { "message": "the model is down", "type": "unavailable" } });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response();
    };
    let Asked { input_tokens, output_tokens, .. } = asked;
    Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": NAME,
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": content },
        }],
        "usage": {
            "prompt_tokens": input_tokens, "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens,
        },
    }))
    .into_response()
}

/// What the question of a reference worker asks for, which its fields tell.
fn answer(question: &str) -> Value {
    let question: Value = serde_json::from_str(question).unwrap_or_default();
    let topic = question["topic"].as_str().unwrap_or_default();
    if let Some(count) = question["number_of_angles"].as_u64() {
        let angle = |n| {
            json!({
                "title": format!("{topic}, side {n}, {MARK}"), "query": format!("{topic} {n}"),
                "keywords": [topic, "research", "companies", "policy"],
            })
        };
        return json!({ "angles": (1..=count).map(angle).collect::<Vec<_>>() });
    }
    let articles = question["articles"].as_array().map(Vec::as_slice).unwrap_or_default();
    if articles.iter().any(|article| article["n"].is_u64()) {
        let judged = articles.iter().map(|article| {
            json!({
                "n": article["n"], "relevance": 0.75, "category": "science", "sentiment": 0.5,
            })
        });
        return json!({ "articles": judged.collect::<Vec<_>>() });
    }
    let cited: Vec<&Value> = articles.iter().take(2).map(|article| &article["id"]).collect();
    let text = format!("The articles agree about {topic}, {MARK}.");
    json!({ "summary": [{ "text": text, "article_ids": cited }] })
}

/// About four characters make a token.
fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}
