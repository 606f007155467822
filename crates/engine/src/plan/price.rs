//! Prices: which workers of a definition nobody knows the price of.

use std::collections::BTreeSet;

use super::Violation;
use super::compile::escape;
use super::definition::TemplateDefinition;

/// Workers and tools without an estimated cost, each once: no budget could be kept with them. A
/// definition that has any is not to be published or started. [`super::Plan::compile`] takes it all
/// the same, because definitions from before this rule must compile for ever.
pub fn unpriced(definition: &TemplateDefinition) -> Vec<Violation> {
    let nested = definition.templates.iter();
    let nested = nested.map(|(name, nested)| (format!("/templates/{}", escape(name)), nested));
    let mut met: BTreeSet<&str> = BTreeSet::new();
    let mut met_tools: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for (prefix, definition) in std::iter::once((String::new(), definition)).chain(nested) {
        for (name, worker) in &definition.workers {
            if worker.estimated_cost.is_none() && met.insert(name) {
                let name_part = escape(name);
                found.push(Violation {
                    pointer: format!("{prefix}/workers/{name_part}/estimated_cost"),
                    code: "worker.unpriced".to_owned(),
                    message: format!(
                        "nobody knows what a call of worker `{name}` costs: set its \
                         estimated_cost_usd in worker_registry; 0 is a price"
                    ),
                });
            }
        }
        for (name, tool) in &definition.tools {
            if tool.estimated_cost.is_none() && met_tools.insert(name) {
                found.push(Violation {
                    pointer: format!("{prefix}/tools/{}/estimated_cost", escape(name)),
                    code: "tool.unpriced".to_owned(),
                    message: format!(
                        "nobody knows what a call of tool `{}` costs: PUT /tools/{}/terms sets \
                         its estimated_cost_usd; 0 is a price",
                        tool.name, tool.id
                    ),
                });
            }
        }
    }
    found
}
