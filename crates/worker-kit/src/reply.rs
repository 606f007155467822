//! Owns a worker's success reply: one JSON object, its cost and the model usage behind it.
//! It must not know HTTP beyond the two places where the cost is reported.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::WorkerError;
use crate::money;

/// The tokens that a model took for one reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The model that answered, as it names itself.
    pub model: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Calls made.
    pub calls: u32,
    /// Whether tokens were counted by us, or no price was configured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    /// Adds a further call's usage to this one.
    pub fn add(&mut self, other: &Usage) {
        if self.model.is_empty() {
            self.model.clone_from(&other.model);
        }
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.calls = self.calls.saturating_add(other.calls);
        self.estimated |= other.estimated;
    }
}

/// What a handler returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The output of the step: a JSON object.
    pub body: Value,
    /// What the call cost; 0 when no model was used.
    pub cost_micro_usd: u64,
    /// The tokens behind the cost.
    pub usage: Option<Usage>,
}

/// A reply as it goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct WireReply {
    /// The JSON text, with `cost_usd` and `usage` in it.
    pub json: String,
    /// The header `X-Cost-USD`.
    pub cost_usd: String,
}

impl Reply {
    /// A reply without cost. An output that is no JSON object is a defect of the worker.
    pub fn of<T: Serialize>(body: &T) -> Result<Reply, WorkerError> {
        let body = serde_json::to_value(body)
            .map_err(|e| WorkerError::internal("output.unserializable", e.to_string()))?;
        if !body.is_object() {
            return Err(WorkerError::internal("output.no_object", "The output is no JSON object"));
        }
        Ok(Reply { body, cost_micro_usd: 0, usage: None })
    }

    /// Adds what a model took.
    pub fn with_usage(self, usage: Usage, cost_micro_usd: u64) -> Reply {
        Reply { cost_micro_usd, usage: Some(usage), ..self }
    }

    /// Writes the cost into the body and into the header, so that both agree.
    pub fn into_wire(self) -> WireReply {
        let Reply { mut body, cost_micro_usd, usage } = self;
        if let Some(fields) = body.as_object_mut() {
            fields.insert("cost_usd".to_owned(), money::json_usd(cost_micro_usd));
            if let Some(usage) = usage {
                fields.insert(
                    "usage".to_owned(),
                    serde_json::to_value(usage).expect("a usage is plain data"),
                );
            }
        }
        WireReply { json: body.to_string(), cost_usd: money::decimal_usd(cost_micro_usd) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cost_stands_in_the_body_and_in_the_header() {
        let usage =
            Usage { model: "m".into(), input_tokens: 10, output_tokens: 2, ..Usage::default() };
        let wire = Reply::of(&json!({"topic": "x"})).unwrap().with_usage(usage, 42).into_wire();
        let body: Value = serde_json::from_str(&wire.json).unwrap();
        assert_eq!(body["cost_usd"], 0.000042);
        assert_eq!(body["usage"]["model"], "m");
        assert!(body["usage"].get("estimated").is_none());
        assert_eq!(wire.cost_usd, "0.000042");
    }

    #[test]
    fn without_a_model_the_cost_is_zero_whatever_the_body_said() {
        let wire = Reply::of(&json!({"cost_usd": 9})).unwrap().into_wire();
        assert_eq!(wire.json, r#"{"cost_usd":0}"#);
        assert_eq!(wire.cost_usd, "0");
    }

    #[test]
    fn only_an_object_is_an_output() {
        assert_eq!(Reply::of(&[1, 2]).unwrap_err().code, "output.no_object");
    }

    #[test]
    fn usages_add_up() {
        let mut sum = Usage::default();
        sum.add(&Usage {
            model: "m".into(),
            input_tokens: 1,
            output_tokens: 2,
            calls: 1,
            estimated: true,
        });
        sum.add(&Usage {
            model: "n".into(),
            input_tokens: 3,
            output_tokens: 4,
            calls: 1,
            estimated: false,
        });
        assert_eq!((sum.model.as_str(), sum.input_tokens, sum.output_tokens), ("m", 4, 6));
        assert_eq!((sum.calls, sum.estimated), (2, true));
    }
}
