//! The verdict over everything that was found: pure. docs/operations.md says the same in words.

use api_types::{
    BreakerState, ComponentHealth, HealthVerdict, JournalsStanding, WorkerHealth, WorkerStanding,
};

/// Without these nothing can be started.
const VITAL: [&str; 2] = ["d1", "journal"];
/// A sweep comes each minute: figures that are older tell that the cron does not come.
const SWEEP_AGE_S_MAX: u64 = 300;

/// What was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// What is wrong with the installation's configuration, each in one sentence.
    pub problems: &'a [String],
    /// What was tried.
    pub components: &'a [ComponentHealth],
    /// The active workers.
    pub workers: &'a [WorkerStanding],
    /// What the shards have in hand.
    pub journals: Option<&'a JournalsStanding>,
}

/// The overall verdict, and why it is not `healthy`.
///
/// `unhealthy`: D1 or the journals do not answer, or there are workers and each of them is
/// unhealthy. `degraded`: anything else that is not as it should be.
pub fn overall(found: Found<'_>) -> (HealthVerdict, Vec<String>) {
    let mut verdict = HealthVerdict::Healthy;
    let mut reasons = Vec::new();
    let mut note = |least: HealthVerdict, reason: String| {
        verdict = verdict.max(least);
        reasons.push(reason);
    };
    for problem in found.problems {
        note(HealthVerdict::Degraded, problem.clone());
    }
    for component in found.components {
        let vital = VITAL.contains(&component.name.as_str());
        let least = match component.status {
            HealthVerdict::Healthy => continue,
            HealthVerdict::Unhealthy if vital => HealthVerdict::Unhealthy,
            HealthVerdict::Degraded | HealthVerdict::Unhealthy => HealthVerdict::Degraded,
        };
        let detail = component.detail.as_deref().unwrap_or("It is not as it should be");
        note(least, format!("{}: {detail}", component.name));
    }
    for (least, reason) in of_workers(found.workers) {
        note(least, reason);
    }
    for reason in found.journals.map(of_journals).unwrap_or_default() {
        note(HealthVerdict::Degraded, reason);
    }
    (verdict, reasons)
}

fn of_workers(workers: &[WorkerStanding]) -> Vec<(HealthVerdict, String)> {
    let mut reasons = Vec::new();
    let down = |worker: &WorkerStanding| worker.status == WorkerHealth::Unhealthy;
    if !workers.is_empty() && workers.iter().all(down) {
        reasons.push((HealthVerdict::Unhealthy, "No worker answers".to_owned()));
    }
    for worker in workers {
        let name = &worker.worker_name;
        let mut degraded = |reason: String| reasons.push((HealthVerdict::Degraded, reason));
        match worker.status {
            WorkerHealth::Unhealthy => degraded(format!("The worker {name} is unhealthy")),
            WorkerHealth::Degraded => degraded(format!("The worker {name} is degraded")),
            WorkerHealth::Healthy | WorkerHealth::Unknown => {}
        }
        match worker.breaker {
            Some(BreakerState::Open) => degraded(format!("The breaker of {name} is open")),
            Some(BreakerState::HalfOpen) => degraded(format!("The breaker of {name} is half open")),
            Some(BreakerState::Closed) | None => {}
        }
    }
    reasons
}

fn of_journals(journals: &JournalsStanding) -> Vec<String> {
    let mut reasons = Vec::new();
    if journals.age_s > SWEEP_AGE_S_MAX {
        reasons.push(format!("The shards were last swept {} seconds ago", journals.age_s));
    }
    if journals.shards_answered < journals.shards {
        let (answered, all) = (journals.shards_answered, journals.shards);
        reasons.push(format!("{answered} of {all} shards answered the last sweep"));
    }
    if journals.executions_stalled > 0 {
        let stalled = journals.executions_stalled;
        reasons.push(format!("{stalled} executions wait for a driver"));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, status: HealthVerdict) -> ComponentHealth {
        ComponentHealth {
            name: name.to_owned(),
            status,
            latency_ms: None,
            detail: Some("It does not answer".to_owned()),
            checked_at: String::new(),
        }
    }

    fn worker(status: WorkerHealth, breaker: BreakerState) -> WorkerStanding {
        WorkerStanding {
            worker_name: "w".to_owned(),
            status,
            latency_ms: None,
            checked_at: None,
            calls_24h: 0,
            success_rate_24h: None,
            breaker: Some(breaker),
            breaker_open_until: None,
        }
    }

    const WELL: JournalsStanding = JournalsStanding {
        age_s: 60,
        shards: 8,
        shards_answered: 8,
        executions_open: 9,
        executions_driven: 3,
        executions_parked: 3,
        executions_due: 3,
        executions_stalled: 0,
        projections_behind: 1,
    };

    fn verdict(
        components: &[ComponentHealth],
        workers: &[WorkerStanding],
        journals: JournalsStanding,
    ) -> (HealthVerdict, usize) {
        let found = Found { problems: &[], components, workers, journals: Some(&journals) };
        let (verdict, reasons) = overall(found);
        (verdict, reasons.len())
    }

    #[test]
    fn what_is_vital_decides_and_the_rest_degrades() {
        use HealthVerdict::{Degraded, Healthy, Unhealthy};
        for (name, status, expected) in [
            ("d1", Healthy, (Healthy, 0)),
            ("d1", Degraded, (Degraded, 1)),
            ("d1", Unhealthy, (Unhealthy, 1)),
            ("journal", Unhealthy, (Unhealthy, 1)),
            ("kv", Unhealthy, (Degraded, 1)),
            ("r2", Unhealthy, (Degraded, 1)),
            ("queue", Unhealthy, (Degraded, 1)),
        ] {
            assert_eq!(verdict(&[component(name, status)], &[], WELL), expected, "{name}");
        }
        let problems = ["The secret X is not set".to_owned()];
        let found = Found { problems: &problems, components: &[], workers: &[], journals: None };
        assert_eq!(overall(found), (Degraded, problems.to_vec()));
    }

    #[test]
    fn one_worker_degrades_and_all_of_them_are_unhealthy() {
        use BreakerState::{Closed, HalfOpen, Open};
        let (well, down) = (WorkerHealth::Healthy, WorkerHealth::Unhealthy);
        for (workers, expected) in [
            (vec![worker(well, Closed), worker(WorkerHealth::Unknown, Closed)], (0, 0)),
            (vec![worker(well, Closed), worker(down, Closed)], (1, 1)),
            (vec![worker(WorkerHealth::Degraded, Closed)], (1, 1)),
            (vec![worker(down, Closed)], (2, 2)),
            (vec![worker(well, Open)], (1, 1)),
            (vec![worker(well, HalfOpen)], (1, 1)),
        ] {
            let (verdict, reasons) = verdict(&[], &workers, WELL);
            assert_eq!((verdict as usize, reasons), expected, "{workers:?}");
        }
    }

    #[test]
    fn shards_that_are_silent_or_stalled_degrade() {
        for (journals, reasons) in [
            (JournalsStanding { age_s: 301, ..WELL }, 1),
            (JournalsStanding { shards_answered: 7, ..WELL }, 1),
            (JournalsStanding { executions_stalled: 1, ..WELL }, 1),
            (WELL, 0),
        ] {
            assert_eq!(verdict(&[], &[], journals).1, reasons, "{journals:?}");
        }
    }
}
