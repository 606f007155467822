//! From checked steps to a plan: put into order and linked. Nothing can be wrong any more.

use super::definition::TemplateDefinition;
use super::{Plan, Step, StepIndex, StepSet};
use crate::expr::Mapping;
use crate::time::Millis;

/// Puts checked steps into plan order and links them.
pub(super) fn assemble(
    definition: &TemplateDefinition,
    steps: Vec<Step>,
    needs: &[Vec<usize>],
    order: &[usize],
    output: Option<Mapping>,
) -> Plan {
    let mut place = vec![StepIndex(0); order.len()];
    for (position, at) in order.iter().enumerate() {
        place[*at] = StepIndex(u32::try_from(position).expect("at most STEPS_MAX steps"));
    }
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let mut planned: Vec<Step> = Vec::with_capacity(order.len());
    for (position, at) in order.iter().enumerate() {
        let mut step = slots[*at].take().expect("an order names each step once");
        step.required = needs[*at].iter().map(|need| place[*need]).collect();
        step.required.sort_unstable();
        step.dependencies = step.required.clone();
        if !definition.allow_parallel && position > 0 {
            let previous = place[order[position - 1]];
            if !step.dependencies.contains(&previous) {
                step.dependencies.push(previous);
            }
        }
        step.dependencies.sort_unstable();
        let mut ancestors = StepSet::default();
        for need in &step.dependencies {
            ancestors.insert(*need);
            ancestors.extend(&planned[need.position()].ancestors);
            planned[need.position()].dependents.push(place[*at]);
        }
        step.ancestors = ancestors;
        planned.push(step);
    }
    let named = planned.iter().enumerate().map(|(position, step)| {
        (step.name.clone(), StepIndex(u32::try_from(position).expect("at most STEPS_MAX steps")))
    });
    Plan {
        name: definition.name.clone(),
        failure_tolerance: definition.failure_tolerance,
        allow_parallel: definition.allow_parallel,
        by_name: named.collect(),
        output,
        deadline: definition.deadline_ms.map(Millis::new),
        steps: planned,
    }
}
