//! What the answer of a worker comes to: an output, a fault, or that it will come later. It decides
//! by status, headers and text alone, and touches nothing of the platform.

use engine::execution::{Fault, FaultKind, Outcome, Payload};
use engine::money::MicroUsd;
use engine::time::{Millis, Timestamp};
use serde_json::Value;

use crate::nesting::{self, LEVELS_MAX};

/// The status of a worker that has accepted and reports later.
pub const ACCEPTED: u16 = 202;
/// The shortest and the longest silence that a worker may announce.
const HEARTBEAT_MIN: Millis = Millis::from_secs(1);
const HEARTBEAT_MAX: Millis = Millis::from_secs(7 * 24 * 3600);
/// The longest wait that a worker may ask for.
const RETRY_AFTER_MAX: Millis = Millis::from_secs(24 * 3600);

/// What a call of a worker can come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Called {
    /// It brought an output, or what went wrong.
    Answered(Outcome),
    /// The worker goes on by itself and reports to the callback; nothing is in flight any more.
    Accepted {
        /// The longest silence that it announces; absent, the step's.
        heartbeat: Option<Millis>,
    },
}

/// Whose answer it is, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The step's path.
    pub step: &'a str,
    /// The worker or tool that was asked, in words.
    pub whom: &'a str,
}

/// What came back over the wire.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `X-Cost-USD`.
    pub cost_usd: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// The body.
    pub text: String,
}

impl Answer {
    /// What it comes to. `now` is for a `Retry-After` that names a moment.
    pub fn comes_to(self, asker: Asker<'_>, now: Timestamp) -> Called {
        let body: Option<Value> = serde_json::from_str(&self.text).ok();
        if self.status == ACCEPTED {
            return Called::Accepted { heartbeat: body.as_ref().and_then(heartbeat) };
        }
        let cost = cost(self.cost_usd.as_deref(), body.as_ref());
        let result = match (self.status, body) {
            (200..=299, Some(output)) if nesting::fits(&output) => Ok(Payload::inline(output)),
            (200..=299, Some(_)) => Err(too_deep(asker)),
            (200..=299, None) => Err(malformed(asker, self.status)),
            (_, body) => Err(self.refusal(asker, body.as_ref(), now)),
        };
        Called::Answered(Outcome { result, cost, memoised: None })
    }

    fn refusal(&self, asker: Asker<'_>, body: Option<&Value>, now: Timestamp) -> Fault {
        let field = |name: &str| body.and_then(|body| body.get(name));
        let said =
            ["detail", "error", "message"].into_iter().find_map(|name| field(name)?.as_str());
        let message = format!(
            "step `{}`: {} answered with status {}{}",
            asker.step,
            asker.whom,
            self.status,
            said.map(|text| format!(": {text}")).unwrap_or_default(),
        );
        let mut fault = Fault::new(FaultKind::Http(self.status), "worker.refused", message);
        fault.retryable = field("retryable").and_then(Value::as_bool);
        fault.retry_after = self.retry_after.as_deref().and_then(|text| delay(text, now));
        fault
    }
}

impl From<Fault> for Called {
    /// No answer came, or none that could be read.
    fn from(fault: Fault) -> Self {
        Self::Answered(Outcome { result: Err(fault), cost: None, memoised: None })
    }
}

/// The silence that a worker announces, within what is sensible; anything but a whole number of
/// milliseconds counts as not said.
fn heartbeat(body: &Value) -> Option<Millis> {
    let said = Millis::new(body.get("heartbeat_ms")?.as_u64()?);
    Some(said.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX))
}

/// The cost by the header, else by the body; an amount that is none counts as not said.
fn cost(header: Option<&str>, body: Option<&Value>) -> Option<MicroUsd> {
    let usd = header.and_then(|text| text.trim().parse::<f64>().ok());
    let usd = usd.or_else(|| body?.get("cost_usd")?.as_f64());
    usd.and_then(MicroUsd::from_usd)
}

fn too_deep(asker: Asker<'_>) -> Fault {
    let message = format!(
        "step `{}`: {} answered with JSON of more than {LEVELS_MAX} levels",
        asker.step, asker.whom
    );
    Fault::new(FaultKind::Output, "worker.output_too_deep", message)
}

fn malformed(asker: Asker<'_>, status: u16) -> Fault {
    let message = format!(
        "step `{}`: {} answered with status {status} and something that is no JSON",
        asker.step, asker.whom
    );
    Fault::new(FaultKind::Output, "worker.malformed_output", message)
}

/// `Retry-After` is a number of seconds or an HTTP date (RFC 9110, section 10.2.3).
fn delay(text: &str, now: Timestamp) -> Option<Millis> {
    let text = text.trim();
    let asked = match text.parse::<u64>() {
        Ok(seconds) => Millis::from_secs(seconds),
        Err(_) => {
            let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            Timestamp::from_millis(date.timestamp_millis()).since(now)
        }
    };
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_772_000_000_000);

    fn called(status: u16, text: &str) -> Called {
        let answer = Answer { status, text: text.to_owned(), ..Answer::default() };
        answer.comes_to(Asker { step: "fetch[3]", whom: "worker `feed_fetcher`" }, NOW)
    }

    fn fault(called: Called) -> Fault {
        match called {
            Called::Answered(Outcome { result: Err(fault), .. }) => fault,
            other => panic!("{other:?} is no fault"),
        }
    }

    #[test]
    fn a_success_is_the_output_and_says_its_cost() {
        let expected = Outcome {
            result: Ok(Payload::inline(json!({ "n": 1, "cost_usd": 0.5 }))),
            cost: MicroUsd::from_usd(0.5),
            memoised: None,
        };
        for status in [200, 201, 299] {
            let found = called(status, r#"{"n":1,"cost_usd":0.5}"#);
            assert_eq!(found, Called::Answered(expected.clone()), "{status}");
        }
        let fault = fault(called(200, "<html>"));
        assert_eq!(fault.code, "worker.malformed_output");
        assert!(fault.message.contains("`fetch[3]`") && fault.message.contains("`feed_fetcher`"));
    }

    #[test]
    fn an_output_that_no_journal_could_be_read_with_is_refused() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(matches!(
            called(200, &nested(100)),
            Called::Answered(Outcome { result: Ok(_), .. })
        ));
        assert_eq!(fault(called(200, &nested(101))).code, "worker.output_too_deep");
        assert_eq!(fault(called(200, &nested(200))).code, "worker.malformed_output");
    }

    #[test]
    fn only_202_is_accepted_and_its_body_may_be_anything() {
        let silence = |ms| Called::Accepted { heartbeat: Some(Millis::new(ms)) };
        assert_eq!(called(202, r#"{"heartbeat_ms":1500,"job":7}"#), silence(1_500));
        assert_eq!(called(202, r#"{"heartbeat_ms":0}"#), silence(1_000));
        assert_eq!(called(202, r#"{"heartbeat_ms":9999999999999}"#), silence(604_800_000));
        for said in [
            "",
            "accepted",
            "[]",
            "{}",
            r#"{"heartbeat_ms":-5}"#,
            r#"{"heartbeat_ms":"5000"}"#,
            r#"{"heartbeat_ms":1e400}"#,
        ] {
            assert_eq!(called(202, said), Called::Accepted { heartbeat: None }, "{said}");
        }
        for status in [200, 203, 302, 500] {
            let found = called(status, r#"{"heartbeat_ms":1500}"#);
            assert!(matches!(found, Called::Answered(_)), "{status}");
        }
    }

    #[test]
    fn a_refusal_brings_what_the_worker_said() {
        let fault = fault(called(503, r#"{"error":"busy","detail":"later","retryable":false}"#));
        assert_eq!((fault.kind, fault.retryable), (FaultKind::Http(503), Some(false)));
        assert!(fault.message.ends_with("status 503: later"), "{}", fault.message);
    }

    #[test]
    fn the_header_goes_before_the_body_and_nonsense_counts_as_unsaid() {
        let body = json!({ "cost_usd": 0.5 });
        assert_eq!(cost(Some("0.25"), Some(&body)), MicroUsd::from_usd(0.25));
        assert_eq!(cost(None, Some(&body)), MicroUsd::from_usd(0.5));
        assert_eq!(cost(Some("much"), Some(&body)), MicroUsd::from_usd(0.5));
        assert_eq!(cost(Some("-1"), None), None);
        assert_eq!(cost(None, None), None);
    }

    #[test]
    fn retry_after_is_bounded() {
        assert_eq!(delay("7", NOW), Some(Millis::from_secs(7)));
        assert_eq!(delay("99999999999", NOW), Some(RETRY_AFTER_MAX));
        assert_eq!(delay("Wed, 25 Feb 2026 06:13:21 GMT", NOW), Some(Millis::from_secs(1)));
        assert_eq!(delay("Wed, 25 Feb 2015 06:13:21 GMT", NOW), Some(Millis::ZERO));
        assert_eq!(delay("soon", NOW), None);
    }
}
