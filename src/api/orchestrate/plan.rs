//! What an execution would come to, without a start: its steps in order, who would be asked, what
//! it would cost and how long it would take. Nothing here calls a worker or keeps anything.

use api_types::{
    BudgetVerdict, DeadlineVerdict, FiguresFrom, OrchestrateRequest, PlanReply, PlannedCost,
    PlannedFigures, PlannedPathStep, PlannedStatistics, PlannedStep, PlannedStrategy, PlannedTerms,
    PlannedTime, StepFate, Verdict,
};
use axum::Json;
use axum::response::{IntoResponse, Response};
use engine::execution::Terms;
use engine::money::MicroUsd;
use engine::plan::{
    CostEstimate, Estimate, Fate, Figures, Plan, StepEstimate, Target, TimeEstimate,
};
use engine::time::Millis;

use super::ask::{self, Purpose};
use super::figures::{self, Expected, Measurements, Origin, SAMPLES_MIN, figures};
use super::{template_of, unusable};
use crate::api::capabilities::chosen_by;
use crate::auth::{Authorized, Caller, ClientRead};
use crate::clock::now;
use crate::config::Config;
use crate::db::policy::Policy;
use crate::db::samples::EXECUTIONS_MAX;
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
    authorized: Authorized<ClientRead>,
    TemplatePath(name): TemplatePath,
    context: RequestContext,
    document: JsonDocument<OrchestrateRequest>,
) -> Result<Json<PlanReply>, ApiError> {
    let database = context.database()?;
    let known = TemplateCache::shared(&context.config().worker_urls);
    let published = known.plan(&database, Some(&name), now()).await;
    let published = published.map_err(|error| unusable(Some(name), error))?;
    let request = ask::examine(document, &published, Purpose::Plan)?;
    told(&authorized.caller, &context, &request, &published).await.map(Json)
}

/// What a start would come to, everything checked as for a start, and nothing started.
pub(super) async fn dry_run(
    caller: &Caller,
    context: &RequestContext,
    document: JsonDocument<OrchestrateRequest>,
) -> Result<Response, ApiError> {
    let (published, document) = template_of(&context.site(), document).await?;
    let request = ask::examine(document, &published, Purpose::Start)?;
    let reply = told(caller, context, &request, &published).await?;
    Ok(Json(reply).into_response())
}

async fn told(
    caller: &Caller,
    context: &RequestContext,
    request: &OrchestrateRequest,
    published: &PublishedPlan,
) -> Result<PlanReply, ApiError> {
    let database = context.database()?;
    let known = TemplateCache::shared(&context.config().worker_urls);
    let policy = known.policy(&database, now()).await?;
    let whose = (caller.account(), published.definition.name.as_str());
    let measured = figures::measurements(&database, whose, now()).await?;
    reply(request, published, &policy, context.config(), &measured)
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
    measured: &Measurements,
) -> Result<PlanReply, ApiError> {
    let definition = &published.definition;
    let terms = ask::terms(request, definition, policy, config)?;
    let plan = &published.plan;
    let expected = measured.expected(plan, definition);
    let usual = figures(&expected, |statistic| statistic.p50);
    let estimate = plan.estimate_by(&terms, &usual);
    let high = plan.estimate_by(&terms, &figures(&expected, |statistic| statistic.p95));
    let each = ask::terms_of_each(request, definition, policy, config)?;
    let left_out = left_out(request, policy);
    let shown = |step: &StepEstimate<'_>| shown_step(published, step, &expected, &left_out);
    let mut order: Vec<&StepEstimate<'_>> = estimate.steps.iter().collect();
    order.sort_by_key(|step| step.starts);
    let steps: Vec<PlannedStep> = order.into_iter().map(shown).collect();
    Ok(PlanReply {
        template: definition.name.clone(),
        template_revision: published.revision,
        execution_strategy: terms.strategy.clone(),
        cost: cost(estimate.cost, high.cost),
        time: time(estimate.time, high.time),
        budget: BudgetVerdict {
            limit_usd: budget(&terms).as_usd(),
            verdict: budget_verdict(&estimate, &terms),
        },
        deadline: DeadlineVerdict {
            limit_ms: terms.deadline.get(),
            verdict: deadline_verdict(&estimate, &terms),
        },
        critical_path: critical_path(plan, &estimate),
        statistics: statistics(&steps),
        steps,
        strategies: each
            .into_iter()
            .map(|(name, terms)| strategy(name.as_str(), plan, terms, &usual))
            .collect(),
        terms: planned_terms(terms, request, policy),
    })
}

/// Who leaves optional steps out, in words.
fn left_out(request: &OrchestrateRequest, policy: &Policy) -> String {
    let strategy = request.optimize_for.unwrap_or_default().as_str();
    let level = request.quality_level.unwrap_or_default().as_str();
    let by_strategy = policy.strategy(strategy).filter(|row| row.skip_optional_steps);
    let by_level = policy.quality_level(level).filter(|row| row.skip_optional_steps);
    let by_strategy = by_strategy.map(|_| format!("the strategy `{strategy}`"));
    let by_level = by_level.map(|_| format!("the quality level `{level}`"));
    let who: Vec<String> = by_strategy.into_iter().chain(by_level).collect();
    format!("it is optional, and left out by {}", who.join(" and "))
}

/// Why a step may not be done; nothing for one that will be.
fn reason(published: &PublishedPlan, step: &StepEstimate<'_>, left_out: &str) -> Option<String> {
    let written = published.definition.steps.iter().find(|written| written.name == step.step.name);
    let condition = written.and_then(|written| written.condition.as_ref());
    Some(match step.fate {
        Fate::Certain => return None,
        Fate::Conditional => match condition {
            Some(serde_json::Value::String(cel)) => format!("its condition decides: {cel}"),
            Some(form) => format!("its condition decides: {form}"),
            None => "its condition decides".to_owned(),
        },
        Fate::Raced => "it is called off where others that it races with are done first".to_owned(),
        Fate::Uncertain => "what it depends on decides".to_owned(),
        Fate::LeftOut => left_out.to_owned(),
        Fate::Unreachable => "too much of what it waits for is left out".to_owned(),
    })
}

fn critical_path(plan: &Plan, estimate: &Estimate<'_>) -> Vec<PlannedPathStep> {
    let whole = estimate.time.expected.get().max(1) as f64;
    let path = estimate.critical_path(plan).into_iter().map(|index| {
        let step = &estimate.steps[index.position()];
        let time_ms = step.ends.get() - step.starts.get();
        let share = (time_ms as f64 / whole * 1000.0).round() / 1000.0;
        PlannedPathStep { step_name: step.step.name.clone(), time_ms, share }
    });
    path.collect()
}

fn statistics(steps: &[PlannedStep]) -> PlannedStatistics {
    let count =
        |from: FiguresFrom| steps.iter().filter(|step| step.figures.from == from).count() as u64;
    PlannedStatistics {
        executions_max: EXECUTIONS_MAX.into(),
        samples_min: SAMPLES_MIN as u64,
        steps_by_step: count(FiguresFrom::Step),
        steps_by_worker: count(FiguresFrom::Worker),
        steps_by_registry: count(FiguresFrom::Registry),
    }
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

fn cost(cost: CostEstimate, high: CostEstimate) -> PlannedCost {
    let CostEstimate { least, expected, worst, is_complete } = cost;
    PlannedCost {
        least_usd: least.as_usd(),
        expected_usd: expected.as_usd(),
        high_usd: high.expected.max(expected).as_usd(),
        worst_usd: worst.map(MicroUsd::as_usd),
        is_complete,
    }
}

fn time(time: TimeEstimate, high: TimeEstimate) -> PlannedTime {
    let TimeEstimate { least, expected, worst, is_complete } = time;
    PlannedTime {
        least_ms: least.get(),
        expected_ms: expected.get(),
        high_ms: high.expected.max(expected).get(),
        worst_ms: worst.map(Millis::get),
        is_complete,
    }
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
    let TimeEstimate { least: _, expected, worst, is_complete: _ } = estimate.time;
    match worst {
        Some(worst) if worst <= terms.deadline => Verdict::Enough,
        _ if expected <= terms.deadline => Verdict::Tight,
        _ => Verdict::Short,
    }
}

fn strategy(name: &str, plan: &Plan, terms: Terms, usual: &Figures) -> PlannedStrategy {
    let estimate = plan.estimate_by(&terms, usual);
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

fn shown_step(
    published: &PublishedPlan,
    estimate: &StepEstimate<'_>,
    expected: &Expected,
    left_out: &str,
) -> PlannedStep {
    let (plan, planned) = (&published.plan, estimate.step);
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
        reason: reason(published, estimate, left_out),
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
        figures: shown_figures(estimate, expected),
    }
}

/// Where what is expected of a step comes from.
fn shown_figures(estimate: &StepEstimate<'_>, expected: &Expected) -> PlannedFigures {
    let key = estimate.target.map(|target| (estimate.step.name.clone(), target.worker.clone()));
    let Some((origin, statistic)) = key.and_then(|key| expected.get(&key)) else {
        let from = match estimate.target {
            Some(_) => FiguresFrom::Registry,
            None => FiguresFrom::Nobody,
        };
        return PlannedFigures {
            from,
            samples: 0,
            time_p50_ms: None,
            time_p95_ms: None,
            cost_p50_usd: None,
            cost_p95_usd: None,
        };
    };
    PlannedFigures {
        from: match origin {
            Origin::Step => FiguresFrom::Step,
            Origin::Worker => FiguresFrom::Worker,
        },
        samples: statistic.samples,
        time_p50_ms: Some(statistic.p50.time.get()),
        time_p95_ms: Some(statistic.p95.time.get()),
        cost_p50_usd: Some(statistic.p50.cost.as_usd()),
        cost_p95_usd: Some(statistic.p95.cost.as_usd()),
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
