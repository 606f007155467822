//! Owns what can go wrong in a worker and the error form of the contract.
//! It must not choose what a caller does next beyond saying whether a retry can help.

use serde_json::{Value, json};

use crate::reply::Usage;
use crate::violations::Violation;

/// What a model call that failed had already used.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// The tokens, and the model that took them.
    pub usage: Usage,
    /// Their price.
    pub cost_micro_usd: u64,
}

/// The methods that a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// `GET`
    Get,
    /// `GET` and `HEAD`
    GetAndHead,
    /// `POST`
    Post,
}

impl Allow {
    /// The header `Allow`.
    pub fn as_str(self) -> &'static str {
        match self {
            Allow::Get => "GET",
            Allow::GetAndHead => "GET, HEAD",
            Allow::Post => "POST",
        }
    }
}

/// A failure with everything that the error form carries.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerError {
    /// HTTP status of the answer.
    pub status: u16,
    /// Stable code, for programs.
    pub code: &'static str,
    /// What happened, in a few words.
    pub message: String,
    /// The same for a person; defaults to `message`.
    pub detail: Option<String>,
    /// Every field that does not fit.
    pub violations: Vec<Violation>,
    /// Whether trying again can help; without it the status decides.
    pub retryable: Option<bool>,
    /// Seconds to wait before trying again.
    pub retry_after_s: Option<u32>,
    /// The methods that a 405 offers.
    pub allow: Option<Allow>,
    /// What was spent before the failure, when a model was used.
    pub spent: Option<Box<Spent>>,
}

impl WorkerError {
    /// A failure with a status and code of the caller's choice.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> WorkerError {
        WorkerError {
            status,
            code,
            message: message.into(),
            detail: None,
            violations: Vec::new(),
            retryable: None,
            retry_after_s: None,
            allow: None,
            spent: None,
        }
    }

    /// 422: the input is JSON but does not fit; never worth a retry.
    pub fn invalid(violations: Vec<Violation>) -> WorkerError {
        let detail = violations.iter().map(one_line).collect::<Vec<_>>().join("; ");
        WorkerError {
            detail: (!detail.is_empty()).then_some(detail),
            violations,
            retryable: Some(false),
            ..WorkerError::new(422, "input.invalid", "The input does not fit")
        }
    }

    /// 422 for a single field.
    pub fn invalid_field(pointer: &str, code: &str, message: impl Into<String>) -> WorkerError {
        WorkerError::invalid(vec![Violation {
            pointer: pointer.to_owned(),
            code: code.to_owned(),
            message: message.into(),
        }])
    }

    /// 502: something that this worker depends on failed; a retry can help.
    pub fn upstream(code: &'static str, message: impl Into<String>) -> WorkerError {
        WorkerError { retryable: Some(true), ..WorkerError::new(502, code, message) }
    }

    /// 500: a defect of this worker.
    pub fn internal(code: &'static str, message: impl Into<String>) -> WorkerError {
        WorkerError::new(500, code, message)
    }

    /// 504: the time of the call ran out before there was anything to return.
    pub fn deadline(message: impl Into<String>) -> WorkerError {
        WorkerError { retryable: Some(true), ..WorkerError::new(504, "deadline.exceeded", message) }
    }

    /// Adds the sentence for a person.
    pub fn with_detail(self, detail: impl Into<String>) -> WorkerError {
        WorkerError { detail: Some(detail.into()), ..self }
    }

    /// Adds what was spent before the failure.
    pub fn with_spent(self, usage: Usage, cost_micro_usd: u64) -> WorkerError {
        WorkerError { spent: Some(Box::new(Spent { usage, cost_micro_usd })), ..self }
    }

    /// The price of what was spent before the failure.
    pub fn cost_micro_usd(&self) -> u64 {
        self.spent.as_ref().map_or(0, |spent| spent.cost_micro_usd)
    }

    /// The error form. `timestamp` is ISO 8601 UTC.
    pub fn to_body(&self, request_id: &str, timestamp: &str) -> Value {
        let mut body = json!({
            "status": "error",
            "error": self.message,
            "detail": self.detail.as_deref().unwrap_or(&self.message),
            "code": self.code,
            "request_id": request_id,
            "timestamp": timestamp,
            "retry_suggestions": self.suggestions(),
        });
        let fields = body.as_object_mut().expect("the error form is an object");
        if !self.violations.is_empty() {
            fields.insert("violations".to_owned(), json!(self.violations));
        }
        if let Some(retryable) = self.retryable {
            fields.insert("retryable".to_owned(), json!(retryable));
        }
        if let Some(spent) = &self.spent {
            fields.insert("cost_usd".to_owned(), crate::money::json_usd(spent.cost_micro_usd));
            fields.insert("usage".to_owned(), json!(spent.usage));
        }
        body
    }

    fn suggestions(&self) -> Vec<String> {
        let text = match self.status {
            401 => "Send Authorization: Bearer with X-Worker-ID, or X-API-Key.",
            404 => "GET /help lists the endpoints.",
            405 => "Use one of the methods in the Allow header.",
            413 => "Send a smaller body.",
            400 | 415 => "Send one JSON object.",
            422 => "Correct the fields under violations.",
            503 => "An operator must complete this worker's configuration.",
            504 => "Ask for less, or allow more time.",
            _ if self.retryable == Some(true) => "Try again after a pause.",
            _ => return Vec::new(),
        };
        vec![text.to_owned()]
    }
}

impl std::fmt::Display for WorkerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail.as_deref().unwrap_or(&self.message))
    }
}

impl std::error::Error for WorkerError {}

fn one_line(violation: &Violation) -> String {
    match violation.pointer.as_str() {
        "" => violation.message.clone(),
        pointer => format!("{pointer} {}", violation.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_carries_every_field_of_the_contract() {
        let error = WorkerError::invalid_field("/max_feeds", "range", "must be at most 100");
        let body = error.to_body("req-1", "2026-11-21T10:00:00Z");
        assert_eq!(body["status"], "error");
        assert_eq!(body["error"], "The input does not fit");
        assert_eq!(body["detail"], "/max_feeds must be at most 100");
        assert_eq!(body["code"], "input.invalid");
        assert_eq!(body["request_id"], "req-1");
        assert_eq!(body["timestamp"], "2026-11-21T10:00:00Z");
        assert_eq!(body["violations"][0]["pointer"], "/max_feeds");
        assert_eq!(body["retryable"], false);
        assert_eq!(body["retry_suggestions"].as_array().map(Vec::len), Some(1));
        assert!(body.get("cost_usd").is_none());
    }

    #[test]
    fn what_was_spent_stands_in_the_form() {
        let usage = Usage { model: "m".into(), input_tokens: 7, ..Usage::default() };
        let error = WorkerError::upstream("model.bad_json", "no JSON").with_spent(usage, 1500);
        let body = error.to_body("r", "t");
        assert_eq!(body["cost_usd"], 0.0015);
        assert_eq!(body["usage"]["input_tokens"], 7);
        assert_eq!(body["retryable"], true);
        assert_eq!(error.cost_micro_usd(), 1500);
    }

    #[test]
    fn without_a_detail_the_message_stands_for_it() {
        let body = WorkerError::new(404, "route.unknown", "Endpoint not found").to_body("r", "t");
        assert_eq!(body["detail"], "Endpoint not found");
        assert!(body.get("retryable").is_none());
    }
}
