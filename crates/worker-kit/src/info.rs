//! Owns what a worker says about itself: health, help and capabilities. Public, so never a secret.

use serde_json::{Value, json};

/// A worker's name and operations.
#[derive(Debug)]
pub struct WorkerInfo {
    /// The registry's `worker_name`.
    pub name: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// What it does.
    pub operations: &'static [Operation],
}

/// One operation, always a `POST`.
#[derive(Debug)]
pub struct Operation {
    /// The path, with its leading slash.
    pub path: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// A JSON example of the input.
    pub input: &'static str,
    /// A JSON example of the output.
    pub output: &'static str,
    /// What a call costs at most by estimate, when a model is used.
    pub estimated_cost_usd: f64,
}

const AUTHENTICATION: &str =
    "Authorization: Bearer <worker secret> with X-Worker-ID, or X-API-Key: <client key>";

/// What `/health` depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether a model is configured.
    pub model: bool,
    /// The names of the secrets that are missing.
    pub missing_secrets: Vec<&'static str>,
}

impl WorkerInfo {
    /// `GET /health`: `degraded` when a secret is missing, because that audience is refused.
    pub fn health(&self, state: &State) -> Value {
        let mut body = json!({
            "status": if state.missing_secrets.is_empty() { "ok" } else { "degraded" },
            "worker": self.name,
            "version": self.version,
            "model": state.model,
        });
        if !state.missing_secrets.is_empty() {
            body["missing_secrets"] = json!(state.missing_secrets);
        }
        body
    }

    /// `GET /help`: how to call this worker.
    pub fn help(&self) -> Value {
        let mut endpoints = vec![
            json!({"method": "GET", "path": "/health", "summary": "Whether this worker serves"}),
            json!({"method": "GET", "path": "/help", "summary": "This page"}),
            json!({"method": "GET", "path": "/capabilities", "summary": "What it can do"}),
        ];
        endpoints.extend(self.operations.iter().map(|operation| {
            json!({
                "method": "POST",
                "path": operation.path,
                "summary": operation.summary,
                "input_example": example(operation.input),
                "output_example": example(operation.output),
            })
        }));
        json!({
            "worker": self.name,
            "version": self.version,
            "description": self.description,
            "authentication": AUTHENTICATION,
            "headers": ["Idempotency-Key", "X-Attempt", "X-Fence", "X-Deadline-Ms", "traceparent"],
            "endpoints": endpoints,
        })
    }

    /// `GET /capabilities`: what a registry wants to know.
    pub fn capabilities(&self, state: &State) -> Value {
        let cost_usd = |operation: &Operation| {
            if state.model { operation.estimated_cost_usd } else { 0.0 }
        };
        let operations: Vec<Value> = self
            .operations
            .iter()
            .map(|operation| {
                json!({
                    "path": operation.path,
                    "summary": operation.summary,
                    "input_format": example(operation.input),
                    "output_format": example(operation.output),
                    "estimated_cost_usd": cost_usd(operation),
                })
            })
            .collect();
        json!({
            "worker": self.name,
            "worker_name": self.name,
            "version": self.version,
            "description": self.description,
            "model": state.model,
            "operations": operations,
        })
    }
}

/// An example that is no JSON shows as text.
fn example(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: WorkerInfo = WorkerInfo {
        name: "echo",
        version: "1.2.3",
        description: "Says it again",
        operations: &[Operation {
            path: "/echo",
            summary: "Echoes",
            input: r#"{"text":"hello"}"#,
            output: r#"{"text":"hello"}"#,
            estimated_cost_usd: 0.25,
        }],
    };

    fn state(model: bool, missing: &[&'static str]) -> State {
        State { model, missing_secrets: missing.to_vec() }
    }

    #[test]
    fn health_names_the_secrets_that_are_missing() {
        let body = INFO.health(&state(false, &[]));
        assert_eq!(body, json!({"status":"ok","worker":"echo","version":"1.2.3","model":false}));
        let body = INFO.health(&state(true, &["CLIENT_API_KEY"]));
        assert_eq!(body["status"], "degraded");
        assert_eq!(body["missing_secrets"], json!(["CLIENT_API_KEY"]));
    }

    #[test]
    fn help_lists_every_endpoint_with_examples() {
        let body = INFO.help();
        let paths: Vec<_> =
            body["endpoints"].as_array().unwrap().iter().map(|e| e["path"].clone()).collect();
        assert_eq!(paths, ["/health", "/help", "/capabilities", "/echo"]);
        assert_eq!(body["endpoints"][3]["input_example"]["text"], "hello");
    }

    #[test]
    fn without_a_model_an_operation_costs_nothing() {
        let cost = |model| {
            INFO.capabilities(&state(model, &[]))["operations"][0]["estimated_cost_usd"].clone()
        };
        assert_eq!((cost(false), cost(true)), (json!(0.0), json!(0.25)));
    }
}
