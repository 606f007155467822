//! Rows for the tests of recommendations.

use serde_json::{Value, json};

use super::Material;
use crate::db::insights::{Execution, Step};
use crate::db::rollups::Steps;

/// A template `t` with these steps, whose workers `w1` and `w2` are known.
pub fn template(steps: &Value) -> Material {
    let definition = json!({
        "name": "t", "steps": steps,
        "workers": {
            "w1": { "base_url": "https://w1.example", "timeout_ms": 1000, "estimated_cost": 3000 },
            "w2": { "base_url": "https://w2.example", "timeout_ms": 1000, "estimated_cost": 1000 },
        },
    });
    Material {
        definitions: [("t".to_owned(), serde_json::from_value(definition).unwrap())].into(),
        cache_ttl_s: 3600,
        attempt_timeout_ms: 20_000,
        ..Material::default()
    }
}

/// The `n`th execution: it cost 100 micro-USD and took 50 ms.
pub fn execution(n: usize) -> Execution {
    Execution {
        pipeline_id: format!("pipe_{n}"),
        template_name: "t".to_owned(),
        template_revision: 1,
        execution_strategy: "balanced".to_owned(),
        status: "completed".to_owned(),
        total_cost_micro_usd: 100,
        final_quality_score: Some(0.8),
        total_execution_time_ms: 50,
        created_at: "2026-11-21T10:00:00.000Z".to_owned(),
        ..Execution::default()
    }
}

/// A step that was done.
pub fn step(name: &str, worker: &str) -> Step {
    Step {
        step_name: name.to_owned(),
        worker_name: Some(worker.to_owned()),
        kind: "worker".to_owned(),
        status: "succeeded".to_owned(),
        ..Step::default()
    }
}

/// Figures of a step of `t` that was done `times` times in `duration_ms` each.
pub fn figures(name: &str, worker: &str, times: i64, duration_ms: u64) -> Steps {
    let mut row = Steps {
        worker_name: worker.to_owned(),
        template_name: "t".to_owned(),
        step_name: name.to_owned(),
        succeeded: times,
        attempts: times,
        timed: times,
        duration_ms: times * duration_ms as i64,
        ..Steps::default()
    };
    row.durations.count(duration_ms, times);
    row
}
