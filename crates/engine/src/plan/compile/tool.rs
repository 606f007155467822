//! Calls of registered tools: which of them can be called, where, and what they must keep to.

use serde_json::Map;

use super::Check;
use super::call::{ACCEPTED_DEFAULT, Asked, HEARTBEAT_DEFAULT, Limits};
use super::config::StepConfig;
use crate::plan::definition::{StepDefinition, ToolDefinition};
use crate::plan::{Address, Call, LeftOut, Schema, Target, Tool};
use crate::time::Millis;

/// A tool that could do a step.
struct Candidate {
    target: Target,
    left_out: Option<LeftOut>,
}

impl Check<'_> {
    /// The call of a step that names a tool. Those that cannot be called now are left out; a step
    /// that is left without any is not done.
    pub(super) fn tool_call(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        config: &StepConfig,
    ) -> Option<Call> {
        self.asks_no_worker(base, definition, "a step that calls a tool");
        let timeout = self.timeout(&format!("{base}/timeout_ms"), definition.timeout_ms);
        let Some(name) = &config.tool else {
            let message = "a step of kind `tool` names its tool";
            self.report(format!("{base}/config/tool"), "config.missing_field", message);
            return None;
        };
        let first = self.candidate(&format!("{base}/config/tool"), name, timeout);
        let mut candidates: Vec<Candidate> = Vec::new();
        for (place, name) in &config.alternatives {
            let pointer = format!("{base}/config/alternatives/{place}");
            candidates.extend(self.candidate(&pointer, name, timeout));
        }
        let fallback = match &config.fallback_tool {
            None => None,
            Some(name) => {
                Some(self.candidate(&format!("{base}/config/fallback_tool"), name, timeout)?)
            }
        };
        candidates.insert(0, first?);
        let reasons = candidates.iter().chain(&fallback);
        let left_out: Vec<LeftOut> = reasons.filter_map(|one| one.left_out.clone()).collect();
        let none = candidates.iter().all(|one| one.left_out.is_some());
        let unavailable = none.then(|| {
            let reasons = candidates.iter().filter_map(|one| one.left_out.as_ref());
            reasons.map(|one| one.reason.as_str()).collect::<Vec<_>>().join("; ")
        });
        let able = |one: &Candidate| none || one.left_out.is_none();
        let mut targets = candidates.into_iter().filter(able).map(|one| one.target);
        let primary = targets.next().expect("the first tool is a candidate");
        Some(Call {
            primary,
            alternatives: targets.collect(),
            fallback: fallback.filter(|one| one.left_out.is_none()).map(|one| one.target),
            left_out,
            unavailable,
            memo: config.memo,
            heartbeat: config.heartbeat.unwrap_or(HEARTBEAT_DEFAULT),
            accepted_max: config.accepted_max.unwrap_or(ACCEPTED_DEFAULT),
        })
    }

    fn candidate(
        &mut self,
        pointer: &str,
        name: &str,
        timeout: Option<Millis>,
    ) -> Option<Candidate> {
        let target = self.tool(pointer, name, timeout)?;
        let reason = self.definition.tools.get(name).and_then(|tool| tool.unavailable.clone());
        let tool = target.tool.as_ref().map(|tool| tool.name.clone()).unwrap_or_default();
        Some(Candidate { target, left_out: reason.map(|reason| LeftOut { tool, reason }) })
    }

    /// The tool that a step calls by this name or id.
    pub(super) fn tool(
        &mut self,
        pointer: &str,
        name: &str,
        timeout: Option<Millis>,
    ) -> Option<Target> {
        let Some(tool) = self.definition.tools.get(name) else {
            let message = format!("there is no tool `{name}` in the registry");
            self.report(pointer, "tool.unknown", message);
            return None;
        };
        let registered = Asked::Tool(name).pointer();
        let address = self.tool_address(pointer, tool);
        let own = self.timeout(&format!("{registered}/timeout_ms"), tool.timeout_ms);
        let limits = Limits {
            max_concurrency: tool.max_concurrency,
            max_per_minute: tool.max_per_minute,
            breaker: tool.breaker.as_ref(),
        };
        let gate = self.gate(&registered, limits);
        Some(Target {
            worker: Tool::key(tool.account.as_deref(), &tool.name),
            address,
            endpoint: String::new(),
            defaults: Map::new(),
            estimated_cost: tool.estimated_cost,
            expected: tool.avg_response_time_ms.map(Millis::new),
            timeout: timeout.or(own),
            quality: None,
            version: tool.version.clone(),
            gate,
            tool: Some(Box::new(Tool {
                id: tool.id.clone(),
                name: tool.name.clone(),
                account: tool.account.clone(),
                input: Schema::compile(tool.input_schema.as_ref(), self.schemas),
                output: Schema::compile(tool.output_schema.as_ref(), self.schemas),
            })),
        })
    }

    /// Where the tool's node is. One that cannot be called needs no address.
    fn tool_address(&mut self, pointer: &str, tool: &ToolDefinition) -> Address {
        let address = tool.address.as_deref().unwrap_or_default();
        let is_url = address.starts_with("https://") || address.starts_with("http://");
        if !is_url && tool.unavailable.is_none() {
            let message =
                format!("the node of tool `{}` has no http or https URL as its address", tool.name);
            self.report(pointer, "tool.malformed_address", message);
        }
        Address::Url(address.trim_end_matches('/').to_owned())
    }
}
