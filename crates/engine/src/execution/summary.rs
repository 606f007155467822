//! The figures of an execution that replies and tables show.

use serde_json::Value;

use super::{Figures, SkipReason, State, StepStatus};
use crate::time::{Millis, Timestamp};

/// What an execution came to so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Active time: from the start to the end, or to now.
    pub duration: Millis,
    /// Sources, articles, quality.
    pub figures: Figures,
    /// What made this execution cheaper or faster.
    pub optimizations: Vec<Optimization>,
}

/// Something that happened in an execution and made it cheaper, faster or possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimization {
    /// Two steps were in flight at the same time.
    ParallelProcessing,
    /// Outputs of an earlier execution were used.
    Caching,
    /// The strategy left optional steps out.
    OptionalStepsSkipped,
    /// Steps whose condition was false were left out.
    ConditionalStepsSkipped,
    /// A fallback worker stood in.
    FallbackWorker,
}

impl Optimization {
    /// The word in replies and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ParallelProcessing => "parallel_processing",
            Self::Caching => "caching",
            Self::OptionalStepsSkipped => "optional_steps_skipped",
            Self::ConditionalStepsSkipped => "conditional_steps_skipped",
            Self::FallbackWorker => "fallback_worker",
        }
    }
}

impl State {
    /// The figures as of `now`.
    pub fn summary(&self, now: Timestamp) -> Summary {
        Summary {
            duration: self.finished_at.unwrap_or(now).since(self.started.at),
            figures: self.figures.unwrap_or_else(|| self.count()),
            optimizations: self.optimizations(),
        }
    }

    pub(super) fn count(&self) -> Figures {
        let view = self.view_of_all();
        let size = |key| view.datum(key).and_then(Value::as_array).map_or(0, |a| a.len() as u64);
        Figures {
            sources_discovered: size("sources"),
            articles_processed: size("articles"),
            quality: self.quality(),
        }
    }

    /// Whether every step that has an output has that of an earlier execution.
    pub fn is_cache_hit(&self) -> bool {
        let mut done = self.steps.iter().filter(|step| step.output.is_some()).peekable();
        done.peek().is_some() && done.all(|step| step.reused_from.is_some())
    }

    /// See [`Figures::quality`].
    fn quality(&self) -> Option<f64> {
        let scores: Vec<f64> = self
            .steps
            .iter()
            .filter_map(|step| {
                let output = step.output.as_ref()?.value()?;
                let score =
                    output.get("quality_score").or_else(|| output.get("avg_quality_score"))?;
                score.as_f64().filter(|score| (0.0..=1.0).contains(score))
            })
            .collect();
        if scores.is_empty() {
            return None;
        }
        let left_out = |skipped: &Option<SkipReason>| {
            matches!(skipped, Some(SkipReason::Condition | SkipReason::Strategy))
        };
        let wanted = self.steps.iter().filter(|step| !left_out(&step.skipped)).count();
        let done = self.steps.iter().filter(|step| step.status == StepStatus::Succeeded).count();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let share = done as f64 / wanted.max(1) as f64;
        Some((mean * share * 10_000.0).round() / 10_000.0)
    }

    fn optimizations(&self) -> Vec<Optimization> {
        let skipped = |reason: fn(&SkipReason) -> bool| {
            self.steps.iter().filter_map(|step| step.skipped.as_ref()).any(reason)
        };
        let happened = [
            (self.overlapped, Optimization::ParallelProcessing),
            (self.steps.iter().any(|s| s.reused_from.is_some()), Optimization::Caching),
            (
                skipped(|reason| matches!(reason, SkipReason::Strategy)),
                Optimization::OptionalStepsSkipped,
            ),
            (
                skipped(|reason| matches!(reason, SkipReason::Condition)),
                Optimization::ConditionalStepsSkipped,
            ),
            (
                self.steps.iter().any(|s| s.fallback && s.status == StepStatus::Succeeded),
                Optimization::FallbackWorker,
            ),
        ];
        happened.into_iter().filter(|(did, _)| *did).map(|(_, what)| what).collect()
    }
}
