//! The seeded simulation of the shipped machines: see `testkit::sim`.
//!
//! `SEED=n cargo test -p testkit --test sim` lives through one seed and tells its story;
//! `SEEDS=n cargo test --release -p testkit --test sim` lives through the first n, from `FROM` on.

use testkit::sim::{Report, Sabotage, run, tell};

/// Seeds that are lived through where nobody says how many.
const SEEDS_DEFAULT: u64 = 10_000;
/// Seeds within which the loss of any protection must show.
const TEETH_SEEDS: u64 = 1_000;
const THREADS: u64 = 2;

/// Which seeds, is this test's own question.
#[expect(clippy::disallowed_methods, reason = "nothing is configured by it but this test")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number of seeds"))
}

/// Lives through seeds on all threads; the first that fails is told.
fn live(from: u64, count: u64) -> Report {
    let slices = (0..THREADS).map(|thread| {
        move || {
            let mut sum = Report::default();
            for seed in (from + thread..from + count).step_by(THREADS as usize) {
                let report = run(seed, None).unwrap_or_else(|failure| panic!("{failure}"));
                sum.add(&report);
            }
            sum
        }
    });
    std::thread::scope(|scope| {
        let threads: Vec<_> = slices.map(|slice| scope.spawn(slice)).collect();
        let mut sum = Report::default();
        for thread in threads {
            match thread.join() {
                Ok(report) => sum.add(&report),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        sum
    })
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = asked("SEED") {
        let (story, ended) = tell(seed, None);
        for line in story {
            println!("{line}");
        }
        println!("{:?}", ended.unwrap_or_else(|failure| panic!("{failure}")));
        return;
    }
    let (from, count) = (asked("FROM").unwrap_or(0), asked("SEEDS").unwrap_or(SEEDS_DEFAULT));
    let sum = live(from, count);
    println!("{count} seeds: {sum:?}");
    assert!(sum.executions >= count, "the worlds are empty: {sum:?}");
    assert!(
        sum.compared * 4 > sum.executions - sum.children,
        "hardly any outcome is compared: {sum:?}"
    );
    assert!(sum.faults > count && sum.taken > count / 4, "hardly anything fails: {sum:?}");
    let rare = [sum.verbs, sum.children, sum.elements, sum.compensations, sum.reopened];
    assert!(rare.iter().all(|times| *times > count / 50), "hardly anything happens: {sum:?}");
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..20 {
        assert_eq!(run(seed, None).ok(), run(seed, None).ok(), "seed {seed}");
    }
}

/// The first seed that notices what was taken out, and what it noticed.
fn noticed(sabotage: Sabotage) -> (u64, String) {
    let failure = (0..TEETH_SEEDS).find_map(|seed| run(seed, Some(sabotage)).err());
    let failure =
        failure.unwrap_or_else(|| panic!("{TEETH_SEEDS} seeds live without {sabotage:?}"));
    println!("{sabotage:?}: seed {} at {} ms: {}", failure.seed, failure.at_ms, failure.what);
    (failure.seed, failure.what)
}

#[test]
fn without_the_epoch_check_it_fails() {
    let (_, what) = noticed(Sabotage::EpochCheck);
    assert!(what.contains("is accepted under"), "{what}");
}

#[test]
fn without_the_sequence_check_it_fails() {
    noticed(Sabotage::SequenceCheck);
}

#[test]
fn without_the_fence_check_it_fails() {
    let (_, what) = noticed(Sabotage::FenceCheck);
    assert!(what.contains("did not bring"), "{what}");
}

#[test]
fn without_the_inbox_check_it_fails() {
    let (_, what) = noticed(Sabotage::InboxCheck);
    assert!(what.contains("entries came in"), "{what}");
}

#[test]
fn without_the_resend_of_hints_it_fails() {
    let (_, what) = noticed(Sabotage::HintResend);
    assert!(what.contains("it does not end"), "{what}");
}

#[test]
fn without_reservations_it_fails() {
    let (_, what) = noticed(Sabotage::Reservation);
    assert!(what.contains("budget") || what.contains("have charged"), "{what}");
}

#[test]
fn without_acknowledgements_it_fails() {
    let (_, what) = noticed(Sabotage::Acknowledgement);
    // What is handed out for ever keeps drivers going round.
    assert!(what.contains("twice") || what.contains("in circles"), "{what}");
}

#[test]
fn without_the_notices_of_children_it_fails() {
    let (_, what) = noticed(Sabotage::ChildNotice);
    assert!(what.contains("it does not end"), "{what}");
}

#[test]
fn without_reopening_it_fails() {
    let (_, what) = noticed(Sabotage::Reopening);
    assert!(what.contains("is not opened again"), "{what}");
}

#[test]
fn without_compensation_it_fails() {
    let (_, what) = noticed(Sabotage::Compensation);
    // Nor is the money kept that undoing would take.
    assert!(what.contains("is not undone") || what.contains("kept, of a budget"), "{what}");
}

#[test]
fn without_gates_it_fails() {
    let (_, what) = noticed(Sabotage::Gate);
    assert!(what.contains("without a permit"), "{what}");
}

#[test]
fn without_schemas_it_fails() {
    let (_, what) = noticed(Sabotage::Schemas);
    assert!(what.contains("what it must not give") || what.contains("does not take"), "{what}");
}

#[test]
fn without_the_write_ahead_it_fails() {
    let (_, what) = noticed(Sabotage::WriteAhead);
    assert!(what.contains("before that is durable"), "{what}");
}
