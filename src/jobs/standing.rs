//! Where jobs stand at this moment: those whose execution goes on, as its journal says; all others,
//! as their rows say.

use api_types::jobs::{Job as Shown, JobExecution};
use engine::ids::{ExecutionId, Seq};
use engine::money::MicroUsd;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::now;
use crate::db::executions::Execution;
use crate::db::jobs::Job;
use crate::driver::{self, Site};
use crate::error::ApiError;
use crate::journal::projection::rows_of;

/// Journals that are asked at the same time: the platform allows six connections.
const ASKED_AT_ONCE: usize = 4;
/// Statuses on which others follow.
const UNFINISHED: [&str; 4] = ["pending", "running", "waiting", "paused"];

/// The jobs, each with where it stands at this moment.
pub async fn current(site: &Site, jobs: Vec<Job>) -> Result<Vec<Job>, ApiError> {
    let asked = jobs.into_iter().map(async |job| one(site, job).await);
    stream::iter(asked).buffered(ASKED_AT_ONCE).try_collect().await
}

/// The job with where it stands at this moment. A journal that has nothing new is not read.
pub async fn one(site: &Site, job: Job) -> Result<Job, ApiError> {
    let Some(id) = followed(&job) else { return Ok(job) };
    if let Some(seen) = job.journal_seq
        && let Some((_, records)) = driver::records(site, &id, Seq(seen)).await?
        && records.is_empty()
    {
        return Ok(job);
    }
    let found = driver::find(site, &id, false).await?;
    Ok(match found {
        Some(state) => moved(job, rows_of(&state, 0, now()).execution),
        None => job,
    })
}

/// The execution of a job, while it may move.
fn followed(job: &Job) -> Option<ExecutionId> {
    let id = job.pipeline_id.as_ref().filter(|_| UNFINISHED.contains(&job.status.as_str()))?;
    id.parse().ok()
}

fn moved(job: Job, execution: Execution) -> Job {
    Job {
        status: execution.status,
        started_at: execution.started_at.or(job.started_at),
        completed_at: execution.completed_at,
        total_execution_time_ms: Some(execution.total_execution_time_ms),
        total_cost_micro_usd: Some(execution.total_cost_micro_usd),
        waiting_reason: execution.waiting_reason,
        error: execution.error,
        ..job
    }
}

/// A job as clients see it.
pub fn shown(job: Job) -> Result<Shown, ApiError> {
    let pipeline_url = job.pipeline_id.as_ref().map(|id| format!("/pipeline/{id}"));
    let has_result = matches!(job.status.as_str(), "completed" | "partial");
    let result_url =
        pipeline_url.as_ref().filter(|_| has_result).map(|url| format!("{url}/result"));
    let execution = job.pipeline_id.as_ref().map(|_| {
        Ok::<_, ApiError>(JobExecution {
            status: word(&job.status)?,
            total_execution_time_ms: job.total_execution_time_ms,
            total_cost_usd: job
                .total_cost_micro_usd
                .map(|cost| MicroUsd::from_micros(cost).as_usd()),
            waiting_reason: job.waiting_reason.clone(),
            error: job.error.as_ref().map(told),
        })
    });
    Ok(Shown {
        execution: execution.transpose()?,
        pipeline_url,
        result_url,
        priority: word(&job.priority)?,
        status: word(&job.status)?,
        id: job.id,
        title: job.title,
        description: job.description,
        metadata: job.metadata,
        pipeline_template: job.pipeline_template,
        pipeline_id: job.pipeline_id,
        version: job.version,
        created_by: job.created_by,
        created_at: job.created_at,
        started_at: job.started_at,
        completed_at: job.completed_at,
        updated_at: job.updated_at,
    })
}

/// What an entity tag of the job stands for: all of it but what moves by itself without anything
/// having happened.
pub fn state(job: &Shown) -> String {
    let mut state = json!(job);
    state["updated_at"] = Value::Null;
    if job.completed_at.is_none() && job.execution.is_some() {
        state["execution"]["total_execution_time_ms"] = Value::Null;
    }
    state.to_string()
}

fn told(fault: &Value) -> Value {
    json!({ "code": fault["code"], "message": fault["message"] })
}

/// A word of a column as the enumeration that it stands for.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let known = serde_json::from_value(Value::String(text.to_owned()));
    known.map_err(|error| ApiError::Internal { cause: format!("a column's word: {error}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(status: &str, pipeline_id: Option<&str>) -> Job {
        let row = json!({
            "id": "j", "account_id": "a", "title": "t", "description": null, "priority": "high",
            "metadata": "{}", "status": status, "pipeline_template": null,
            "pipeline_id": pipeline_id, "request": null, "begun": 1, "version": 1,
            "body_hash": null, "created_by": "key:k", "created_at": "2026-11-21T10:00:00.000Z",
            "started_at": null, "completed_at": null, "updated_at": "2026-11-21T10:00:00.000Z",
            "total_execution_time_ms": 5, "total_cost_micro_usd": 20_000, "waiting_reason": null,
            "error": "{\"code\":\"x.y\",\"message\":\"m\",\"secret\":1}", "journal_seq": 3,
        });
        serde_json::from_value(row).unwrap()
    }

    const ID: &str = "pipe_1_00000000000000000000000000";

    #[test]
    fn only_an_execution_that_goes_on_is_followed() {
        for status in UNFINISHED {
            assert!(followed(&job(status, Some(ID))).is_some(), "{status}");
            assert!(followed(&job(status, None)).is_none(), "{status}");
        }
        for status in ["completed", "partial", "failed", "cancelled"] {
            assert!(followed(&job(status, Some(ID))).is_none(), "{status}");
        }
    }

    #[test]
    fn a_job_shows_its_execution_and_where_its_result_is() {
        let done = shown(job("completed", Some(ID))).unwrap();
        assert_eq!(done.result_url.unwrap(), format!("/pipeline/{ID}/result"));
        let execution = done.execution.unwrap();
        assert_eq!(execution.total_cost_usd, Some(0.02));
        assert_eq!(execution.error.unwrap(), json!({ "code": "x.y", "message": "m" }));
        let failed = shown(job("failed", Some(ID))).unwrap();
        assert!(failed.result_url.is_none() && failed.pipeline_url.is_some());
        let own = shown(job("running", None)).unwrap();
        assert!(own.execution.is_none() && own.pipeline_url.is_none());
    }

    #[test]
    fn time_that_passes_changes_no_tag() {
        let first = shown(job("running", Some(ID))).unwrap();
        let mut later = first.clone();
        later.updated_at = "2026-11-21T10:00:09.000Z".to_owned();
        later.execution.as_mut().unwrap().total_execution_time_ms = Some(9000);
        assert_eq!(state(&first), state(&later));
        later.execution.as_mut().unwrap().waiting_reason = Some("signal".to_owned());
        assert_ne!(state(&first), state(&later));
    }
}
