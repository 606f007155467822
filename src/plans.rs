//! Compiled plans in isolate memory, by the hash of their definition. A plan never changes, so an
//! entry is never wrong; the oldest goes when there are too many.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use engine::plan::definition::{StepKind, TemplateDefinition};
use engine::plan::{self, Plan, Violation};

use crate::schema::{ToolSchemas, escape, registered};

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
        forms(definition),
    ];
    found.concat()
}

/// Forms of approvals that are no JSON Schemas within limits, of the definition and of those that
/// it reaches.
fn forms(definition: &TemplateDefinition) -> Vec<Violation> {
    let nested = definition.templates.iter();
    let nested = nested.map(|(name, nested)| (format!("/templates/{}", escape(name)), nested));
    let all = std::iter::once((String::new(), definition)).chain(nested);
    all.flat_map(|(prefix, definition)| forms_of(&prefix, definition)).collect()
}

fn forms_of(prefix: &str, definition: &TemplateDefinition) -> Vec<Violation> {
    let steps = definition.steps.iter().enumerate().filter(|(_, step)| step.kind == StepKind::Wait);
    let forms = steps.filter_map(|(at, step)| {
        let form = step.config.as_ref()?.get("approval")?.get("form")?;
        let pointer = format!("{prefix}/steps/{at}/config/approval/form");
        form.is_object().then(|| registered::check(form, &pointer))
    });
    let coded =
        |found: Violation| Violation { code: "approval.malformed_form".to_owned(), ..found };
    forms.flatten().map(coded).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_form_of_an_approval_is_a_schema_within_limits() {
        let with = |form: serde_json::Value| -> TemplateDefinition {
            let config = json!({"approval": {"form": form}});
            let step = json!({"name": "w", "order": 1, "kind": "wait", "config": config});
            let inner = json!({"name": "inner", "steps": [step]});
            serde_json::from_value(json!({
                "name": "t", "steps": [step], "templates": { "inner": inner },
            }))
            .unwrap()
        };
        assert_eq!(forms(&with(json!({"type": "object", "required": ["note"]}))), []);
        for (form, place) in [
            (json!({"type": "strnig"}), "/type"),
            (json!({"properties": {"a": {"pattern": "("}}}), "/properties/a/pattern"),
            (json!({"$ref": "https://remote.example/form.json"}), "/$ref"),
        ] {
            let found = forms(&with(form.clone()));
            let places: Vec<&str> = found.iter().map(|found| found.pointer.as_str()).collect();
            let place = format!("/steps/0/config/approval/form{place}");
            assert_eq!(places, [place.clone(), format!("/templates/inner{place}")], "{form}");
            assert!(found.iter().all(|found| found.code == "approval.malformed_form"));
        }
    }
}
