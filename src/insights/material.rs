//! What recommendations are made of.

use std::collections::BTreeMap;

use engine::plan::definition::{StepDefinition, TemplateDefinition};

use crate::db::insights::{Execution, Paused, Step};
use crate::db::rollups::Steps;

/// The rows of a period, and what the templates look like.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// The newest executions, newest first.
    pub executions: Vec<Execution>,
    /// The steps of the newest of these, by execution.
    pub steps: BTreeMap<String, Vec<Step>>,
    /// The figures of all steps of the period, by worker, template and step.
    pub figures: Vec<Steps>,
    /// The newest revision of each template among the executions.
    pub definitions: BTreeMap<String, TemplateDefinition>,
    /// Executions that stand still for want of a budget.
    pub paused: Vec<Paused>,
    /// How long results are served where the template does not say.
    pub cache_ttl_s: u64,
    /// The longest that an attempt may take where nothing else says.
    pub attempt_timeout_ms: u64,
}

impl Material {
    /// The definition of a template's step.
    pub fn step(&self, template: &str, step: &str) -> Option<&StepDefinition> {
        self.definitions.get(template)?.steps.iter().find(|found| found.name == step)
    }

    /// The figures of a template's step, whoever did it.
    pub fn figures_of<'a>(
        &'a self,
        template: &'a str,
        step: &'a str,
    ) -> impl Iterator<Item = &'a Steps> {
        let is = move |row: &&Steps| row.template_name == template && row.step_name == step;
        self.figures.iter().filter(is)
    }

    /// How often a step was done and how long that took on average in ms.
    pub fn mean_ms(&self, template: &str, step: &str) -> Option<(i64, f64)> {
        let (mut timed, mut total) = (0, 0);
        for row in self.figures_of(template, step) {
            timed += row.timed;
            total += row.duration_ms;
        }
        (timed > 0).then(|| (timed, total as f64 / timed as f64))
    }

    /// The executions whose steps are known, with these.
    pub fn detailed(&self) -> impl Iterator<Item = (&Execution, &[Step])> {
        let of = |execution: &'_ Execution| self.steps.get(&execution.pipeline_id);
        self.executions.iter().filter_map(move |one| of(one).map(|steps| (one, steps.as_slice())))
    }
}

/// Money as people read it.
pub fn usd(micro_usd: i64) -> f64 {
    micro_usd as f64 / 1_000_000.0
}
