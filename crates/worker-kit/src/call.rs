//! Owns one call of an operation as a handler sees it: the parsed body and the contract's headers.
//! It must not know how the request arrived.

use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::deadline;
use crate::error::WorkerError;
use crate::parse;
use crate::violations::{Validate, Violations};

const IDEMPOTENCY_KEY_CHARS_MAX: usize = 512;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The operation's path.
    pub path: String,
    /// The input: a JSON object.
    pub body: Value,
    /// The same for every attempt of one step; a handler with side effects keys them by it.
    pub idempotency_key: Option<String>,
    /// From 1.
    pub attempt: u32,
    /// Unix ms after which nobody waits for the answer.
    pub deadline_ms: Option<i64>,
    /// Under which this call stands in logs.
    pub request_id: String,
    /// W3C trace context, to be passed on.
    pub traceparent: Option<String>,
}

impl Call {
    /// Reads body and headers. Malformed JSON is 400; what is no object, 422; a header of the
    /// contract that cannot be read, 400.
    pub fn read(
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        request_id: String,
    ) -> Result<Call, WorkerError> {
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            WorkerError {
                retryable: Some(false),
                ..WorkerError::new(400, "body.malformed", "The body is not valid JSON")
            }
            .with_detail(error.to_string())
        })?;
        if !body.is_object() {
            return Err(WorkerError::invalid_field("", "type", "must be a JSON object"));
        }
        Ok(Call {
            path: path.to_owned(),
            body,
            idempotency_key: idempotency_key(headers)?,
            attempt: number(headers, "x-attempt", 1..=u32::MAX)?.unwrap_or(1),
            deadline_ms: number(headers, "x-deadline-ms", 0..=i64::MAX)?,
            request_id,
            traceparent: text(headers, "traceparent").map(str::to_owned),
        })
    }

    /// The input as its type; every violation is listed.
    pub fn parse<T: DeserializeOwned + Validate>(&self) -> Result<T, WorkerError> {
        let mut violations = Violations::default();
        parse::parse(&self.body, &mut violations)
            .ok_or_else(|| WorkerError::invalid(violations.into_vec()))
    }

    /// Milliseconds left, not below 0; `None` without a deadline.
    pub fn remaining_ms(&self, now_ms: i64) -> Option<i64> {
        self.deadline_ms.map(|deadline_ms| deadline::remaining_ms(deadline_ms, now_ms))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn number<N: std::str::FromStr + PartialOrd>(
    headers: &HeaderMap,
    name: &'static str,
    limits: std::ops::RangeInclusive<N>,
) -> Result<Option<N>, WorkerError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    match parsed.filter(|number| limits.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(bad_header(name, "must be a whole number")),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, WorkerError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_CHARS_MAX => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(bad_header("idempotency-key", "must have 1 to 512 printable characters")),
    }
}

fn bad_header(name: &str, rule: &str) -> WorkerError {
    WorkerError {
        retryable: Some(false),
        ..WorkerError::new(400, "header.invalid", "A header does not fit")
    }
    .with_detail(format!("{name} {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)], body: &str) -> Result<Call, WorkerError> {
        let headers = pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect();
        Call::read("/echo", &headers, body.as_bytes(), "r".into())
    }

    #[test]
    fn headers_of_the_contract_are_read() {
        let call = read(
            &[
                ("idempotency-key", "pipe_1_a/fetch/0"),
                ("x-attempt", "3"),
                ("x-deadline-ms", "1800000000000"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ],
            "{}",
        )
        .unwrap();
        assert_eq!(call.idempotency_key.as_deref(), Some("pipe_1_a/fetch/0"));
        assert_eq!((call.attempt, call.deadline_ms), (3, Some(1_800_000_000_000)));
        assert_eq!(call.remaining_ms(1_799_999_999_000), Some(1000));
        assert!(call.traceparent.is_some_and(|trace| trace.starts_with("00-")));
    }

    #[test]
    fn without_headers_it_is_a_first_attempt_without_deadline() {
        let call = read(&[], r#"{"a":1}"#).unwrap();
        assert_eq!((call.attempt, call.deadline_ms, call.idempotency_key), (1, None, None));
        assert_eq!(call.body["a"], 1);
    }

    #[test]
    fn malformed_bodies_and_headers_have_their_own_codes() {
        let code = |result: Result<Call, WorkerError>| {
            let error = result.unwrap_err();
            (error.status, error.code)
        };
        assert_eq!(code(read(&[], "{")), (400, "body.malformed"));
        assert_eq!(code(read(&[], "")), (400, "body.malformed"));
        assert_eq!(code(read(&[], "[1]")), (422, "input.invalid"));
        assert_eq!(code(read(&[("x-attempt", "0")], "{}")), (400, "header.invalid"));
        assert_eq!(code(read(&[("x-deadline-ms", "soon")], "{}")), (400, "header.invalid"));
        assert_eq!(code(read(&[("idempotency-key", "")], "{}")), (400, "header.invalid"));
    }
}
