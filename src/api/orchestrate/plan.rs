//! What an execution would come to, without a start: its steps in order, who would be asked, what
//! it would cost and how long it would take. Nothing here calls a worker or keeps anything.

use api_types::{
    BudgetVerdict, DeadlineVerdict, OrchestrateRequest, PlanReply, PlannedCost, PlannedStep,
    PlannedStrategy, PlannedTerms, PlannedTime, StepFate, Verdict,
};
use axum::Json;
use engine::execution::Terms;
use engine::money::MicroUsd;
use engine::plan::{CostEstimate, Estimate, Fate, Plan, StepEstimate, Target, TimeEstimate};
use engine::time::Millis;

use super::ask::{self, Purpose};
use super::unusable;
use crate::api::capabilities::chosen_by;
use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::config::Config;
use crate::db::policy::Policy;
use crate::error::{ApiError, Shortfall};
use crate::extract::{JsonDocument, TemplatePath};
use crate::journal::projection::kind_text;
use crate::openapi::{BodyErrors, CLIENT, ClientErrors, PlanErrors};
use crate::request::RequestContext;
use crate::templates::{PublishedPlan, TemplateCache};

/// Plans an execution of a template without starting it.
///
/// The body is that of `POST /orchestrate`; topic and input may be left out. The reply says what
/// the request would come to under each strategy, and whether the budget would be refused.
#[utoipa::path(
    post, path = "/templates/{name}/plan", tag = CLIENT,
    params(("name" = String, Path, description = "The template's name",
        example = "rss_intelligence_pipeline")),
    request_body = OrchestrateRequest,
    responses(
        (status = 200, description = "What an execution would come to", body = PlanReply),
        BodyErrors, ClientErrors, PlanErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn plan_template(
    _: Authorized<ClientRead>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    document: JsonDocument<OrchestrateRequest>,
) -> Result<Json<PlanReply>, ApiError> {
    let database = context.database()?;
    let known = TemplateCache::shared(&context.config().worker_urls);
    let published = known.plan(&database, Some(&name), now()).await;
    let published = published.map_err(|error| unusable(Some(name), error))?;
    let request = ask::examine(document, &published, Purpose::Plan)?;
    let policy = known.policy(&database, now()).await?;
    reply(&request, &published, &policy, context.config()).map(Json)
}

/// What the budget lacks for any way through the plan.
pub(super) fn shortfall(
    request: &OrchestrateRequest,
    published: &PublishedPlan,
    policy: &Policy,
    config: &Config,
) -> Result<Option<Shortfall>, ApiError> {
    let terms = ask::terms(request, &published.definition, policy, config)?;
    let Some(limit) = terms.budget else { return Ok(None) };
    let estimate = published.plan.estimate(&terms);
    if estimate.cost.least <= limit {
        return Ok(None);
    }
    let each = ask::terms_of_each(request, &published.definition, policy, config)?;
    let least = |terms: &Terms| published.plan.estimate(terms).cost.least;
    let others = each.iter().map(|(strategy, terms)| (strategy.as_str(), least(terms)));
    Ok(Shortfall::of(&estimate, limit, || others.collect()))
}

fn reply(
    request: &OrchestrateRequest,
    published: &PublishedPlan,
    policy: &Policy,
    config: &Config,
) -> Result<PlanReply, ApiError> {
    let definition = &published.definition;
    let terms = ask::terms(request, definition, policy, config)?;
    let plan = &published.plan;
    let estimate = plan.estimate(&terms);
    let each = ask::terms_of_each(request, definition, policy, config)?;
    let mut steps: Vec<&StepEstimate<'_>> = estimate.steps.iter().collect();
    steps.sort_by_key(|step| step.starts);
    let (cost, time) = (cost(estimate.cost), time(estimate.time));
    Ok(PlanReply {
        template: definition.name.clone(),
        template_revision: published.revision,
        execution_strategy: terms.strategy.clone(),
        cost,
        time,
        budget: BudgetVerdict {
            limit_usd: budget(&terms).as_usd(),
            verdict: budget_verdict(&estimate, &terms),
        },
        deadline: DeadlineVerdict {
            limit_ms: terms.deadline.get(),
            verdict: deadline_verdict(&estimate, &terms),
        },
        steps: steps.into_iter().map(|estimate| step(plan, estimate)).collect(),
        strategies: each
            .into_iter()
            .map(|(name, terms)| strategy(name.as_str(), plan, terms))
            .collect(),
        terms: planned_terms(terms, request, policy),
    })
}

fn planned_terms(terms: Terms, request: &OrchestrateRequest, policy: &Policy) -> PlannedTerms {
    let strategy = policy.strategy(request.optimize_for.unwrap_or_default().as_str());
    let stored = strategy.is_some_and(|strategy| strategy.use_cache);
    PlannedTerms {
        max_parallel_steps: terms.parallelism,
        worker_choice: chosen_by(terms.choice),
        skip_optional_steps: terms.skip_optional,
        use_cache: stored && request.use_cache.unwrap_or(true),
        use_step_cache: terms.memo,
        max_retries: terms.retries_max,
        priority: terms.priority,
        deadline_ms: terms.deadline.get(),
        attempt_timeout_ms: terms.attempt_timeout.get(),
    }
}

fn cost(cost: CostEstimate) -> PlannedCost {
    let CostEstimate { least, expected, worst, is_complete } = cost;
    PlannedCost {
        least_usd: least.as_usd(),
        expected_usd: expected.as_usd(),
        worst_usd: worst.map(MicroUsd::as_usd),
        is_complete,
    }
}

fn time(time: TimeEstimate) -> PlannedTime {
    let TimeEstimate { expected, worst, is_complete } = time;
    PlannedTime { expected_ms: expected.get(), worst_ms: worst.map(Millis::get), is_complete }
}

/// Every execution that is asked for over HTTP has a budget.
fn budget(terms: &Terms) -> MicroUsd {
    terms.budget.unwrap_or_default()
}

fn budget_verdict(estimate: &Estimate<'_>, terms: &Terms) -> Verdict {
    let limit = budget(terms);
    let CostEstimate { least, expected, worst, is_complete: _ } = estimate.cost;
    match worst {
        _ if least > limit => Verdict::TooSmall,
        Some(worst) if worst <= limit => Verdict::Enough,
        _ if expected <= limit => Verdict::Tight,
        _ => Verdict::Short,
    }
}

fn deadline_verdict(estimate: &Estimate<'_>, terms: &Terms) -> Verdict {
    let TimeEstimate { expected, worst, is_complete: _ } = estimate.time;
    match worst {
        Some(worst) if worst <= terms.deadline => Verdict::Enough,
        _ if expected <= terms.deadline => Verdict::Tight,
        _ => Verdict::Short,
    }
}

fn strategy(name: &str, plan: &Plan, terms: Terms) -> PlannedStrategy {
    let estimate = plan.estimate(&terms);
    PlannedStrategy {
        optimize_for: name.to_owned(),
        least_cost_usd: estimate.cost.least.as_usd(),
        expected_cost_usd: estimate.cost.expected.as_usd(),
        worst_cost_usd: estimate.cost.worst.map(MicroUsd::as_usd),
        expected_time_ms: estimate.time.expected.get(),
        deadline_ms: terms.deadline.get(),
        budget_verdict: budget_verdict(&estimate, &terms),
        execution_strategy: terms.strategy,
    }
}

fn step(plan: &Plan, estimate: &StepEstimate<'_>) -> PlannedStep {
    let planned = estimate.step;
    let call = planned.call();
    let name = |target: &Target| target.worker.clone();
    let able =
        call.into_iter().flat_map(|call| std::iter::once(&call.primary).chain(&call.alternatives));
    let others = able.filter(|target| Some(*target) != estimate.target);
    PlannedStep {
        step_order: planned.order,
        step_name: planned.name.clone(),
        kind: kind_text(&planned.kind).to_owned(),
        fate: fate(estimate.fate),
        depends_on_steps: planned
            .dependencies
            .iter()
            .map(|index| plan.step(*index).name.clone())
            .collect(),
        worker_name: estimate.target.map(name),
        alternatives: others.map(name).collect(),
        fallback_worker: call.and_then(|call| call.fallback.as_ref()).map(name),
        cost_usd: estimate.cost.as_usd(),
        worst_cost_usd: estimate.worst.map(MicroUsd::as_usd),
        per_element: estimate.is_per_element(),
        max_attempts: estimate.attempts_max,
        time_ms: estimate.length.map(Millis::get),
        worst_time_ms: estimate.length_max.map(Millis::get),
        starts_ms: estimate.starts.get(),
        ends_ms: estimate.ends.get(),
    }
}

fn fate(fate: Fate) -> StepFate {
    match fate {
        Fate::Certain => StepFate::Certain,
        Fate::Conditional => StepFate::Conditional,
        Fate::Raced => StepFate::Raced,
        Fate::Uncertain => StepFate::Uncertain,
        Fate::LeftOut => StepFate::LeftOut,
        Fate::Unreachable => StepFate::Unreachable,
    }
}

#[cfg(test)]
mod tests;
