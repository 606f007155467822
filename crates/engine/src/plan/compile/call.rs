//! Calls: who is asked, where, and what a call must pass.

use serde_json::{Map, Value};

use super::config::{Compensate, StepConfig, Who};
use super::{Check, escape, registered};
use crate::expr::MappingRoot;
use crate::plan::definition::{RetryDefinition, StepDefinition, WorkerDefinition};
use crate::plan::{
    ATTEMPT_MAX, Address, BreakerPolicy, Call, Compensation, Gate, RetryPolicy, Target,
};
use crate::time::Millis;

/// How long a worker that has answered 202 may be silent, where the step does not say.
pub(super) const HEARTBEAT_DEFAULT: Millis = Millis::from_secs(5 * 60);
/// How long such a worker may take in all, where the step does not say.
pub(super) const ACCEPTED_DEFAULT: Millis = Millis::from_secs(24 * 3600);
/// The most calls of a worker that may be counted as its last ones.
const WINDOW_MAX: u32 = 1_000;
/// The longest that a breaker may stay open: an hour.
const OPEN_MAX: Millis = Millis::from_secs(3600);

/// Whose settings stand in where a step says nothing.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// The worker of this name.
    Worker(&'a str),
    /// The tool that the step calls so.
    Tool(&'a str),
}

impl Asked<'_> {
    /// The pointer to what is registered.
    pub(super) fn pointer(self) -> String {
        match self {
            Self::Worker(name) => registered(name),
            Self::Tool(name) => format!("/tools/{}", escape(name)),
        }
    }
}

/// What calls must pass, as it was written.
pub(super) struct Limits<'a> {
    pub(super) max_concurrency: Option<u32>,
    pub(super) max_per_minute: Option<u32>,
    pub(super) breaker: Option<&'a Value>,
}

impl Check<'_> {
    pub(super) fn call(
        &mut self,
        base: &str,
        definition: &StepDefinition,
        config: &StepConfig,
    ) -> Option<Call> {
        let timeout = self.timeout(&format!("{base}/timeout_ms"), definition.timeout_ms);
        let endpoint = definition.endpoint.as_deref();
        let primary = match &definition.worker {
            Some(name) => self.target(&format!("{base}/worker"), name, endpoint, timeout),
            None => {
                let message =
                    format!("a step of kind `{}` names its worker", definition.kind.as_str());
                self.report(format!("{base}/worker"), "step.missing_worker", message);
                None
            }
        };
        // A step's endpoint is its first worker's; the others have their own defaults.
        let alternatives = self.setting(definition.kind, |check| {
            let mut targets = Vec::new();
            for (place, name) in &config.alternatives {
                let pointer = format!("{base}/config/alternatives/{place}");
                targets.extend(check.target(&pointer, name, None, timeout));
            }
            targets
        });
        let fallback = match &definition.fallback_worker {
            None => None,
            Some(name) => {
                Some(self.target(&format!("{base}/fallback_worker"), name, None, timeout)?)
            }
        };
        Some(Call {
            primary: primary?,
            alternatives,
            fallback,
            left_out: Vec::new(),
            unavailable: None,
            memo: config.memo,
            heartbeat: config.heartbeat.unwrap_or(HEARTBEAT_DEFAULT),
            accepted_max: config.accepted_max.unwrap_or(ACCEPTED_DEFAULT),
        })
    }

    /// The call that undoes a step. `$` and `output` are what the step gave.
    pub(super) fn compensation(
        &mut self,
        base: &str,
        source: &Compensate,
    ) -> Option<Box<Compensation>> {
        let base = format!("{base}/config/compensate");
        let timeout = source.timeout_ms.map(Millis::new);
        let (target, asked) = match &source.who {
            Who::Worker(worker) => {
                let endpoint = source.endpoint.as_deref();
                let target = self.target(&format!("{base}/worker"), worker, endpoint, timeout);
                (target, Asked::Worker(worker))
            }
            Who::Tool(tool) => {
                (self.tool(&format!("{base}/tool"), tool, timeout), Asked::Tool(tool))
            }
        };
        let pointer = format!("{base}/input_mapping");
        let input = self.mapping(&pointer, source.input_mapping.as_ref(), MappingRoot::Output);
        self.knows_no_element(&pointer, input.as_ref().map(|input| input.references().element));
        let retry = self.retry(&base, source.retry.as_ref(), Some(asked));
        Some(Box::new(Compensation { target: target?, input, retry }))
    }

    pub(super) fn target(
        &mut self,
        pointer: &str,
        name: &str,
        endpoint: Option<&str>,
        timeout: Option<Millis>,
    ) -> Option<Target> {
        let Some(worker) = self.definition.workers.get(name) else {
            let message = format!("there is no worker `{name}` in the registry");
            self.report(pointer, "worker.unknown", message);
            return None;
        };
        if !worker.active {
            let message = format!("worker `{name}` is registered as not active");
            self.report(pointer, "worker.inactive", message);
        }
        let address = self.address(pointer, name, worker);
        let endpoint = endpoint.or(worker.endpoints.first().map(String::as_str)).unwrap_or("/");
        if !endpoint.starts_with('/') {
            let message = format!("endpoint `{endpoint}` does not begin with `/`");
            self.report(pointer, "worker.malformed_endpoint", message);
        }
        let registered = format!("{}/timeout_ms", registered(name));
        let worker_timeout = self.timeout(&registered, worker.timeout_ms);
        let defaults = self.defaults(name, worker);
        let limits = Limits {
            max_concurrency: worker.max_concurrency,
            max_per_minute: worker.max_per_minute,
            breaker: worker.breaker.as_ref(),
        };
        let gate = self.gate(&Asked::Worker(name).pointer(), limits);
        Some(Target {
            worker: name.to_owned(),
            address: address?,
            endpoint: endpoint.to_owned(),
            defaults,
            estimated_cost: worker.estimated_cost,
            expected: worker.avg_response_time_ms.map(Millis::new),
            timeout: timeout.or(worker_timeout),
            quality: self.quality(name, worker),
            version: worker.version.clone(),
            gate,
            tool: None,
        })
    }

    fn address(&mut self, pointer: &str, name: &str, worker: &WorkerDefinition) -> Option<Address> {
        if let Some(binding) = worker.service_binding.as_ref().filter(|b| !b.is_empty()) {
            return Some(Address::Binding(binding.clone()));
        }
        let Some(url) = worker.base_url.as_ref().filter(|url| !url.is_empty()) else {
            let message = format!("worker `{name}` has neither a service_binding nor a base_url");
            self.report(pointer, "worker.no_address", message);
            return None;
        };
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            let message = format!("the base_url of worker `{name}` is no http or https URL");
            self.report(pointer, "worker.malformed_url", message);
        }
        Some(Address::Url(url.trim_end_matches('/').to_owned()))
    }

    fn defaults(&mut self, name: &str, worker: &WorkerDefinition) -> Map<String, Value> {
        match &worker.default_config {
            Some(Value::Object(defaults)) => defaults.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => {
                let pointer = format!("{}/default_config", registered(name));
                self.report(pointer, "worker.malformed_config", "default_config is an object");
                Map::new()
            }
        }
    }

    pub(super) fn timeout(&mut self, pointer: &str, ms: Option<u64>) -> Option<Millis> {
        let ms = ms?;
        if ms == 0 || ms > ATTEMPT_MAX.get() {
            let message = format!("a time-out of {ms} ms; it goes from 1 to {}", ATTEMPT_MAX.get());
            self.report(pointer, "step.timeout_out_of_range", message);
        }
        Some(Millis::new(ms))
    }

    /// The retry policy of a call: its own, where that says nothing the worker's or the tool's.
    pub(super) fn retry(
        &mut self,
        base: &str,
        policy: Option<&RetryDefinition>,
        asked: Option<Asked<'_>>,
    ) -> RetryPolicy {
        let own = policy.and_then(|retry| retry.max_retries);
        let asked = asked.filter(|_| own.is_none());
        let definition = self.definition;
        let registered = asked.and_then(|asked| match asked {
            Asked::Worker(name) => definition.workers.get(name)?.max_retries,
            Asked::Tool(name) => definition.tools.get(name)?.max_retries,
        });
        RetryPolicy::compile(policy, registered, &mut |field, code, text| {
            let at = match asked {
                Some(asked) if field == "max_retries" => asked.pointer(),
                _ => format!("{base}/retry"),
            };
            self.report(format!("{at}/{field}"), code, text);
        })
    }

    pub(super) fn gate(&mut self, base: &str, limits: Limits<'_>) -> Gate {
        if limits.max_concurrency == Some(0) {
            // It was not looked at when nothing was made of it.
            let message = "max_concurrency is 0: no call would ever begin";
            let pointer = format!("{base}/max_concurrency");
            let overlooked = crate::plan::definition::StepKind::Worker;
            self.setting(overlooked, |check| check.report(pointer, "worker.out_of_range", message));
        }
        if limits.max_per_minute == Some(0) {
            let message = "max_per_minute is 0: no call would ever begin";
            self.report(format!("{base}/max_per_minute"), "worker.out_of_range", message);
        }
        Gate {
            concurrency_max: limits.max_concurrency.filter(|calls| *calls > 0),
            per_minute_max: limits.max_per_minute.filter(|calls| *calls > 0),
            breaker: self.breaker(&format!("{base}/breaker"), limits.breaker),
        }
    }

    fn breaker(&mut self, pointer: &str, source: Option<&Value>) -> BreakerPolicy {
        let Some(source) = source.filter(|source| !source.is_null()) else {
            return BreakerPolicy::default();
        };
        let policy: BreakerPolicy = match serde_json::from_value(source.clone()) {
            Ok(policy) => policy,
            Err(error) => {
                let message = format!("no breaker policy: {error}");
                self.report(pointer, "worker.malformed_breaker", message);
                return BreakerPolicy::default();
            }
        };
        let mut within = |field: &str, holds: bool, range: &str| {
            if !holds {
                let message = format!("`{field}` of a breaker goes from {range}");
                self.report(format!("{pointer}/{field}"), "worker.out_of_range", message);
            }
        };
        let share = (0.0..=1.0).contains(&policy.failure_rate);
        within("failure_rate", share, "0 to 1");
        let calls = (1..=WINDOW_MAX).contains(&policy.window);
        within("window", calls, &format!("1 to {WINDOW_MAX}"));
        let length = (1..=OPEN_MAX.get()).contains(&policy.open_ms);
        within("open_ms", length, &format!("1 to {}", OPEN_MAX.get()));
        policy
    }

    fn quality(&mut self, name: &str, worker: &WorkerDefinition) -> Option<f64> {
        let quality = worker.quality_score?;
        if !(0.0..=1.0).contains(&quality) {
            let pointer = format!("{}/quality_score", registered(name));
            let message = format!("a quality_score of {quality}; it goes from 0 to 1");
            self.report(pointer, "worker.out_of_range", message);
        }
        Some(quality)
    }
}
