//! Performs `POST /generate`: the report from the articles, and the summary from the model where
//! one is bound. It decides nothing about the report itself.

use worker::Env;
use worker_kit::{Call, Model, Reply, Usage, WorkerError, clock};

use crate::assist::Prompt;
use crate::compose::Written;
use crate::contract::GenerateRequest;
use crate::report::Draft;

/// Kept back from the deadline, so that the report can still be written when the model is late.
const ANSWER_MS: i64 = 1_000;

pub async fn generate(call: Call, env: Env) -> Result<Reply, WorkerError> {
    let request: GenerateRequest = call.parse()?;
    let draft = Draft::of(&request);
    let now_ms = clock::now_ms();
    let model = Model::from_env(&env);
    let (Some(model), Some(prompt)) = (model, draft.prompt()) else {
        return Reply::of(&draft.reply(now_ms, None, None));
    };
    let Asked { written, spent, error } = ask(&model, prompt, &draft, call.deadline_ms).await;
    let reply = Reply::of(&draft.reply(now_ms, written.as_ref(), error))?;
    Ok(match spent {
        Some((usage, cost_micro_usd)) => reply.with_usage(usage, cost_micro_usd),
        None => reply,
    })
}

/// What asking the model came to.
struct Asked {
    written: Option<Written>,
    spent: Option<(Usage, u64)>,
    error: Option<String>,
}

async fn ask(model: &Model, prompt: Prompt, draft: &Draft<'_>, deadline_ms: Option<i64>) -> Asked {
    let deadline_ms = deadline_ms.map(|deadline_ms| deadline_ms.saturating_sub(ANSWER_MS));
    let Prompt { system, user, max_tokens } = prompt;
    match model.complete_json(&system, &user, max_tokens, deadline_ms).await {
        Ok((answer, usage, cost_micro_usd)) => {
            let read = draft.read_answer(&answer, &usage.model);
            let spent = Some((usage, cost_micro_usd));
            match read {
                Ok(written) => Asked { written: Some(written), spent, error: None },
                Err(error) => Asked { written: None, spent, error: Some(error) },
            }
        }
        Err(error) => Asked {
            written: None,
            error: Some(format!("{}: {}", error.code, error.message)),
            spent: error.spent.map(|spent| (spent.usage, spent.cost_micro_usd)),
        },
    }
}
