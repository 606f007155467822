//! What was done to be quicker, cheaper or better, in words: what the engine counted, told to
//! people. It must not count anything itself.

use api_types::OptimizationReport;
use engine::execution::{Optimization, Saved, Summary};
use engine::money::MicroUsd;
use engine::time::Millis;

use crate::db::projection::Saving;

/// The most steps that a detail names.
const STEPS_NAMED_MAX: usize = 10;

/// The reports of an execution whose journal is at hand.
pub fn of_summary(summary: &Summary) -> Vec<OptimizationReport> {
    let told = |found: &Optimization| report(found.kind.as_str(), Some(found.saved), &found.steps);
    summary.optimizations.iter().map(told).collect()
}

/// The reports of an execution whose journal is retired.
pub fn of_savings(savings: &[Saving]) -> Vec<OptimizationReport> {
    let told = |found: &Saving| {
        let Saving { kind, steps, saved_cost_micro_usd, saved_ms } = found;
        let cost = MicroUsd::from_micros(*saved_cost_micro_usd);
        report(kind, Some(Saved { cost, duration: Millis::new(*saved_ms) }), steps)
    };
    savings.iter().map(told).collect()
}

/// The reports of an execution of which only the words are left.
pub fn of_words(words: &[String]) -> Vec<OptimizationReport> {
    words.iter().map(|word| report(word, None, &[])).collect()
}

/// The report of one optimisation, called `word` in `optimization_applied`; `steps` are those that
/// it concerned. What was saved is left out where it is nothing.
pub fn report(word: &str, saved: Option<Saved>, steps: &[String]) -> OptimizationReport {
    let cost = saved.map(|saved| saved.cost).filter(|cost| *cost > MicroUsd::ZERO);
    let duration = saved.map(|saved| saved.duration).filter(|length| *length > Millis::ZERO);
    OptimizationReport {
        name: word.to_owned(),
        detail: detail(word, steps),
        saved_cost_usd: cost.map(MicroUsd::as_usd),
        saved_ms: duration.map(Millis::get),
    }
}

fn detail(word: &str, steps: &[String]) -> String {
    let what = match word {
        "parallel_processing" => "Steps were in progress at the same time",
        "caching" => "Outputs of an earlier execution were used",
        "step_cache" => "Answers to the same calls were known from earlier executions",
        "optional_steps_skipped" => "Optional steps were left out",
        "conditional_steps_skipped" => "Steps whose condition was false were left out",
        "fallback_worker" => "A fallback worker stood in",
        "cheapest_worker" => "The cheapest of several workers was asked",
        "fastest_worker" => "The fastest of several workers was asked",
        "best_worker" => "The best of several workers was asked",
        "losers_cancelled" => "Steps that a join no longer needed were called off",
        other => return named(&other.replace('_', " "), steps),
    };
    named(what, steps)
}

fn named(what: &str, steps: &[String]) -> String {
    let shown: Vec<&str> = steps.iter().take(STEPS_NAMED_MAX).map(String::as_str).collect();
    match steps.len().checked_sub(STEPS_NAMED_MAX).filter(|more| *more > 0) {
        _ if steps.is_empty() => what.to_owned(),
        None => format!("{what}: {}", shown.join(", ")),
        Some(more) => format!("{what}: {} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use engine::execution::{Choice, OptimizationKind};

    use super::*;

    #[test]
    fn a_report_names_its_steps_and_what_it_saved() {
        let saved = Saved { cost: MicroUsd::from_micros(20_000), duration: Millis::ZERO };
        let steps = ["fetch".to_owned(), "rank".to_owned()];
        let found = report("step_cache", Some(saved), &steps);
        assert_eq!(
            found.detail,
            "Answers to the same calls were known from earlier executions: fetch, rank"
        );
        assert_eq!((found.saved_cost_usd, found.saved_ms), (Some(0.02), None));
        let json = serde_json::to_value(&found).unwrap();
        assert!(json.get("saved_ms").is_none(), "{json}");
    }

    #[test]
    fn what_was_kept_of_a_journal_says_the_same() {
        let saved = Saved { cost: MicroUsd::from_micros(20_000), duration: Millis::new(7) };
        let steps = vec!["fetch".to_owned()];
        let kept = Saving {
            kind: "step_cache".to_owned(),
            steps: steps.clone(),
            saved_cost_micro_usd: 20_000,
            saved_ms: 7,
        };
        assert_eq!(of_savings(&[kept]), [report("step_cache", Some(saved), &steps)]);
    }

    #[test]
    fn many_steps_are_counted() {
        let steps: Vec<String> = (0..12).map(|n| format!("s{n}")).collect();
        let found = report("optional_steps_skipped", None, &steps);
        assert!(found.detail.ends_with("s9 and 2 more"), "{}", found.detail);
    }

    #[test]
    fn every_word_of_the_engine_has_a_sentence() {
        for kind in [
            OptimizationKind::ParallelProcessing,
            OptimizationKind::Caching,
            OptimizationKind::StepCache,
            OptimizationKind::OptionalStepsSkipped,
            OptimizationKind::ConditionalStepsSkipped,
            OptimizationKind::FallbackWorker,
            OptimizationKind::ChosenWorker(Choice::Cheapest),
            OptimizationKind::ChosenWorker(Choice::Fastest),
            OptimizationKind::ChosenWorker(Choice::Best),
            OptimizationKind::LosersCancelled,
        ] {
            let word = kind.as_str().to_owned();
            let [found] = &of_words(std::slice::from_ref(&word))[..] else { panic!("one") };
            assert_eq!(found.name, word);
            assert_ne!(found.detail, word.replace('_', " "));
        }
    }
}
