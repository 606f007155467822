//! The transition table: every status of a step, an element and an undo, in every status of its
//! execution, meets every input. What follows is named in `tests/transitions.txt`; write it anew
//! with `UPDATE_TRANSITIONS=1`, and read what changed.

mod inputs;
mod scenes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::story::replayed;
use crate::execution::{
    Applies, Context, Event, Gates, Input, Message, Part, PauseReason, Rejection, State,
    StepStatus, decide,
};
use crate::time::Timestamp;
use inputs::{Given, inputs};
use scenes::{Scene, scenes};

#[test]
fn every_status_meets_every_input() {
    let mut table = String::from(HEADING);
    for scene in scenes() {
        scene.is_as_it_says();
        let mut by_outcome: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for given in inputs(&scene) {
            let outcome = scene.meet(&given);
            if !order.contains(&outcome) {
                order.push(outcome.clone());
            }
            by_outcome.entry(outcome).or_default().push(given.name);
        }
        writeln!(table, "\n## {}", scene.name).expect("a text takes text");
        for outcome in order {
            write_wrapped(&mut table, "", &shortened(&by_outcome[&outcome]), " | ");
            let events: Vec<String> = outcome.split(", ").map(str::to_owned).collect();
            write_wrapped(&mut table, "    ", &events, ", ");
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transitions.txt");
    if updates() {
        std::fs::write(&path, &table).expect("the table is written");
    }
    let known = std::fs::read_to_string(&path).expect("the table is there");
    for (number, (is, was)) in table.lines().zip(known.lines()).enumerate() {
        assert_eq!(is, was, "line {}", number + 1);
    }
    assert_eq!(table.lines().count(), known.lines().count());
}

/// A switch of this test alone.
#[expect(clippy::disallowed_methods, reason = "nothing is configured by it but this test")]
fn updates() -> bool {
    std::env::var("UPDATE_TRANSITIONS").is_ok_and(|value| value == "1")
}

#[test]
fn every_status_has_its_scene() {
    use StepStatus as Is;
    let scenes = scenes();
    let of = |part: fn(&Part) -> bool| -> BTreeSet<&'static str> {
        let of_part = scenes.iter().filter(|scene| part(&scene.unit().part));
        let found = of_part.filter_map(|scene| scene.story.state.work(scene.unit()));
        found.map(|work| work.status.as_str()).collect()
    };
    let words = |statuses: &[Is]| statuses.iter().map(|is| is.as_str()).collect::<BTreeSet<_>>();
    let all = [Is::Pending, Is::Waiting, Is::Skipped, Is::Compensated];
    let of_elements =
        [Is::Ready, Is::Running, Is::Retrying, Is::Succeeded, Is::Failed, Is::Cancelled];
    let of_steps: Vec<Is> = all.into_iter().chain(of_elements).collect();
    assert_eq!(of(|part| matches!(part, Part::Whole)), words(&of_steps));
    assert_eq!(of(|part| matches!(part, Part::Element(_))), words(&of_elements));
    assert_eq!(of(|part| matches!(part, Part::Undo)), words(&of_elements));
    let of_whole: BTreeSet<&str> =
        scenes.iter().map(|scene| scene.story.state.status.as_str()).collect();
    let known = ["running", "waiting", "paused", "completed", "partial", "failed", "cancelled"];
    assert_eq!(of_whole, BTreeSet::from(known));
}

/// What is the same for every outcome of an attempt is said once.
fn shortened(names: &[String]) -> Vec<String> {
    let mut short: Vec<String> = names.to_vec();
    for verb in ["answered", "completed"] {
        for fence in ["its", "a late", "an old", "an unknown"] {
            let words = ["ok", "with a passing fault", "with a lasting fault"];
            let all = words.map(|word| format!("{verb} {word}, {fence} fence"));
            if all.iter().all(|name| short.contains(name)) {
                let first = short.iter().position(|name| *name == all[0]);
                short[first.expect("it is there")] = format!("{verb} anyhow, {fence} fence");
                short.retain(|name| !all.contains(name));
            }
        }
    }
    short
}

/// Writes words onto lines that fit on a page; the first of an outcome is indented, and what goes
/// on is indented more.
fn write_wrapped(table: &mut String, indent: &str, words: &[String], between: &str) {
    let mut line = indent.to_owned();
    for (at, word) in words.iter().enumerate() {
        let last = at + 1 == words.len();
        let word = if last { word.clone() } else { format!("{word}{between}") };
        if line.trim_end().len() + word.trim_end().len() >= LINE_MAX && !line.trim().is_empty() {
            writeln!(table, "{}", line.trim_end()).expect("a text takes text");
            line = format!("{indent}  ");
        }
        line.push_str(&word);
    }
    writeln!(table, "{}", line.trim_end()).expect("a text takes text");
}

const LINE_MAX: usize = 100;

const HEADING: &str = "\
# Transitions

What each input does to a step `s`, an element `m[1]` or what undoes `s`, by where it and its
execution stand. Inputs with the same outcome stand together; below them what follows: the events,
in order, then where the execution stands. `refused` is what whoever sends a message is told;
`rejected` is the answer to an input that nobody waits for. Neither changes anything.
`answered` is the end of a call, `completed` a report of a worker that had answered 202.
The plans are in `src/execution/tests/transitions/scenes.rs`, the inputs beside them; write this
file anew with UPDATE_TRANSITIONS=1.
";

impl Scene {
    fn context<'a>(&self, now: Timestamp, gates: &'a Gates) -> Context<'a> {
        Context { now, gates, slots: self.story.slots, ..self.story.context() }
    }

    /// What follows on an input, in words; what must hold whatever follows is held.
    fn meet(&self, given: &Given) -> String {
        let gates = Gates::default();
        let context = self.context(given.at, &gates);
        let before = &self.story.state;
        let refusal = match &given.input {
            Input::Message(message) => before.applies(message),
            _ => Applies::Yes,
        };
        let mut state = before.clone();
        let decided = decide(before, &context, given.input.clone());
        assert_eq!(state.advance(&context, given.input.clone()), decided, "{}", given.name);
        match (decided, refusal) {
            (Err(rejection), refusal) => {
                assert_eq!(&state, before, "{}: rejected, and it changed something", given.name);
                match refusal {
                    Applies::Yes => format!("rejected: {}", word(rejection)),
                    Applies::Already => "it is so already".to_owned(),
                    Applies::Refused(refusal) => format!("refused: {}", refusal.code),
                }
            }
            (Ok(events), refusal) => {
                assert_eq!(refusal, Applies::Yes, "{}: refused, and yet taken", given.name);
                self.check(given, &state, &events);
                told(&state, &events)
            }
        }
    }

    fn check(&self, given: &Given, state: &State, events: &[Event]) {
        let about = format!("{}: {}", self.name, given.name);
        let journal: Vec<Event> = self.story.journal.iter().chain(events).cloned().collect();
        assert_eq!(&replayed(&journal, &self.story.plan), state, "{about}: by its journal");
        if let Some(budget) = state.budget.filter(|_| !state.status.is_final()) {
            let taken = state.spent.plus(state.reserved).plus(state.kept);
            assert!(taken <= budget, "{about}: {taken} of {budget}");
        }
        if let (Input::Message(message), false) = (&given.input, is_repeatable(&given.input)) {
            assert_ne!(state.applies(message), Applies::Yes, "{about}: twice is once");
        }
        let (last, open) = (events.last(), !state.status.is_final());
        assert_eq!(matches!(last, Some(Event::Finished { .. })), !open, "{about}");
        if open {
            let next = state.next_timer(given.at).expect("something comes, if only the deadline");
            assert!(next > given.at, "{about}: something is due and was not done");
            let all_done = state.paused.is_some() && state.unsettled == 0;
            let why = state.why(given.at);
            assert!(!why.is_empty() || all_done, "{about}: nothing says what it waits for");
            let counts = why.iter().all(|blocked| !blocked.by.kind().is_empty());
            assert!(counts, "{about}: {why:?}");
        }
    }
}

/// What may come more than once and mean something each time.
fn is_repeatable(input: &Input) -> bool {
    match input {
        Input::Message(message) => match message {
            Message::Cancel { .. }
            | Message::Kill { .. }
            | Message::Pause { .. }
            | Message::Retry { .. }
            | Message::Completed { .. }
            | Message::ParentEnded { .. } => false,
            Message::Resume { .. }
            | Message::Rerun { .. }
            | Message::Signal { .. }
            | Message::Heartbeat { .. }
            | Message::ChildEnded { .. } => true,
        },
        _ => true,
    }
}

fn word(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Ended => "the execution has ended",
        Rejection::UnknownFence => "no attempt in flight has the fence",
        Rejection::NotApplicable => "it does not apply",
    }
}

/// Events in words, and where the execution stands after them.
fn told(state: &State, events: &[Event]) -> String {
    let events: Vec<String> = events.iter().map(event).collect();
    let events = if events.is_empty() { "nothing".to_owned() } else { events.join(", ") };
    let standing = match (&state.unwinding, &state.paused) {
        (Some((status, _)), _) => format!("on its way back to {}", status.as_str()),
        (None, Some(PauseReason::Asked)) => "paused".to_owned(),
        (None, Some(PauseReason::Budget { .. })) => "paused by its budget".to_owned(),
        (None, Some(PauseReason::Failure { step })) => format!("parked on {step}"),
        (None, None) => state.status.as_str().to_owned(),
    };
    format!("{events} => {standing}")
}

fn event(event: &Event) -> String {
    let told = serde_json::to_value(event).expect("events are written");
    let field = |key: &str| told[key].as_str().map(|text| format!(" {text}")).unwrap_or_default();
    let steps = told["steps"].as_array().map(|steps| {
        let names: Vec<&str> = steps.iter().filter_map(|step| step.as_str()).collect();
        format!(" {}", names.join("+"))
    });
    let code = told["fault"]["code"].as_str().map(|code| format!(" ({code})")).unwrap_or_default();
    let (kind, step) = (told["type"].as_str().unwrap_or_default(), field("step"));
    let of_whole = if kind == "asked" { field("verb") } else { String::new() };
    format!("{kind}{step}{}{of_whole}{code}", steps.unwrap_or_default())
}
