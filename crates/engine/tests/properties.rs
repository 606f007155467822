//! What holds for every execution: random plans, random answers, clocks that jump, drivers that are
//! lost. The rules themselves are in `random::watch`, which knows nothing but the events.

mod random;

use engine::execution::{Event, Input};
use engine::time::Millis;
use proptest::prelude::*;
use proptest::test_runner::Config;
use random::plans::case;
use random::schedule::{answer, moves};
use random::watch::Watch;

/// More rounds than any execution of these sizes needs to its end.
const ROUNDS_MAX: usize = 500;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// A patient driver and workers that always answer: whatever happened before, it ends.
fn drive_to_the_end(watch: &mut Watch) {
    for _ in 0..ROUNDS_MAX {
        watch.context.slots = 4;
        watch.context.latest_end = watch.context.now.plus(Millis::from_secs(1_000_000));
        watch.input(Input::Resume);
        if watch.has_ended() {
            return;
        }
        let first = watch.state.in_flight().next();
        if let Some((fence, _)) = first {
            watch.input(answer(fence, 9, Some(1), 0.25));
        } else {
            watch.context.now = watch.next_timer();
            watch.input(Input::Tick);
        }
    }
    panic!("no end in {ROUNDS_MAX} rounds: {:?}", watch.state.why(watch.context.now));
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn every_execution_keeps_the_rules_and_ends(case in case(), moves in moves()) {
        let mut watch = Watch::begin(&case);
        for one in &moves {
            one.make(&mut watch);
        }
        watch.check_replay();
        drive_to_the_end(&mut watch);
        watch.check_replay();
    }

    #[test]
    fn an_execution_that_nobody_answers_ends_at_its_limits(case in case(), slots in 0..5u32) {
        let mut watch = Watch::begin(&case);
        for _ in 0..ROUNDS_MAX {
            if watch.has_ended() {
                break;
            }
            watch.context.slots = slots;
            watch.context.now = watch.next_timer();
            watch.input(Input::Tick);
        }
        prop_assert!(watch.has_ended());
        let terms = &watch.state.started.terms;
        let paused = watch.journal.iter().any(|event| matches!(event, Event::Paused { .. }));
        let idle = if paused { terms.waiting_max } else { Millis::ZERO };
        let latest = watch.state.started.at.plus(terms.deadline).plus(idle);
        prop_assert!(watch.context.now <= latest);
        watch.check_replay();
    }

    #[test]
    fn numbers_come_back_from_the_journal_to_the_bit(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let text = serde_json::to_string(&number).unwrap();
        let back: f64 = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.to_bits(), bits);
    }
}
