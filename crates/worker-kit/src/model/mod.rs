//! Owns the way to a chat model: which one is configured, what is asked, what the answer cost. What
//! decides is in [`prices`] and [`wire`]; `client` talks to the platform. It must not know what the
//! model is asked for.

mod client;
pub mod prices;
pub mod wire;

use serde_json::Value;
use worker::Env;

use crate::error::WorkerError;
use crate::reply::Usage;
use crate::vars;
use prices::Prices;

/// A configured chat model.
#[derive(Clone, Debug)]
pub struct Model {
    route: ModelRoute,
    model: Option<String>,
    prices: Prices,
}

/// Where the model is.
#[derive(Clone)]
enum ModelRoute {
    /// The binding `AI` of Workers AI.
    WorkersAi(Env),
    /// An OpenAI-compatible endpoint.
    Endpoint { base_url: String, api_key: Option<String> },
}

impl Model {
    /// The model of this environment, if one is configured: the endpoint `LLM_BASE_URL` (with
    /// `LLM_API_KEY` and `LLM_MODEL` where it wants them), else the binding `AI` with `LLM_MODEL`.
    pub fn from_env(env: &Env) -> Option<Model> {
        let model = vars::text(env, "LLM_MODEL");
        let route = match vars::text(env, "LLM_BASE_URL") {
            Some(base_url) => {
                ModelRoute::Endpoint { base_url, api_key: vars::text(env, "LLM_API_KEY") }
            }
            None if model.is_some() && env.ai("AI").is_ok() => ModelRoute::WorkersAi(env.clone()),
            None => return None,
        };
        let prices = Prices::read(
            vars::text(env, "LLM_INPUT_USD_PER_MTOK").as_deref(),
            vars::text(env, "LLM_OUTPUT_USD_PER_MTOK").as_deref(),
        );
        Some(Model { route, model, prices })
    }

    /// Asks for one JSON object. Gives it with the usage and the price in micro-USD. The call ends
    /// before `deadline_ms` (Unix ms). An error carries what had been spent, in `spent`.
    pub async fn complete_json(
        &self,
        system: &str,
        user: &str,
        max_tokens: u32,
        deadline_ms: Option<i64>,
    ) -> Result<(Value, Usage, u64), WorkerError> {
        client::complete(self, &wire::Prompt { system, user, max_tokens }, deadline_ms).await
    }
}

/// Never shows the key.
impl std::fmt::Debug for ModelRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ModelRoute::WorkersAi(_) => f.write_str("WorkersAi"),
            ModelRoute::Endpoint { base_url, .. } => write!(f, "Endpoint({base_url})"),
        }
    }
}
