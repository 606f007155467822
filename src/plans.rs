//! Compiled plans in isolate memory, by the hash of their definition. A plan never changes, so an
//! entry is never wrong; the oldest goes when there are too many.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use engine::plan::definition::TemplateDefinition;
use engine::plan::{self, Plan, Violation};

use crate::schema::ToolSchemas;

const PLANS_MAX: usize = 128;

thread_local! {
    static PLANS: RefCell<VecDeque<(String, Arc<Plan>)>> = const { RefCell::new(VecDeque::new()) };
}

/// The plan of a definition; compiled when this isolate has not met it.
pub fn plan(hash: &str, definition: &TemplateDefinition) -> Result<Arc<Plan>, Vec<Violation>> {
    let known = PLANS.with_borrow(|plans| {
        plans.iter().find(|(known, _)| known == hash).map(|(_, plan)| Arc::clone(plan))
    });
    if let Some(plan) = known {
        return Ok(plan);
    }
    let plan = Arc::new(Plan::compile_with(definition, &ToolSchemas)?);
    PLANS.with_borrow_mut(|plans| {
        if plans.len() >= PLANS_MAX {
            plans.pop_front();
        }
        plans.push_back((hash.to_owned(), Arc::clone(&plan)));
    });
    Ok(plan)
}

/// What must not be published though it makes a plan: what has started keeps such definitions.
pub fn refused(definition: &TemplateDefinition) -> Vec<Violation> {
    let found = [
        plan::overlooked(definition),
        plan::unpriced(definition),
        plan::unusable(definition, &ToolSchemas),
        plan::unavailable(definition),
    ];
    found.concat()
}
