//! The HTTP suite: what an orchestrator with the seed data answers, seen from outside. It needs a
//! URL and the two keys and nothing else, so it passes against a local stack as against any
//! deployment. It leaves executions, revoked keys and suspended accounts behind; what else it makes
//! it deletes, and it changes no row that was there.
//!
//! A case is a name and an async function from a [`Subject`] to an [`Outcome`]. To add one, write
//! the function and name it in the `cases!` of its phase. No case depends on another having been
//! passed; what several of them look at is brought about once, by the subject.

mod expect;
mod people;
mod schema;
mod subject;

mod admin_figures;
mod admin_keys;
mod admin_templates;
mod admin_workers;
mod agents;
mod artifacts;
mod asynchronous;
mod auth;
mod authentication;
mod cache;
mod callbacks;
mod configuration;
mod event_stream;
mod events;
mod execution;
mod headers;
mod health;
mod history;
mod idempotency;
mod input;
mod insights;
mod job_lists;
mod jobs;
mod leaks;
mod limits;
mod live;
mod metrics;
mod openapi;
mod plan;
mod public;
mod signals;
mod task_faults;
mod tasks;
mod templates;
mod tool_queries;
mod tool_registry;
mod tools_in_pipelines;
mod utils;
mod verbs;
mod why;

use std::time::{Duration, Instant};

use futures::future::BoxFuture;

pub use subject::Subject;

/// What came of a case: nothing to say, or what was not as it should be.
pub type Outcome = Result<(), String>;

/// The longest that a case may take.
const CASE_TIMEOUT: Duration = Duration::from_secs(240);
/// What is shown of a failure: it may quote a whole reply.
const FAILURE_CHARS_MAX: usize = 600;

/// Cases about one thing.
#[derive(Debug)]
pub struct Phase {
    /// What they are about.
    pub title: &'static str,
    /// The cases, in the order in which they are passed.
    pub cases: Vec<Case>,
}

/// One thing that must hold.
#[derive(Debug)]
pub struct Case {
    /// What holds, in a few words.
    pub name: &'static str,
    check: fn(&Subject) -> BoxFuture<'_, Outcome>,
}

/// How the suite went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases that hold.
    pub passed: usize,
    /// Cases that do not.
    pub failed: usize,
}

/// How lines are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// In green and red.
    Colours,
    /// In the terminal's own colour, or in a file.
    Plain,
}

/// A list of cases: each a name and an async function.
macro_rules! cases {
    ($($name:literal => $check:path),+ $(,)?) => {
        vec![$($crate::suite::Case { name: $name, check: |it| Box::pin($check(it)) }),+]
    };
}
use cases;

/// Every phase, in order.
pub fn phases() -> Vec<Phase> {
    vec![
        public::phase(),
        configuration::phase(),
        health::phase(),
        authentication::phase(),
        auth::phase(),
        input::phase(),
        execution::phase(),
        asynchronous::phase(),
        idempotency::phase(),
        cache::phase(),
        verbs::phase(),
        signals::phase(),
        tasks::phase(),
        callbacks::phase(),
        why::phase(),
        events::phase(),
        history::phase(),
        insights::phase(),
        metrics::phase(),
        templates::phase(),
        admin_templates::phase(),
        plan::phase(),
        admin_workers::phase(),
        admin_keys::phase(),
        admin_figures::phase(),
        tool_registry::phase(),
        tools_in_pipelines::phase(),
        tool_queries::phase(),
        artifacts::phase(),
        limits::phase(),
        headers::phase(),
        agents::phase(),
        event_stream::phase(),
        jobs::phase(),
        job_lists::phase(),
        utils::phase(),
        live::phase(),
        openapi::phase(),
        leaks::phase(),
    ]
}

/// Passes the suite and prints a line for each case. With `only`, it passes those cases whose name
/// or phase contains the text.
pub async fn pass(subject: &Subject, only: Option<&str>, paint: Paint) -> Tally {
    let wanted = |phase: &Phase, case: &Case| {
        only.is_none_or(|text| phase.title.contains(text) || case.name.contains(text))
    };
    let mut tally = Tally::default();
    for (number, mut phase) in (1..).zip(phases()) {
        let cases = std::mem::take(&mut phase.cases);
        let cases: Vec<Case> = cases.into_iter().filter(|case| wanted(&phase, case)).collect();
        if !cases.is_empty() {
            println!("\n{number}. {}", phase.title);
        }
        for case in cases {
            let (outcome, took) = case.pass(subject).await;
            println!("{}", line(case.name, &outcome, took, paint));
            match outcome {
                Ok(()) => tally.passed += 1,
                Err(_) => tally.failed += 1,
            }
        }
    }
    tally
}

impl Case {
    /// Passes the case; a case that does not end in time does not hold.
    #[expect(clippy::disallowed_methods, reason = "a tool of the tests measures time")]
    pub async fn pass(&self, subject: &Subject) -> (Outcome, Duration) {
        let began = Instant::now();
        let outcome = tokio::time::timeout(CASE_TIMEOUT, (self.check)(subject)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(format!("no end within {CASE_TIMEOUT:?}")));
        (outcome, began.elapsed())
    }
}

fn line(name: &str, outcome: &Outcome, took: Duration, paint: Paint) -> String {
    let (mark, colour) = if outcome.is_ok() { ("✓", 32) } else { ("✗", 31) };
    let mark = match paint {
        Paint::Colours => format!("\x1b[{colour}m{mark}\x1b[0m"),
        Paint::Plain => mark.to_owned(),
    };
    let line = format!("  {mark} {name} ({} ms)", took.as_millis());
    match outcome {
        Ok(()) => line,
        Err(failure) => {
            let failure: String = failure.chars().take(FAILURE_CHARS_MAX).collect();
            format!("{line}\n      {failure}")
        }
    }
}

#[cfg(test)]
mod tests;
