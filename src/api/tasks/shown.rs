//! Tasks as replies show them, and as the audit log keeps them.

use api_types::tasks::{Escalation, Task as Shown};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::db::tasks::Task;
use crate::error::ApiError;

/// A row as the reply that it makes.
pub fn shown(task: Task) -> Result<Shown, ApiError> {
    let escalation = task.escalate_at.map(|at| Escalation {
        at,
        candidates: task.escalate_to,
        escalated_at: task.escalated_at,
    });
    Ok(Shown {
        task_id: task.task_id,
        title: task.title,
        description: task.description,
        status: word(task.status)?,
        priority: word(task.priority)?,
        version: task.version,
        metadata: object(task.metadata),
        form: task.form.map(object),
        candidates: task.candidates,
        forbid_self_approval: task.forbid_self_approval,
        due_at: task.due_at,
        overdue_at: task.overdue_at,
        escalation,
        claimed_by: task.claimed_by,
        claimed_at: task.claimed_at,
        result: task.result,
        completed_by: task.completed_by,
        closed_at: task.closed_at,
        job_id: task.job_id,
        pipeline_id: task.pipeline_id,
        step: task.step_name,
        generation: task.generation,
        created_by: task.created_by,
        created_at: task.created_at,
        updated_at: task.updated_at,
    })
}

/// What the audit log keeps of a task: what was decided, not what was written.
pub fn kept(task: &Task) -> Value {
    json!({
        "title": task.title,
        "status": task.status,
        "priority": task.priority,
        "candidates": task.candidates,
        "due_at": task.due_at,
        "claimed_by": task.claimed_by,
    })
}

/// A word of a column as the enumeration that it stands for.
fn word<T: DeserializeOwned>(text: String) -> Result<T, ApiError> {
    let known = serde_json::from_value(Value::String(text));
    known.map_err(|error| ApiError::Internal { cause: format!("a column's word: {error}") })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
