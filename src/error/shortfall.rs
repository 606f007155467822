//! A budget that no way through a plan is as cheap as: what is missing, and what would help.

use std::fmt;

use engine::money::MicroUsd;
use engine::plan::{Estimate, Violation};

/// How many steps are named.
const DEAREST_MAX: usize = 3;

/// By how much a budget is too small for a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The least that an execution without faults spends, by the registry's estimates.
    needed: MicroUsd,
    limit: MicroUsd,
    /// The steps that it is made of, dearest first: name, worker or kind, cost.
    dearest: Vec<(String, String, MicroUsd)>,
    /// Strategies under which the budget would be enough for the least.
    fitting: Vec<(&'static str, MicroUsd)>,
    violations: Vec<Violation>,
}

impl Shortfall {
    /// What `limit` lacks for the least of `estimate`; `None` when it lacks nothing. `others` says
    /// what the least is under other strategies.
    pub fn of(
        estimate: &Estimate<'_>,
        limit: MicroUsd,
        others: impl FnOnce() -> Vec<(&'static str, MicroUsd)>,
    ) -> Option<Self> {
        let needed = estimate.cost.least;
        if needed <= limit {
            return None;
        }
        let dearest = estimate.dearest(DEAREST_MAX).into_iter().map(|paid| {
            let worker = paid.target.map_or("another template", |target| target.worker.as_str());
            (paid.step.name.clone(), worker.to_owned(), paid.least)
        });
        let fitting = others().into_iter().filter(|(_, least)| *least <= limit).collect();
        Some(Self {
            needed,
            limit,
            dearest: dearest.collect(),
            fitting,
            violations: vec![Violation {
                pointer: "/budget_limit".to_owned(),
                code: "budget.too_small".to_owned(),
                message: format!("is {limit}; at least {needed} would be spent"),
            }],
        })
    }

    /// The field that does not fit.
    pub(super) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What would help, the most exact first.
    pub(super) fn suggestions(&self) -> Vec<String> {
        let raise = format!("Raise budget_limit to at least {}.", self.needed.as_usd());
        let choose = self.fitting.iter().map(|(strategy, least)| {
            format!("Choose \"optimize_for\": \"{strategy}\", which needs {least}.")
        });
        let look = "POST /templates/{name}/plan shows what each step costs, without a start.";
        std::iter::once(raise).chain(choose).chain([look.to_owned()]).collect()
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, limit, dearest, .. } = self;
        write!(f, "By the registry's estimates at least {needed} would be spent; ")?;
        write!(f, "the limit is {limit}")?;
        for (at, (step, worker, cost)) in dearest.iter().enumerate() {
            let lead = if at == 0 { ". Dearest: " } else { ", " };
            write!(f, "{lead}{step} ({worker}) {cost}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use engine::execution::Terms;
    use engine::plan::Plan;
    use serde_json::json;

    use crate::error::ApiError;

    use super::*;

    fn plan() -> Plan {
        let definition = serde_json::from_value(json!({
            "name": "t",
            "steps": [
                { "name": "read", "order": 1, "worker": "reader" },
                { "name": "write", "order": 2, "worker": "writer" },
            ],
            "workers": {
                "reader": { "base_url": "https://r.test", "endpoints": ["/r"], "active": true,
                    "estimated_cost": 20_000 },
                "writer": { "base_url": "https://w.test", "endpoints": ["/w"], "active": true,
                    "estimated_cost": 300_000 },
            },
        }));
        Plan::compile(&definition.unwrap()).unwrap()
    }

    #[test]
    fn a_budget_that_is_enough_lacks_nothing() {
        let plan = plan();
        let estimate = plan.estimate(&Terms::default());
        let exact = estimate.cost.least;
        assert_eq!(Shortfall::of(&estimate, exact, || panic!("nobody asks")), None);
    }

    #[test]
    fn a_refusal_says_what_is_missing_what_is_dearest_and_what_to_do() {
        let plan = plan();
        let estimate = plan.estimate(&Terms::default());
        let limit = MicroUsd::from_micros(100_000);
        let others = || {
            vec![("speed", MicroUsd::from_micros(400_000)), ("cost", MicroUsd::from_micros(90_000))]
        };
        let found = Shortfall::of(&estimate, limit, others).unwrap();
        let error = ApiError::BudgetTooSmall(Box::new(found));
        let reply = error.reply("r", String::new());
        assert_eq!(reply.error, "The budget is too small");
        assert_eq!(
            reply.detail,
            "By the registry's estimates at least 0.32 USD would be spent; the limit is 0.1 USD. \
             Dearest: write (writer) 0.3 USD, read (reader) 0.02 USD"
        );
        assert_eq!(reply.violations[0].pointer, "/budget_limit");
        let suggestions = &reply.retry_suggestions;
        assert_eq!(suggestions[0], "Raise budget_limit to at least 0.32.");
        assert_eq!(suggestions[1], "Choose \"optimize_for\": \"cost\", which needs 0.09 USD.");
        assert!(!suggestions.iter().any(|text| text.contains("speed")), "{suggestions:?}");
        assert_eq!(error.into_response().status().as_u16(), 402);
    }
}
