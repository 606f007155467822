//! Executions in any state.

use bitware_orchestrator::db::executions::{Execution, Step};
use bitware_orchestrator::db::iso;
use bitware_orchestrator::db::projection::{Facts, Projected, Saving};
use engine::time::Timestamp;
use serde_json::json;

/// 2026-11-20T10:00:00Z.
pub const BEGIN_MS: i64 = 1_795_168_800_000;
pub const HOUR_MS: i64 = 3_600_000;

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

fn at(ms: u64) -> String {
    iso(Timestamp::from_millis(BEGIN_MS + ms as i64))
}

/// Any state that an execution could be in; what is fixed at its start follows from `id`.
pub fn state(random: &mut Random, id: u64, journal_seq: u64) -> Projected {
    let status = random.of(&["running", "paused", "completed", "partial", "failed", "cancelled"]);
    let ended = !matches!(status, "running" | "paused");
    let execution = Execution {
        pipeline_id: format!("pipe_{id}"),
        account_id: ["default", "acme"][(id % 2) as usize].to_owned(),
        template_name: ["t", "it's \"t\" ü"][(id / 2 % 2) as usize].to_owned(),
        template_revision: 1,
        topic: None,
        status: status.to_owned(),
        execution_strategy: ["balanced", "cost_optimized"][(id / 4 % 2) as usize].to_owned(),
        optimize_for: "balanced".to_owned(),
        urgency: "medium".to_owned(),
        quality_level: "standard".to_owned(),
        request: json!({}),
        result: None,
        error: None,
        total_cost_micro_usd: random.below(90_000),
        cost_estimated: false,
        budget_micro_usd: None,
        sources_discovered: 0,
        articles_processed: 0,
        final_quality_score: (random.below(3) > 0).then(|| random.below(10_000) as f64 / 10_000.0),
        optimization_applied: vec![],
        cache_hit: random.below(4) == 0,
        total_execution_time_ms: random.below(2_000_000) >> random.below(20),
        waiting_reason: None,
        journal_seq,
        created_at: at(0),
        started_at: Some(at(1)),
        completed_at: ended.then(|| at(random.below(30 * HOUR_MS as u64))),
        updated_at: at(journal_seq),
    };
    let saving = |kind: &str, cost, ms| Saving {
        kind: kind.to_owned(),
        steps: vec!["s1".to_owned()],
        saved_cost_micro_usd: cost,
        saved_ms: ms,
    };
    let kinds = ["caching", "cheapest_worker", "optional_steps_skipped", "parallel_processing"];
    let many = if ended { random.below(3) } else { 0 };
    let optimizations =
        (0..many).map(|_| saving(random.of(&kinds), random.below(500), random.below(900)));
    let optimizations = optimizations.collect();
    let steps = (0..1 + id % 3).map(|n| step(random, n)).collect();
    let facts = Facts { nested: id.is_multiple_of(5), optimizations };
    Projected { execution, steps, facts, artifacts: Vec::new(), tasks: Vec::new() }
}

fn step(random: &mut Random, n: u64) -> Step {
    let words =
        ["pending", "running", "succeeded", "failed", "skipped", "cancelled", "compensated"];
    let status = random.of(&words);
    Step {
        step_name: format!("s{n}"),
        step_order: n as i64,
        worker_name: (n < 2).then(|| format!("w{}", random.below(2))),
        kind: "worker".to_owned(),
        status: status.to_owned(),
        success: status == "succeeded",
        generation: 1 + random.below(2),
        attempts: random.below(4),
        failed_attempts: random.below(3),
        execution_time_ms: random.below(60_000),
        cost_micro_usd: random.below(5_000),
        cost_estimated: false,
        cache_hit: random.below(4) == 0,
        communication_method: "http".to_owned(),
        error: None,
        data: None,
        started_at: (random.below(2) > 0).then(|| at(random.below(HOUR_MS as u64))),
        completed_at: (random.below(3) > 0).then(|| at(random.below(9 * HOUR_MS as u64))),
    }
}
