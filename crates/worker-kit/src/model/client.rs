//! Talks to a chat model through the platform. It decides nothing: the JSON is `wire`'s, the price
//! `prices`'. Cannot run on the host.

use serde_json::Value;
use url::Url;
use worker::js_sys::{Function, JSON, Promise, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

use super::wire::{Prompt, completions_url, refusal_text};
use super::{Model, ModelRoute};
use crate::error::WorkerError;
use crate::outbound::{Door, Exchange, Limits, Outgoing, exchange};
use crate::reply::Usage;
use crate::{clock, deadline};

/// The longest that one answer is waited for.
const MODEL_MS_MAX: u32 = 60_000;
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

pub(super) async fn complete(
    model: &Model,
    prompt: &Prompt<'_>,
    deadline_ms: Option<i64>,
) -> Result<(Value, Usage, u64), WorkerError> {
    let Some(limit_ms) = deadline::allowance_ms(MODEL_MS_MAX, deadline_ms, clock::now_ms()) else {
        return Err(WorkerError::deadline("No time was left to ask the model"));
    };
    let name = model.model.as_deref();
    let body = match &model.route {
        ModelRoute::Endpoint { base_url, api_key } => {
            let sent = Sent { base_url, api_key: api_key.as_deref(), prompt, model, limit_ms };
            sent.to_endpoint().await?
        }
        ModelRoute::WorkersAi(env) => {
            let input = prompt.to_json(None);
            let asked = run_workers_ai(env, name.unwrap_or_default(), &input);
            match clock::within(limit_ms, asked).await {
                Some(answer) => {
                    answer.map_err(|text| WorkerError::upstream("model.unreachable", text))?
                }
                None => return Err(silent(model, prompt, limit_ms)),
            }
        }
    };
    let answer = prompt.read_answer(name, &body);
    let mut usage = answer.usage;
    let cost_micro_usd = model.prices.charge(&mut usage);
    match answer.value {
        Some(value) => Ok((value, usage, cost_micro_usd)),
        None => Err(WorkerError::upstream("model.bad_answer", "The model gave no JSON object")
            .with_spent(usage, cost_micro_usd)),
    }
}

struct Sent<'s> {
    base_url: &'s str,
    api_key: Option<&'s str>,
    prompt: &'s Prompt<'s>,
    model: &'s Model,
    limit_ms: u32,
}

impl Sent<'_> {
    async fn to_endpoint(&self) -> Result<Value, WorkerError> {
        // The operator chose this address, so it may be a local one.
        let url = Url::parse(&completions_url(self.base_url))
            .map_err(|_| WorkerError::internal("model.not_configured", "LLM_BASE_URL is no URL"))?;
        let bearer = self.api_key.map(|key| format!("Bearer {key}"));
        let mut headers =
            vec![("content-type", "application/json"), ("accept", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let body = self.prompt.to_json(self.model.model.as_deref()).to_string();
        let outgoing = Outgoing { headers: &headers, body: Some(&body) };
        let limits = Limits {
            time_ms: self.limit_ms,
            body_bytes: ANSWER_BYTES_MAX,
            redirects: 0,
            allow_local: true,
        };
        match exchange(Door::Network, &url, outgoing, &limits).await {
            Ok(answer) => read(&answer),
            Err(fault) if fault.code == "fetch.timeout" => {
                Err(silent(self.model, self.prompt, self.limit_ms))
            }
            Err(fault) => Err(WorkerError::upstream("model.unreachable", fault.message)),
        }
    }
}

fn read(answer: &Exchange) -> Result<Value, WorkerError> {
    if !(200..300).contains(&answer.status) {
        let text = format!("status {} {}", answer.status, refusal_text(&answer.body));
        return Err(WorkerError {
            retryable: Some(matches!(answer.status, 408 | 425 | 429 | 500..)),
            retry_after_s: answer.header("retry-after").and_then(|text| text.parse().ok()),
            ..WorkerError::upstream("model.refused", text.trim_end())
        });
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| WorkerError::upstream("model.bad_answer", "The model's answer is no JSON"))
}

/// What was sent may have been read and billed, so it counts as spent.
fn silent(model: &Model, prompt: &Prompt<'_>, limit_ms: u32) -> WorkerError {
    let mut usage = prompt.usage_without_answer(model.model.as_deref());
    let cost_micro_usd = model.prices.charge(&mut usage);
    WorkerError::upstream("model.timeout", format!("No answer within {limit_ms} ms"))
        .with_spent(usage, cost_micro_usd)
}

/// Calls the binding with plain objects: its typed wrapper would turn maps into ES6 `Map`s, which
/// arrive as `{}`.
async fn run_workers_ai(env: &worker::Env, model: &str, input: &Value) -> Result<Value, String> {
    let binding: JsValue = env.ai("AI").map_err(|error| error.to_string())?.into();
    let run: Function = Reflect::get(&binding, &"run".into())
        .ok()
        .and_then(|run| run.dyn_into().ok())
        .ok_or_else(|| "the binding AI has no function run".to_owned())?;
    let input = JSON::parse(&input.to_string()).map_err(|error| text_of(&error))?;
    let promise: Promise = run
        .call2(&binding, &model.into(), &input)
        .map_err(|error| text_of(&error))?
        .dyn_into()
        .map_err(|_| "the binding AI gave no promise".to_owned())?;
    let output = JsFuture::from(promise).await.map_err(|error| text_of(&error))?;
    let text = JSON::stringify(&output).map_err(|error| text_of(&error))?;
    serde_json::from_str(&String::from(text)).map_err(|error| error.to_string())
}

fn text_of(error: &JsValue) -> String {
    Reflect::get(error, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .unwrap_or_else(|| format!("{error:?}"))
}
