//! Steps of kind `map`: one call for each element of an array.

use serde_json::Value;

use super::Check;
use super::config::StepConfig;
use super::fields::kind_of;
use crate::expr::Mapping;
use crate::plan::definition::StepDefinition;
use crate::plan::{Each, Tolerated};

impl Check<'_> {
    pub(super) fn each(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        config: &StepConfig,
    ) -> Option<Each> {
        let call = match &config.tool {
            Some(_) => self.tool_call(base, definition, config),
            None => self.call(base, definition, config),
        };
        let items = self.items(&format!("{base}/config/items"), config.items.as_ref());
        Some(Each {
            call: call?,
            items: items?,
            concurrency: config.concurrency,
            tolerated: config.tolerated.unwrap_or(Tolerated::Count(0)),
        })
    }

    fn items(&mut self, pointer: &str, source: Option<&Value>) -> Option<Mapping> {
        let Some(source) = source else {
            let message = "a map says which array it goes through, such as \"$.sources\"";
            self.report(pointer, "config.missing_field", message);
            return None;
        };
        if !source.is_array() && !is_computed(source) {
            let message = format!(
                "`items` is an array or an expression that gives one, not {}",
                kind_of(source)
            );
            self.report(pointer, "config.wrong_type", message);
            return None;
        }
        self.mapping_of_data(pointer, source)
    }
}

/// Whether a mapping is one expression: a path or CEL.
pub(super) fn is_computed(source: &Value) -> bool {
    let sigil = |text: &str, sigil: &str| {
        text.strip_prefix(sigil).is_some_and(|rest| !rest.starts_with(sigil))
    };
    source.as_str().is_some_and(|text| sigil(text, "$") || sigil(text, "="))
}
