//! Performs `POST /analyze`: the lexicons judge first, then the model where one is bound. It
//! decides nothing about articles itself.

use worker::Env;
use worker_kit::{Call, Model, Reply, WorkerError};

use crate::analysis;
use crate::contract::AnalyzeRequest;
use crate::judgement;

/// Kept back from the deadline, so that the lexicons' judgement is answered when the model is late.
const ANSWER_MS: i64 = 1_000;

pub async fn analyze(call: Call, env: Env) -> Result<Reply, WorkerError> {
    let mut request: AnalyzeRequest = call.parse()?;
    analysis::name_articles(&mut request.articles);
    let mut scored = analysis::analyze(&request);
    let Some(model) = Model::from_env(&env) else {
        return Reply::of(&analysis::reply(&request, &scored, None));
    };
    let deadline_ms = call.deadline_ms.map(|deadline_ms| deadline_ms.saturating_sub(ANSWER_MS));
    let ask = async |prompt: judgement::Prompt| {
        let judgement::Prompt { system, user, max_tokens } = prompt;
        model.complete_json(&system, &user, max_tokens, deadline_ms).await
    };
    let outcome = judgement::refine(&request.topic, &request.articles, &mut scored, ask).await;
    let reply = Reply::of(&analysis::reply(&request, &scored, outcome.error))?;
    Ok(match outcome.usage {
        Some(usage) => reply.with_usage(usage, outcome.cost_micro_usd),
        None => reply,
    })
}
