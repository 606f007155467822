//! Steps of kind `pipeline`: another template, as an execution of its own.

use super::Check;
use super::fields::Fields;
use crate::money::{MicroUsd, USD_MAX};
use crate::plan::Sub;
use crate::plan::definition::{StepDefinition, TEMPLATES_MAX};

/// The settings of a `pipeline` step.
#[derive(Default)]
pub(super) struct Settings {
    template: Option<String>,
    budget: Option<MicroUsd>,
    refuses_partial: bool,
}

impl Fields<'_, '_> {
    pub(super) fn sub(&mut self) -> Settings {
        if !self.has("template") {
            self.missing("template", "a step of kind `pipeline` names its template");
        }
        let budget = self.number("budget_usd");
        let budget = budget.and_then(|usd| {
            let budget = MicroUsd::from_usd(usd);
            if budget.is_none() {
                self.out_of_range("budget_usd", usd, 0, USD_MAX);
            }
            budget
        });
        Settings {
            template: self.text("template"),
            budget,
            refuses_partial: self.flag("accept_partial") == Some(false),
        }
    }
}

impl Check<'_> {
    pub(super) fn sub(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        settings: Settings,
    ) -> Option<Sub> {
        self.asks_no_worker(base, definition, "a step of kind `pipeline`");
        let surplus = [("timeout_ms", definition.timeout_ms.is_some())];
        let why = "the template's deadline_ms and the retry policy's total_deadline_ms limit it";
        self.surplus(base, why, &surplus);
        let Settings { template, budget, refuses_partial } = settings;
        let template = template?;
        let known = &self.outermost.templates;
        // Of too many not all are there; that there are too many is said elsewhere.
        if !known.contains_key(&template) && known.len() <= TEMPLATES_MAX {
            let message = format!("there is no template `{template}`");
            self.report(format!("{base}/config/template"), "pipeline.unknown_template", message);
            return None;
        }
        let cost_min = self.cost_min(&template);
        Some(Sub { template, cost_min, budget, accepts_partial: !refuses_partial })
    }

    /// What a template costs at least. Only the outermost plan is made: in a nested definition,
    /// which is checked and no more, nobody asks.
    fn cost_min(&mut self, template: &str) -> MicroUsd {
        if !self.prefix.is_empty() {
            return MicroUsd::ZERO;
        }
        if let Some(cost) = self.costs.get(template) {
            return *cost;
        }
        let cost = self.outermost.cost_min_of(template);
        self.costs.insert(template.to_owned(), cost);
        cost
    }
}
