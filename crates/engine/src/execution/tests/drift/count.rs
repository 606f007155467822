//! The count from the start.

use std::collections::{BTreeMap, BTreeSet};

use crate::execution::{Part, State, StepStatus, Unit, Work};
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// Every count of the state is what there is, and the state is one that goes on.
pub fn check(state: &State, now: Timestamp, name: &str) {
    let units = units(state);
    attempts(state, &units, name);
    moments(state, &units, name);
    steps(state, name);
    maps(state, name);
    money(state, name);
    if state.status.is_final() {
        assert!(state.in_flight.is_empty() && state.next_timer(now).is_none(), "{name}");
        return;
    }
    let next = state.next_timer(now).expect("a deadline comes");
    assert!(next > now, "{name}: something is due and was not done: {:?}", state.why(now));
    let all_done = state.paused.is_some() && state.unsettled == 0;
    assert!(all_done || !state.why(now).is_empty(), "{name}: nothing says what it waits for");
}

fn units(state: &State) -> Vec<(Unit, &Work)> {
    let mut units = Vec::new();
    for index in state.plan.indices() {
        let step = state.step(index);
        units.push((Unit::whole(index), &step.work));
        for (element, at) in step.map.iter().flat_map(|map| &map.elements).zip(0..) {
            units.push((Unit::element(index, at), element));
        }
        units.extend(step.undo.as_deref().map(|undo| (Unit::undo(index), undo)));
    }
    units
}

fn attempts(state: &State, units: &[(Unit, &Work)], name: &str) {
    let attempts = || units.iter().filter_map(|(unit, work)| Some((*unit, work.attempt.as_ref()?)));
    let in_flight: BTreeMap<_, _> = attempts().map(|(unit, a)| (a.fence, unit)).collect();
    assert_eq!(state.in_flight, in_flight, "{name}");
    let deadlines: BTreeSet<_> = attempts().map(|(_, a)| (a.deadline_at, a.fence)).collect();
    assert_eq!(state.attempt_deadlines, deadlines, "{name}");
    let handed_over = attempts().filter(|(_, attempt)| attempt.is_handed_over()).count();
    assert_eq!(state.handed_over, handed_over, "{name}");
    let reserved = attempts().fold(MicroUsd::ZERO, |sum, (_, a)| sum.plus(a.reserved));
    assert_eq!(state.reserved, reserved, "{name}");
    for (unit, work) in units {
        let settled = work.status.is_settled();
        assert!(!(settled && work.attempt.is_some()), "{name}: {unit:?} is settled and in flight");
        let running = work.status == StepStatus::Running;
        let map = unit.part == Part::Whole && state.step(unit.step).map.is_some();
        assert_eq!(work.attempt.is_some(), running && !map, "{name}: {unit:?}");
    }
}

fn moments(state: &State, units: &[(Unit, &Work)], name: &str) {
    let open = || units.iter().filter(|(_, work)| !work.status.is_settled());
    let due: BTreeSet<_> = open().filter_map(|(unit, w)| Some((w.retry_at?, *unit))).collect();
    assert_eq!(state.retrying, due, "{name}");
    let due: BTreeSet<_> = open().filter_map(|(unit, w)| Some((w.give_up_at?, *unit))).collect();
    assert_eq!(state.unit_deadlines, due, "{name}");
    let plan = &state.plan;
    let ready = plan.indices().filter(|index| state.step(*index).status == StepStatus::Ready);
    let ready: Vec<_> = ready.collect();
    let by_order: BTreeSet<_> = ready.iter().map(|i| (plan.step(*i).order, *i)).collect();
    assert_eq!(state.ready, by_order, "{name}");
    let queue = ready.iter().filter_map(|index| {
        let at = state.step(*index).ready_at?;
        Some((at.plus(plan.step(*index).queue_timeout?), *index))
    });
    let queue: BTreeSet<_> = queue.collect();
    assert_eq!(state.queue_deadlines, queue, "{name}");
    let waits = plan.indices().filter_map(|i| Some((state.step(i).wait.as_ref()?, i)));
    let (waiting, until): (BTreeSet<_>, Vec<_>) =
        waits.map(|(wait, index)| (index, wait.until.map(|until| (until, index)))).unzip();
    assert_eq!(state.waiting, waiting, "{name}");
    assert_eq!(state.waits, until.into_iter().flatten().collect(), "{name}");
    for index in plan.indices() {
        let is = state.step(index).status == StepStatus::Waiting;
        assert_eq!(waiting.contains(&index), is, "{name}");
    }
}

fn steps(state: &State, name: &str) {
    let count =
        |is: fn(StepStatus) -> bool| state.steps.iter().filter(|step| is(step.status)).count();
    assert_eq!(state.unsettled, count(|status| !status.is_settled()), "{name}");
    let busy = |status| matches!(status, StepStatus::Running | StepStatus::Retrying);
    assert_eq!(state.busy, count(busy), "{name}");
    if state.status.is_final() {
        return;
    }
    for index in state.plan.indices() {
        let open = state.plan.step(index).dependencies.iter();
        let open = open.filter(|on| !state.step(**on).status.is_settled()).count();
        assert_eq!(state.step(index).waits_for as usize, open, "{name}");
    }
}

fn maps(state: &State, name: &str) {
    let mut open = BTreeSet::new();
    for index in state.plan.indices() {
        let step = state.step(index);
        let Some(map) = &step.map else { continue };
        let count = |is: fn(StepStatus) -> bool| {
            let matching = map.elements.iter().filter(|element| is(element.status)).count();
            u32::try_from(matching).expect("few")
        };
        assert_eq!(map.settled, count(StepStatus::is_settled), "{name}");
        assert_eq!(map.failed, count(|status| status == StepStatus::Failed), "{name}");
        let busy = |status| matches!(status, StepStatus::Running | StepStatus::Retrying);
        assert_eq!(map.busy, count(busy), "{name}");
        let numbered = map.elements.iter().zip(0_u32..);
        let pending = numbered.filter(|(element, _)| element.status == StepStatus::Ready);
        let pending: BTreeSet<u32> = pending.map(|(_, at)| at).collect();
        assert_eq!(map.pending, pending, "{name}");
        if !pending.is_empty() {
            assert!(!step.status.is_settled(), "{name}: elements of a map that is settled");
            open.insert((state.plan.step(index).order, index));
        }
    }
    assert_eq!(state.open_maps, open, "{name}");
}

fn money(state: &State, name: &str) {
    let spent = state.steps.iter().fold(MicroUsd::ZERO, |sum, step| sum.plus(step.cost));
    assert_eq!(state.spent, spent, "{name}");
    if state.status.is_final() {
        return;
    }
    let kept = state.plan.indices().filter(|index| {
        let step = state.step(*index);
        let map = step.map.is_some() && !step.status.is_settled();
        step.undo.is_none() && (map || step.is_to_be_undone())
    });
    let kept = kept.fold(MicroUsd::ZERO, |sum, index| sum.plus(state.undo_price(index)));
    assert_eq!(state.kept, kept, "{name}");
}

/// What is spent and may have to be spent fits in the budget. What is kept for a map that was begun
/// anew and has nothing to undo yet may not: then none of its elements begins.
pub fn budget(state: &State, name: &str) {
    if state.status.is_final() {
        return;
    }
    if let Some(budget) = state.budget {
        let idle = state.plan.indices().filter(|index| {
            let step = state.step(*index);
            let mut elements = step.map.iter().flat_map(|map| &map.elements);
            let rests = elements.all(|element| element.attempt.is_none());
            step.map.is_some() && !step.status.is_settled() && rests && !step.is_to_be_undone()
        });
        let idle = idle.fold(MicroUsd::ZERO, |sum, index| sum.plus(state.undo_price(index)));
        let taken = state.spent.plus(state.reserved).plus(state.kept.minus(idle));
        assert!(taken <= budget, "{name}: {taken} of {budget}");
    }
}
