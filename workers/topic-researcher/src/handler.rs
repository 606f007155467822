//! Owns the way from a call to a reply: the model and the pages are asked at the same time, and
//! what they do not give, rules and catalogue do.

use worker::Env;
use worker_kit::{Call, Model, Reply, Usage, WorkerError, vars};

use crate::angles::{self, Angle};
use crate::research::{Learned, ResearchInput, assemble};
use crate::{info, library, plan, visit};

pub(crate) async fn handle(call: Call, env: Env) -> Result<Reply, WorkerError> {
    if call.path != info::RESEARCH {
        let message = format!("no operation {}", call.path);
        return Err(WorkerError::internal("operation.unknown", message));
    }
    let input: ResearchInput = call.parse()?;
    let catalogue = library::catalogue(vars::flag(&env, "FEEDS_OFFLINE"));
    let pages = input.pages();
    let (planned, visited) = futures::join!(
        plan_with_model(&input, Model::from_env(&env), call.deadline_ms),
        visit::visit_all(&pages, &env, call.deadline_ms),
    );
    let mut learned = Learned::default();
    for (visit, feeds) in visited {
        learned.visits.push(visit);
        learned.page_feeds.extend(feeds);
    }
    let Planned { angles, model_error, spent } = planned;
    (learned.angles, learned.model_error) = (angles, model_error);
    let reply = Reply::of(&assemble(catalogue, &input, learned))?;
    Ok(match spent {
        Some((usage, cost_micro_usd)) => reply.with_usage(usage, cost_micro_usd),
        None => reply,
    })
}

/// What came of asking a model, if there is one.
#[derive(Default)]
struct Planned {
    angles: Option<Vec<Angle>>,
    model_error: Option<String>,
    spent: Option<(Usage, u64)>,
}

/// A model that fails or answers badly costs what it cost; the call goes on without it.
async fn plan_with_model(
    input: &ResearchInput,
    model: Option<Model>,
    deadline_ms: Option<i64>,
) -> Planned {
    let Some(model) = model else { return Planned::default() };
    let count = angles::count(input.depth);
    let question = plan::question(&input.topic, count);
    let asked = model.complete_json(plan::SYSTEM, &question, plan::ANSWER_TOKENS_MAX, deadline_ms);
    match asked.await {
        Ok((answer, usage, cost_micro_usd)) => {
            let (angles, model_error) = match plan::read(&answer, count) {
                Ok(angles) => (Some(angles), None),
                Err(problem) => (None, Some(format!("model.bad_answer: {problem}"))),
            };
            Planned { angles, model_error, spent: Some((usage, cost_micro_usd)) }
        }
        Err(error) => Planned {
            angles: None,
            model_error: Some(error.to_string()),
            spent: error.spent.map(|spent| (spent.usage, spent.cost_micro_usd)),
        },
    }
}
