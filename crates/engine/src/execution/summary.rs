//! The figures of an execution that replies and tables show.

use serde_json::Value;

use super::{Choice, Figures, SkipReason, State, StepState, StepStatus, Work};
use crate::money::MicroUsd;
use crate::plan::{Kind, StepIndex};
use crate::time::{Millis, Timestamp};

/// What an execution came to so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Active time: without what it waited or was paused.
    pub duration: Millis,
    /// Sources, articles, quality.
    pub figures: Figures,
    /// What made this execution cheaper or faster.
    pub optimizations: Vec<Optimization>,
}

/// Something that happened in an execution and made it cheaper, faster, better or possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Optimization {
    /// What.
    pub kind: OptimizationKind,
    /// The steps that it concerned.
    pub steps: Vec<String>,
    /// What it saved by the estimates of the registry, where anybody knows.
    pub saved: Saved,
}

/// What was not spent, and did not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Money.
    pub cost: MicroUsd,
    /// Time.
    pub duration: Millis,
}

/// What kinds of optimisations there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizationKind {
    /// Two steps were in flight at the same time.
    ParallelProcessing,
    /// Outputs of an earlier execution were used.
    Caching,
    /// Answers to the same calls served.
    StepCache,
    /// The strategy left optional steps out.
    OptionalStepsSkipped,
    /// Steps whose condition was false were left out.
    ConditionalStepsSkipped,
    /// A fallback worker stood in.
    FallbackWorker,
    /// Of several workers another than the first was asked, for this reason.
    ChosenWorker(Choice),
    /// Steps that a join no longer needed were called off.
    LosersCancelled,
}

impl OptimizationKind {
    /// The word in replies and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ParallelProcessing => "parallel_processing",
            Self::Caching => "caching",
            Self::StepCache => "step_cache",
            Self::OptionalStepsSkipped => "optional_steps_skipped",
            Self::ConditionalStepsSkipped => "conditional_steps_skipped",
            Self::FallbackWorker => "fallback_worker",
            Self::ChosenWorker(Choice::Cheapest) => "cheapest_worker",
            Self::ChosenWorker(Choice::Fastest) => "fastest_worker",
            Self::ChosenWorker(Choice::Best) => "best_worker",
            Self::ChosenWorker(Choice::Declared) => "declared_worker",
            Self::LosersCancelled => "losers_cancelled",
        }
    }
}

impl State {
    /// The figures as of `now`.
    pub fn summary(&self, now: Timestamp) -> Summary {
        Summary {
            duration: self.active(now),
            figures: self.figures.unwrap_or_else(|| self.count()),
            optimizations: self.optimizations(now),
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

    fn optimizations(&self, now: Timestamp) -> Vec<Optimization> {
        let skipped = |reason: fn(&SkipReason) -> bool| {
            self.all(move |step| step.skipped.as_ref().is_some_and(reason))
        };
        let kinds = [
            (OptimizationKind::Caching, self.all(|step| step.reused_from.is_some())),
            (OptimizationKind::StepCache, self.memoised()),
            (
                OptimizationKind::OptionalStepsSkipped,
                skipped(|reason| matches!(reason, SkipReason::Strategy)),
            ),
            (
                OptimizationKind::ConditionalStepsSkipped,
                skipped(|reason| matches!(reason, SkipReason::Condition)),
            ),
            (
                OptimizationKind::FallbackWorker,
                self.all(|step| step.calls().any(|work| work.fallback && succeeded(work))),
            ),
            (OptimizationKind::ChosenWorker(self.started.terms.choice), self.chosen_otherwise()),
            (OptimizationKind::LosersCancelled, self.losers()),
        ];
        let happened = kinds.into_iter().filter(|(_, steps)| !steps.is_empty());
        let named = happened.map(|(kind, steps)| Optimization {
            kind,
            saved: steps
                .iter()
                .fold(Saved::default(), |sum, step| sum.plus(self.saved(kind, *step))),
            steps: steps.iter().map(|step| self.plan.step(*step).name.clone()).collect(),
        });
        self.parallel(now).into_iter().chain(named).collect()
    }

    fn all(&self, fits: impl Fn(&StepState) -> bool) -> Vec<StepIndex> {
        self.plan.indices().filter(|index| fits(self.step(*index))).collect()
    }

    fn memoised(&self) -> Vec<StepIndex> {
        self.all(|step| step.calls().any(|work| work.memoised.is_some()))
    }

    /// Steps that were done by another worker than the first, because it was chosen.
    fn chosen_otherwise(&self) -> Vec<StepIndex> {
        let choice = self.started.terms.choice;
        let otherwise = |index: &StepIndex| {
            let planned = self.plan.step(*index);
            let done = self.step(*index).calls().any(is_done_as_chosen);
            done && planned.target(false, choice) != planned.target(false, Choice::Declared)
        };
        self.plan.indices().filter(otherwise).collect()
    }

    /// Steps that were called off although the execution went on.
    fn losers(&self) -> Vec<StepIndex> {
        let ended_early = self.fault.is_some() || self.unwinding.is_some();
        self.all(|step| !ended_early && step.status == StepStatus::Cancelled)
    }

    fn saved(&self, kind: OptimizationKind, step: StepIndex) -> Saved {
        let planned = self.plan.step(step);
        let calls = self.step(step).calls();
        let declared = planned.target(false, Choice::Declared);
        let estimate = Saved {
            cost: planned.estimated_cost(),
            // Nobody knows how many elements there would have been.
            duration: match &planned.kind {
                Kind::Worker(call) | Kind::Tool(call) => call.primary.expected.unwrap_or_default(),
                _ => Millis::ZERO,
            },
        };
        match kind {
            OptimizationKind::Caching
            | OptimizationKind::OptionalStepsSkipped
            | OptimizationKind::ConditionalStepsSkipped => estimate,
            OptimizationKind::LosersCancelled if self.step(step).started_at.is_none() => estimate,
            OptimizationKind::StepCache => {
                let hits = calls.filter_map(|work| work.memoised);
                hits.fold(Saved::default(), |sum, hit| {
                    sum.plus(Saved { cost: hit.cost, duration: hit.duration })
                })
            }
            OptimizationKind::ChosenWorker(choice) => {
                let (Some(declared), Some(chosen)) = (declared, planned.target(false, choice))
                else {
                    return Saved::default();
                };
                let cost = declared.estimated_cost.zip(chosen.estimated_cost);
                let duration = declared.expected.zip(chosen.expected);
                let of_one = Saved {
                    cost: cost.map_or(MicroUsd::ZERO, |(one, other)| one.minus(other)),
                    duration: duration.map_or(Millis::ZERO, |(one, other)| one.minus(other)),
                };
                let done = calls.filter(|work| is_done_as_chosen(work));
                done.fold(Saved::default(), |sum, _| sum.plus(of_one))
            }
            OptimizationKind::ParallelProcessing
            | OptimizationKind::FallbackWorker
            | OptimizationKind::LosersCancelled => Saved::default(),
        }
    }

    /// What was in progress at the same time saved what it took together beyond the time in which
    /// any of it was in progress.
    fn parallel(&self, now: Timestamp) -> Option<Optimization> {
        if !self.overlapped {
            return None;
        }
        let waits = |index: &StepIndex| matches!(self.plan.step(*index).kind, Kind::Wait(_));
        let steps = self.plan.indices().filter(|index| !waits(index));
        let units = steps.flat_map(|index| self.step(index).calls());
        let mut spans: Vec<(Timestamp, Timestamp)> = units
            .filter_map(|work| Some((work.started_at?, work.finished_at.unwrap_or(now))))
            .collect();
        spans.sort_unstable();
        let together = spans.iter().fold(Millis::ZERO, |sum, (from, to)| sum.plus(to.since(*from)));
        let (mut any, mut until) = (Millis::ZERO, Timestamp::from_millis(i64::MIN));
        for (from, to) in spans {
            any = any.plus(to.since(from.max(until)));
            until = until.max(to);
        }
        Some(Optimization {
            kind: OptimizationKind::ParallelProcessing,
            steps: Vec::new(),
            saved: Saved { cost: MicroUsd::ZERO, duration: together.minus(any) },
        })
    }
}

fn succeeded(work: &Work) -> bool {
    work.status == StepStatus::Succeeded
}

/// Whether the worker that was chosen first did it, and was really asked.
fn is_done_as_chosen(work: &Work) -> bool {
    succeeded(work) && work.attempts > 0 && !work.fallback && work.memoised.is_none()
}

impl StepState {
    /// What was asked of workers: the elements of a map, else the step itself.
    fn calls(&self) -> impl Iterator<Item = &Work> {
        let own = self.map.is_none().then_some(&self.work);
        self.map.iter().flat_map(|map| &map.elements).chain(own)
    }
}

impl Saved {
    fn plus(self, other: Self) -> Self {
        Self { cost: self.cost.plus(other.cost), duration: self.duration.plus(other.duration) }
    }
}
