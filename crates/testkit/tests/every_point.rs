//! Every fault at every point: the shipped machines of execution, driver and shard, over every
//! fixture template and small ones beside them. Nothing is drawn: each world has one fault, and
//! there is a world for each point at which it can strike.

#[path = "every_point/cases.rs"]
mod cases;
#[path = "every_point/check.rs"]
mod check;
#[path = "every_point/fault.rs"]
mod fault;
#[path = "every_point/network.rs"]
mod network;
#[path = "every_point/node.rs"]
mod node;
#[path = "every_point/outcome.rs"]
mod outcome;
#[path = "every_point/workers.rs"]
mod workers;
#[path = "every_point/world.rs"]
mod world;

use cases::Case;
use engine::execution::{Message, Status, StepStatus};
use fault::{Fault, Ill, Odd, Points, Post, Verb};
use outcome::Outcome;
use world::{Sabotage, World};

/// The world without a fault, and the points that there are in it.
fn smooth(case: &Case) -> (Outcome, Points) {
    let mut world = World::new(case, &[], None);
    let outcome = world.live().unwrap_or_else(|what| panic!("{}: {what}", case.name));
    (outcome, world.points)
}

/// What becomes of each template when one of its units fails for good.
const FOR_GOOD: &str = include_str!("every_point/for_good.txt");

/// How executions end that an hour is missing from: they are given up, or what they wait for is, or
/// the execution that they began, or the way back.
const OVERDUE: [&str; 4] =
    ["execution.deadline_exceeded", "wait.timed_out", "pipeline.failed", "compensation.failed"];

/// At most so many failures are told of.
const TOLD_MAX: usize = 6;

/// What must hold of a world that has come to rest: it, its case and the outcome without a fault.
type Judge = fn(&mut World<'_>, &Outcome, Outcome) -> Result<(), String>;

/// Lives through a world for each fault, and judges what it comes to.
fn live(kind: &str, faults: fn(&Points) -> Vec<Fault>, judge: Judge) {
    let (mut worlds, mut told) = (Vec::new(), Vec::new());
    for case in cases::all() {
        let (smooth, points) = smooth(case);
        let faults = faults(&points);
        worlds.push(format!("{} {}", case.name, faults.len()));
        for fault in faults {
            let mut world = World::new(case, std::slice::from_ref(&fault), None);
            let held = world.live().and_then(|outcome| judge(&mut world, &smooth, outcome));
            if let Err(what) = held {
                told.push(format!("{} with {fault:?}: {what}", case.name));
            }
        }
    }
    println!("{kind}: {}", worlds.join(", "));
    let count = told.len();
    told.truncate(TOLD_MAX);
    assert!(told.is_empty(), "{kind}: {count} worlds fail, such as\n{}", told.join("\n"));
}

fn same(world: &mut World<'_>, smooth: &Outcome, outcome: Outcome) -> Result<(), String> {
    smooth.apart(&outcome, world.case.races).map_or(Ok(()), Err)
}

/// The same at the same price, where nobody's answer was lost.
fn same_price(world: &mut World<'_>, smooth: &Outcome, outcome: Outcome) -> Result<(), String> {
    let (price, spent) = (smooth.spent, outcome.spent);
    same(world, smooth, outcome)?;
    let lost = |fault: &Fault| match fault {
        Fault::Answer { odd, .. } => *odd == Odd::Late,
        Fault::Message { post, .. } => matches!(post, Post::Lost | Post::ReplyLost),
        Fault::Unit { ill, .. } => *ill != Ill::Busy,
        _ => false,
    };
    let dearer = spent != price && !world.struck(lost);
    if dearer { Err(format!("it cost {spent} instead of {price}")) } else { Ok(()) }
}

#[test]
fn a_unit_that_fails_once_changes_nothing() {
    live("ill once", fault::once_ill, same_price);
}

#[test]
fn an_answer_that_comes_twice_or_late_changes_nothing() {
    live("odd answers", fault::odd_answers, same_price);
}

#[test]
fn a_driver_may_die_at_whatever_it_does() {
    live("deaths", fault::deaths, same);
}

#[test]
fn another_driver_may_take_over_from_one_that_lives_on() {
    live("zombies", fault::zombies, same);
}

#[test]
fn each_message_may_be_lost_doubled_and_late() {
    live("messages", fault::messages, same_price);
}

#[test]
fn the_shard_may_restart_before_and_after_each_message() {
    live("restarts", fault::restarts, same_price);
}

#[test]
fn the_clock_may_jump_at_any_moment() {
    live("jumps", fault::jumps, |world, smooth, outcome| {
        let far = world.struck(|fault| matches!(fault, Fault::Jump { ms: 3_600_000, .. }));
        match outcome.fault.as_deref() {
            Some(code) if far && OVERDUE.contains(&code) => Ok(()),
            _ => same(world, smooth, outcome),
        }
    });
}

/// Whoever is called off has ended so, unless it was over before; done anew, it comes to the same.
fn called_off(
    world: &mut World<'_>,
    smooth: &Outcome,
    (outcome, code): (Outcome, &str),
) -> Result<(), String> {
    if smooth.apart(&outcome, world.case.races).is_none() {
        return Ok(());
    }
    if outcome.status != Status::Cancelled || outcome.fault.as_deref() != Some(code) {
        return Err(format!("it is neither over nor called off: {outcome}"));
    }
    match world.ask(&Message::Retry { asked: fault::asked() })? {
        Some(outcome) => same(world, smooth, outcome),
        None => Err(format!("what was called off cannot be done anew: {outcome}")),
    }
}

#[test]
fn whoever_is_cancelled_at_any_moment_ends_so_and_can_be_done_anew() {
    live("cancels", fault::cancels, |world, smooth, outcome| {
        called_off(world, smooth, (outcome, "execution.cancelled"))
    });
}

#[test]
fn whoever_is_killed_at_any_moment_ends_so_and_can_be_done_anew() {
    live("kills", fault::kills, |world, smooth, outcome| {
        called_off(world, smooth, (outcome, "execution.killed"))
    });
}

#[test]
fn a_pause_at_any_moment_changes_nothing() {
    live("pauses", fault::pauses, same_price);
}

#[test]
fn a_unit_that_fails_for_good_has_the_end_that_is_written_down_and_can_be_done_anew() {
    live("ill for good", fault::ill_for_good, |world, smooth, outcome| {
        let unit = world.faults.iter().find_map(|fault| match fault {
            Fault::Unit { unit, .. } => Some(unit.clone()),
            _ => None,
        });
        let told = format!("{} {}: {outcome}", world.case.name, unit.unwrap_or_default());
        if !FOR_GOOD.lines().any(|line| line == told) {
            return Err(format!("nowhere is written\n{told}"));
        }
        // Somebody stood in, or it was not needed.
        if outcome.status == Status::Completed {
            return Ok(());
        }
        match world.ask(&Message::Retry { asked: fault::asked() })? {
            Some(outcome) => same(world, smooth, outcome),
            None => Err(format!("what failed cannot be done anew: {outcome}")),
        }
    });
}

#[test]
fn the_ends_that_are_written_down_are_all_there_are() {
    let count: usize = cases::all().iter().map(|case| smooth(case).1.units.len()).sum();
    assert_eq!(FOR_GOOD.lines().count(), count);
}

/// Each step and the first and last element of each map, done anew when all is over.
#[test]
fn each_step_can_be_done_anew_and_nothing_else_is_with_it() {
    for case in cases::all() {
        let (smooth, points) = smooth(case);
        let elements = points.units.iter().filter(|unit| unit.ends_with(']'));
        let elements = elements.filter_map(|unit| Some(unit.split_once(':')?.1));
        for step in case.steps().chain(elements) {
            let mut world = World::new(case, &[], None);
            let (asked, path) = (fault::asked(), step.to_owned());
            let message = Message::Rerun { asked, step: path, input: None };
            let anew = world.live().and_then(|_| world.ask(&message));
            // What was undone as a whole is done anew as a whole.
            let undone = smooth.steps.iter().any(|of| {
                of.status == StepStatus::Compensated && step.starts_with(&format!("{}[", of.name))
            });
            let judged = anew.and_then(|outcome| {
                if undone && outcome.is_none() {
                    return Ok(());
                }
                let outcome = outcome.ok_or("it is refused")?;
                same(&mut world, &smooth, outcome)?;
                world.check_generations(step)
            });
            judged.unwrap_or_else(|what| panic!("{}, `{step}` anew: {what}", case.name));
        }
    }
}

/// Deaths before what is asked for is done, and after it, take turns.
const DEATHS_EVERY: usize = 3;

/// Two faults: whoever is cancelled and loses its driver on the way back.
#[test]
fn a_driver_may_die_while_what_was_done_is_undone() {
    for name in ["compensation", "approved", "nested_undone", "map_undone"] {
        let case = cases::case(name);
        let (smooth, points) = smooth(case);
        let mut worlds = 0;
        for cancel in fault::cancels(&points) {
            let mut world = World::new(case, std::slice::from_ref(&cancel), None);
            let before = world.live().unwrap_or_else(|what| panic!("{name} {cancel:?}: {what}"));
            // What comes too late was lived through without it.
            if before.status != Status::Cancelled {
                continue;
            }
            for death in fault::deaths(&world.points).into_iter().step_by(DEATHS_EVERY) {
                let faults = [cancel.clone(), death];
                worlds += 1;
                let mut world = World::new(case, &faults, None);
                let judged = world.live().and_then(|outcome| {
                    called_off(&mut world, &smooth, (outcome, "execution.cancelled"))
                });
                judged.unwrap_or_else(|what| panic!("{name} {faults:?}: {what}"));
            }
        }
        println!("cancelled, and deaths: {name} {worlds}");
    }
}

/// Of two faults together, one in so many of the first and of the second are lived through.
const FIRST_EVERY: usize = 7;
const SECOND_EVERY: usize = 23;

/// Two faults: the second strikes what the first one left.
#[test]
fn a_second_fault_changes_nothing_either() {
    let firsts = [fault::once_ill, fault::pauses, fault::cancels, fault::kills, fault::odd_answers];
    let seconds = [fault::deaths, fault::messages, fault::restarts, fault::zombies];
    let (mut nth, mut worlds) = (0, 0);
    for case in cases::all() {
        let (smooth, points) = smooth(case);
        for first in firsts.iter().flat_map(|faults| faults(&points)).step_by(FIRST_EVERY) {
            let mut world = World::new(case, std::slice::from_ref(&first), None);
            world.live().unwrap_or_else(|what| panic!("{} {first:?}: {what}", case.name));
            for second in seconds.iter().flat_map(|faults| faults(&world.points)) {
                nth += 1;
                if nth % SECOND_EVERY != 0 {
                    continue;
                }
                worlds += 1;
                let faults = [first.clone(), second];
                let mut world = World::new(case, &faults, None);
                let judged = world.live().and_then(|outcome| match first {
                    Fault::Verb { verb: Verb::Cancel, .. } => {
                        called_off(&mut world, &smooth, (outcome, "execution.cancelled"))
                    }
                    Fault::Verb { verb: Verb::Kill, .. } => {
                        called_off(&mut world, &smooth, (outcome, "execution.killed"))
                    }
                    _ => same(&mut world, &smooth, outcome),
                });
                judged.unwrap_or_else(|what| panic!("{} {faults:?}: {what}", case.name));
            }
        }
    }
    println!("two faults: {worlds}");
}

/// A fault while the first step is done anew, and all that depends on it.
#[test]
fn a_fault_while_steps_are_done_anew_changes_nothing() {
    let kinds = [fault::deaths, fault::messages, fault::restarts, fault::zombies];
    let mut worlds = 0;
    for case in cases::all() {
        let (asked, step) = (fault::asked(), case.steps().next().expect("it has steps").to_owned());
        let message = Message::Rerun { asked, step, input: None };
        let mut world = World::new(case, &[], None);
        let smooth = world.live().unwrap_or_else(|what| panic!("{}: {what}", case.name));
        let before = world.points.clone();
        let anew = world.ask(&message);
        assert!(anew.as_ref().is_ok_and(Option::is_some), "{}: {anew:?}", case.name);
        for faults in kinds {
            let known = faults(&before);
            for fault in faults(&world.points).into_iter().filter(|fault| !known.contains(fault)) {
                worlds += 1;
                let mut world = World::new(case, std::slice::from_ref(&fault), None);
                let anew = world.live().and_then(|_| world.ask(&message));
                let judged = anew
                    .and_then(|outcome| same(&mut world, &smooth, outcome.ok_or("it is refused")?));
                judged.unwrap_or_else(|what| panic!("{} {fault:?} anew: {what}", case.name));
            }
        }
    }
    println!("faults while steps are done anew: {worlds}");
}

/// What the worlds are for: without one of the protections, some of them fail.
#[test]
fn the_loss_of_a_protection_shows() {
    type Faults = fn(&Points) -> Vec<Fault>;
    let losses: [(Sabotage, Faults); 4] = [
        (Sabotage::Epochs, fault::zombies),
        (Sabotage::Sequences, fault::messages),
        (Sabotage::Fences, fault::odd_answers),
        (Sabotage::WriteAhead, fault::deaths),
    ];
    for (sabotage, faults) in losses {
        let mut noticed = Vec::new();
        for case in cases::all() {
            let (smooth, points) = smooth(case);
            for fault in faults(&points) {
                let mut world = World::new(case, std::slice::from_ref(&fault), Some(sabotage));
                let held = world.live().and_then(|outcome| same(&mut world, &smooth, outcome));
                noticed.extend(held.err().map(|what| format!("{} {fault:?}: {what}", case.name)));
            }
        }
        println!(
            "without {sabotage:?}: {} worlds fail, such as {:?}",
            noticed.len(),
            noticed.first()
        );
        assert!(!noticed.is_empty(), "nobody notices that {sabotage:?} are gone");
    }
}
