//! Why an execution is not moving, in words.

use std::collections::BTreeMap;

use api_types::{ExecutionPhase, WhyDriver, WhyReply, WhyStep, WhyTask, WhyTool};
use axum::Json;
use engine::execution::{Blocked, Blocker, State, Status};
use engine::ids::Seq;
use engine::shard::Phase;
use engine::time::Timestamp;

use super::message::{own_shard, without_journal};
use super::pipeline::word;
use crate::auth::{Authorized, ClientRead};
use crate::clock::now;
use crate::db::{iso, tasks};
use crate::driver::{self, ReadError, Standing};
use crate::error::ApiError;
use crate::extract::ExecutionPath;
use crate::journal::{approvals, replay};
use crate::openapi::{CLIENT, ClientErrors, JournalErrors};
use crate::request::RequestContext;

/// The most steps that a reply lists: a map can have 10,000 elements.
const STEPS_MAX: usize = 500;

/// Why an execution is not moving.
///
/// For each unfinished step what holds it and when it will next be tried, and one sentence that
/// sums it up. It lists 500 steps at most.
#[utoipa::path(
    get, path = "/pipeline/{id}/why", tag = CLIENT,
    params(("id" = String, Path, description = "The execution's id")),
    responses(
        (status = 200, description = "What it waits for", body = WhyReply),
        ClientErrors, JournalErrors,
    ),
    security(("client_key" = []), ("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn why(
    authorized: Authorized<ClientRead>,
    ExecutionPath(id): ExecutionPath,
    context: RequestContext,
) -> Result<Json<WhyReply>, ApiError> {
    own_shard(&context, &id)?;
    context.note(|notes| notes.execution = Some(id.clone()));
    let account = authorized.caller.account();
    let Some((standing, records)) = driver::records(&context.site(), &id, Seq(0)).await? else {
        return Err(without_journal(&context, Some(account), &id).await?);
    };
    if standing.account != account {
        return Err(ApiError::PipelineNotFound);
    }
    let (state, since, last) = replay::history(&records).map_err(ReadError::from)?;
    let tasks = tasks_of(&context, &state).await;
    reply(&state, &standing, &tasks, Moments { since, last, now: now() }).map(Json)
}

/// The tasks that must be completed, by step. Who may do so now, their rows know; before those are
/// written, and where the database does not answer, the template does.
async fn tasks_of(context: &RequestContext, state: &State) -> BTreeMap<String, WhyTask> {
    let open: Vec<_> = state.approvals.iter().filter(|request| request.end.is_none()).collect();
    if open.is_empty() {
        return BTreeMap::new();
    }
    let rows = match context.database() {
        Ok(database) => tasks::of_execution(&database, state.started.id.as_str()).await,
        Err(_) => Ok(Vec::new()),
    };
    let rows = rows.unwrap_or_default();
    let named = open.into_iter().filter_map(|request| {
        let task_id = approvals::task_id(state, request);
        let asks = state.asks(request.step)?;
        let row = rows.iter().find(|row| row.task_id == task_id);
        let due_at = asks.due.map(|due| iso(request.at.plus(due)));
        let task_url = format!("/api/v1/collab/tasks/{task_id}");
        let task = WhyTask {
            title: asks.title.clone(),
            candidates: row.map_or(&asks.candidates, |row| &row.candidates).clone(),
            claimed_by: row.and_then(|row| row.claimed_by.clone()),
            due_at: row.map_or(due_at, |row| row.due_at.clone()),
            task_id,
            task_url,
        };
        Some((state.plan.step(request.step).name.clone(), task))
    });
    named.collect()
}

#[derive(Clone, Copy)]
struct Moments {
    since: Timestamp,
    last: Timestamp,
    now: Timestamp,
}

fn reply(
    state: &State,
    standing: &Standing,
    tasks: &BTreeMap<String, WhyTask>,
    moments: Moments,
) -> Result<WhyReply, ApiError> {
    let blocked = state.why(moments.now);
    let steps = blocked.iter().take(STEPS_MAX).map(|step| step_of(step, tasks));
    let lease_until = standing.lease_until.filter(|until| *until > moments.now);
    Ok(WhyReply {
        pipeline_id: state.started.id.to_string(),
        status: word(state.status.as_str().to_owned())?,
        since: iso(moments.since),
        last_event_at: iso(moments.last),
        summary: summary(state, standing, &blocked, moments) + &asked(&blocked, tasks),
        driver: WhyDriver {
            phase: match standing.phase {
                Phase::Active => ExecutionPhase::Active,
                Phase::Parked => ExecutionPhase::Parked,
                Phase::Ended => ExecutionPhase::Ended,
            },
            at_work: lease_until.is_some(),
            until: lease_until.or(standing.wake_at).map(iso),
        },
        unheard: standing.unheard,
        not_chosen: not_chosen(state),
        steps: steps.collect::<Result<_, _>>()?,
    })
}

/// The tools that could not be called when the execution started: what it starts from never
/// changes.
fn not_chosen(state: &State) -> Vec<WhyTool> {
    let calls = state.plan.steps.iter().filter_map(|step| Some((step, step.call()?)));
    let tools = calls.flat_map(|(step, call)| {
        call.left_out.iter().map(|tool| WhyTool {
            step: step.name.clone(),
            tool: tool.tool.clone(),
            reason: tool.reason.clone(),
        })
    });
    tools.take(STEPS_MAX).collect()
}

fn step_of(blocked: &Blocked, tasks: &BTreeMap<String, WhyTask>) -> Result<WhyStep, ApiError> {
    let status = word(blocked.status.as_str().to_owned())?;
    Ok(WhyStep {
        step: blocked.step.clone(),
        status: Some(status),
        blocker: blocked.by.kind().to_owned(),
        reason: blocked.by.to_string(),
        next_at: blocked.next_at.map(iso),
        task: tasks.get(&blocked.step).cloned(),
    })
}

/// Which task must be completed, where that is what holds it.
fn asked(blocked: &[Blocked], tasks: &BTreeMap<String, WhyTask>) -> String {
    match root(blocked).and_then(|first| tasks.get(&first.step)) {
        Some(task) => format!("; its task {} is to be completed: {}", task.task_id, task.title),
        None => String::new(),
    }
}

/// One sentence for a person.
fn summary(state: &State, standing: &Standing, blocked: &[Blocked], moments: Moments) -> String {
    let mut sentence = match state.status {
        Status::Completed | Status::Partial | Status::Failed | Status::Cancelled => {
            return ended(state, moments);
        }
        Status::Paused => paused(blocked, moments),
        Status::Pending | Status::Running | Status::Waiting => held(state, blocked, moments),
    };
    if standing.unheard > 0 {
        let count = standing.unheard;
        let (noun, verb) = if count == 1 { ("message", "waits") } else { ("messages", "wait") };
        sentence.push_str(&format!("; {count} {noun} {verb} to be met by its driver"));
    }
    sentence
}

fn paused(blocked: &[Blocked], moments: Moments) -> String {
    let since = clock(moments.since, moments.now);
    match root(blocked) {
        Some(first) => {
            format!("the execution is paused since {since}: step `{}` {}", first.step, first.by)
        }
        None => format!("the execution is paused since {since} until it is resumed"),
    }
}

fn ended(state: &State, moments: Moments) -> String {
    let at = state.finished_at.unwrap_or(moments.last);
    let mut sentence =
        format!("the execution ended {} at {}", state.status.as_str(), clock(at, moments.now));
    if let Some(fault) = &state.fault {
        sentence.push_str(&format!(": {}", fault.message));
    }
    sentence
}

/// What holds it at the root: what waits for other steps is held by those.
fn root(blocked: &[Blocked]) -> Option<&Blocked> {
    let own = |blocked: &&Blocked| !matches!(blocked.by, Blocker::Dependencies(_));
    blocked.iter().find(own).or(blocked.first())
}

fn held(state: &State, blocked: &[Blocked], moments: Moments) -> String {
    let Some(first) = root(blocked) else {
        return "every step is settled; the execution is about to end".to_owned();
    };
    let mut sentence = format!("step `{}` {}", first.step, first.by);
    if let Some(at) = first.next_at.filter(|at| *at > moments.now) {
        let word = if matches!(first.by, Blocker::Retry) { "at" } else { "until" };
        sentence.push_str(&format!(" {word} {}", clock(at, moments.now)));
    }
    let index = state.plan.find(&first.step);
    if let Some(fault) = index.and_then(|index| state.step(index).fault.as_ref()) {
        sentence.push_str(&format!(" after: {}", fault.message));
    }
    let others = blocked.len() - 1;
    if others > 0 {
        let noun = if others == 1 { "step is" } else { "steps are" };
        sentence.push_str(&format!("; {others} more {noun} unfinished"));
    }
    sentence
}

/// The time of day, in UTC; with the date where that is not today's.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let (text, today) = (iso(at), iso(now));
    match (text.split_once('T'), today.split_once('T')) {
        (Some((day, time)), Some((today, _))) => {
            let time = time.get(..8).unwrap_or(time);
            if day == today { time.to_owned() } else { format!("{day} {time}") }
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use engine::execution::{Fault, FaultKind};
    use engine::time::Millis;
    use serde_json::json;

    use super::*;
    use crate::cache::tests::begun;

    #[test]
    fn a_moment_of_another_day_says_which() {
        let now = Timestamp::from_millis(1_795_255_200_000);
        assert_eq!(clock(now, now), "10:00:00");
        assert_eq!(clock(now.plus(Millis::from_secs(3 * 86_400)), now), "2026-11-24 10:00:00");
    }

    fn running() -> State {
        let worker = json!({ "service_binding": "W", "endpoints": ["/do"], "estimated_cost": 0 });
        let step = |name: &str, on: &[&str]| {
            json!({
                "name": name, "order": 1, "kind": "worker", "worker": "w", "depends_on": on,
                "input_mapping": {},
            })
        };
        let definition = json!({
            "name": "t", "workers": { "w": worker }, "steps": [step("a", &[]), step("b", &["a"])],
        });
        begun(definition, json!({}))
    }

    fn standing(unheard: u64) -> Standing {
        let until = Some(Timestamp::from_millis(30_000));
        Standing {
            account: "default".to_owned(),
            seq: Seq(1),
            phase: Phase::Active,
            lease_until: until,
            unheard,
            wake_at: None,
        }
    }

    fn none() -> BTreeMap<String, WhyTask> {
        BTreeMap::new()
    }

    #[test]
    fn a_wait_for_an_approval_names_its_task() {
        let approval = json!({"title": "Release?", "candidates": ["role:admin"]});
        let step = json!({
            "name": "w", "order": 1, "kind": "wait", "config": { "approval": approval },
        });
        let state = begun(json!({ "name": "t", "steps": [step] }), json!({}));
        let task = WhyTask {
            task_id: "0193".to_owned(),
            title: "Release?".to_owned(),
            candidates: vec!["role:admin".to_owned()],
            claimed_by: None,
            due_at: None,
            task_url: "/api/v1/collab/tasks/0193".to_owned(),
        };
        let tasks = BTreeMap::from([("w".to_owned(), task.clone())]);
        let reply = reply(&state, &standing(0), &tasks, moments()).unwrap();
        assert_eq!(reply.steps[0].task, Some(task));
        assert_eq!(
            reply.summary,
            "step `w` waits for the signal `w`; its task 0193 is to be completed: Release?"
        );
    }

    fn moments() -> Moments {
        let at = Timestamp::from_millis;
        Moments { since: at(0), last: at(5), now: at(1000) }
    }

    #[test]
    fn each_unfinished_step_says_what_holds_it() {
        let reply = reply(&running(), &standing(0), &none(), moments()).unwrap();
        let blockers: Vec<_> = reply.steps.iter().map(|step| step.blocker.as_str()).collect();
        assert_eq!(blockers, ["answer", "dependency"]);
        assert!(reply.summary.starts_with("step `a` waits for its worker's answer until 00:00:20"));
        assert!(reply.summary.ends_with("; 1 more step is unfinished"), "{}", reply.summary);
        assert!(reply.driver.at_work);
        assert_eq!(reply.driver.until.as_deref(), Some("1970-01-01T00:00:30.000Z"));
    }

    #[test]
    fn the_sentence_names_the_last_failure_and_what_nobody_has_met() {
        let mut state = running();
        let retry_at = Timestamp::from_millis(5000);
        let fault = Fault::new(FaultKind::Http(503), "worker.refused", "worker answered 503");
        let step = &mut state.steps[0];
        step.status = engine::execution::StepStatus::Retrying;
        (step.attempt, step.retry_at, step.fault) = (None, Some(retry_at), Some(fault));
        let sentence = reply(&state, &standing(2), &none(), moments()).unwrap().summary;
        assert_eq!(
            sentence,
            "step `a` waits for its next attempt at 00:00:05 after: worker answered 503; 1 more \
             step is unfinished; 2 messages wait to be met by its driver"
        );
    }

    #[test]
    fn what_has_ended_says_how() {
        let mut state = running();
        state.status = Status::Failed;
        state.finished_at = Some(Timestamp::from_millis(61_000));
        state.fault = Some(Fault::new(FaultKind::Limit, "c", "too late"));
        let ended = Standing { phase: Phase::Ended, lease_until: None, ..standing(0) };
        let reply = reply(&state, &ended, &none(), moments()).unwrap();
        assert_eq!(reply.summary, "the execution ended failed at 00:01:01: too late");
        assert!(!reply.driver.at_work);
        state.status = Status::Paused;
        let sentence = summary(&state, &standing(0), &[], moments());
        assert_eq!(sentence, "the execution is paused since 00:00:00 until it is resumed");
        let sentence = summary(&state, &standing(0), &state.why(moments().now), moments());
        assert!(sentence.starts_with("the execution is paused since 00:00:00: step `a` "));
    }

    #[test]
    fn a_lease_that_has_run_out_is_nobodys() {
        let late =
            Moments { now: Timestamp::from_millis(30_000).plus(Millis::new(1)), ..moments() };
        let reply = reply(&running(), &standing(0), &none(), late).unwrap();
        assert!(!reply.driver.at_work);
    }
}
