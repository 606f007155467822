//! Owns the JSON of chat models: the request, and what an answer says. Pure.

use serde_json::{Value, json};

use crate::reply::Usage;

/// About this many characters make a token, where the model does not count.
const CHARS_PER_TOKEN: usize = 4;

/// What a model is asked.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'p> {
    /// The instruction.
    pub system: &'p str,
    /// The material.
    pub user: &'p str,
    /// The most tokens that the answer may have.
    pub max_tokens: u32,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The JSON object that was asked for; `None` when the answer holds none.
    pub value: Option<Value>,
    /// Tokens as the model counted them, else as estimated.
    pub usage: Usage,
}

impl Prompt<'_> {
    /// The body for `chat/completions`; Workers AI takes the same without a model.
    pub fn to_json(&self, model: Option<&str>) -> Value {
        let mut body = json!({
            "messages": [
                {"role": "system", "content": self.system},
                {"role": "user", "content": self.user},
            ],
            "max_tokens": self.max_tokens,
            "temperature": 0,
            "response_format": {"type": "json_object"},
        });
        if let Some(model) = model {
            body["model"] = json!(model);
        }
        body
    }

    /// The usage of a call whose answer never came: what was sent has been read, at most.
    pub fn usage_without_answer(&self, model: Option<&str>) -> Usage {
        Usage {
            model: model.unwrap_or_default().to_owned(),
            input_tokens: self.input_tokens_estimated(),
            output_tokens: 0,
            calls: 1,
            estimated: true,
        }
    }

    /// Reads an answer, in the form of `chat/completions` or of Workers AI.
    pub fn read_answer(&self, model: Option<&str>, body: &Value) -> Answer {
        let content = ["/choices/0/message/content", "/response", "/result/response"]
            .iter()
            .find_map(|pointer| body.pointer(pointer));
        let value = match content {
            Some(Value::String(text)) => json_object_in(text),
            Some(object @ Value::Object(_)) => Some(object.clone()),
            _ => None,
        };
        let named = body["model"].as_str().or(model).unwrap_or_default();
        let count = |name: &str| {
            ["/usage", "/result/usage"]
                .iter()
                .find_map(|base| body.pointer(&format!("{base}/{name}")))
                .and_then(Value::as_u64)
        };
        let counted = (count("prompt_tokens"), count("completion_tokens"));
        let written = content.map_or(0, |content| content.to_string().chars().count());
        Answer {
            value,
            usage: Usage {
                model: named.to_owned(),
                input_tokens: counted.0.unwrap_or_else(|| self.input_tokens_estimated()),
                output_tokens: counted.1.unwrap_or_else(|| tokens_estimated(written)),
                calls: 1,
                estimated: counted.0.is_none() || counted.1.is_none(),
            },
        }
    }

    fn input_tokens_estimated(&self) -> u64 {
        tokens_estimated(self.system.chars().count() + self.user.chars().count())
    }
}

/// The address of `chat/completions` under a base URL, with or without a slash at its end.
pub fn completions_url(base_url: &str) -> String {
    format!("{}/chat/completions", base_url.trim_end_matches('/'))
}

/// The error text of an endpoint's refusal, cut short; providers differ in where they put it.
pub fn refusal_text(body: &[u8]) -> String {
    const CHARS_MAX: usize = 200;
    let text = serde_json::from_slice::<Value>(body).ok().and_then(|body| {
        ["/error/message", "/error", "/message", "/detail", "/errors/0/message"]
            .iter()
            .find_map(|pointer| body.pointer(pointer)?.as_str().map(str::to_owned))
    });
    text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

/// The outermost JSON object of a text: the whole, or what stands inside a code fence or prose.
fn json_object_in(text: &str) -> Option<Value> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    object(text.trim()).or_else(|| {
        let (start, end) = (text.find('{')?, text.rfind('}')?);
        object(text.get(start..=end)?)
    })
}

fn tokens_estimated(chars: usize) -> u64 {
    chars.div_ceil(CHARS_PER_TOKEN) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: Prompt =
        Prompt { system: "Answer in JSON.", user: "Topic: bees", max_tokens: 64 };

    #[test]
    fn the_request_asks_for_a_json_object() {
        let body = PROMPT.to_json(Some("small-1"));
        assert_eq!(body["model"], "small-1");
        assert_eq!(body["response_format"]["type"], "json_object");
        assert_eq!(body["messages"][1]["content"], "Topic: bees");
        assert_eq!(body["max_tokens"], 64);
        assert!(PROMPT.to_json(None).get("model").is_none());
    }

    #[test]
    fn a_chat_completion_is_read() {
        let answer = PROMPT.read_answer(
            Some("asked"),
            &json!({
                "model": "small-1-0601",
                "choices": [{"message": {"role": "assistant", "content": "{\"a\": 1}"}}],
                "usage": {"prompt_tokens": 21, "completion_tokens": 5, "total_tokens": 26},
            }),
        );
        assert_eq!(answer.value, Some(json!({"a": 1})));
        assert_eq!(answer.usage.model, "small-1-0601");
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (21, 5));
        assert!(!answer.usage.estimated);
    }

    #[test]
    fn both_forms_of_workers_ai_are_read() {
        for body in [json!({"response": {"a": 1}}), json!({"response": "{\"a\":1}"})] {
            let answer = PROMPT.read_answer(Some("@cf/m"), &body);
            assert_eq!(answer.value, Some(json!({"a": 1})));
            assert_eq!(answer.usage.model, "@cf/m");
            assert_eq!(answer.usage.input_tokens, 7);
            assert!(answer.usage.estimated);
        }
    }

    #[test]
    fn json_is_found_inside_a_fence_or_prose() {
        for text in ["```json\n{\"a\": 1}\n```", "Sure: {\"a\": 1}.", "  {\"a\": 1} "] {
            assert_eq!(json_object_in(text), Some(json!({"a": 1})), "{text}");
        }
        for text in ["[1]", "no", "} {", "{\"a\":", ""] {
            assert_eq!(json_object_in(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_without_json_still_costs() {
        let body = json!({
            "choices": [{"message": {"content": "I cannot do that"}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4},
        });
        let answer = PROMPT.read_answer(None, &body);
        assert_eq!((answer.value, answer.usage.output_tokens), (None, 4));
        assert_eq!(PROMPT.read_answer(None, &json!({"choices": []})).value, None);
    }

    #[test]
    fn refusals_are_found_wherever_the_provider_puts_them() {
        assert_eq!(refusal_text(br#"{"error":{"message":"bad\nkey"}}"#), "badkey");
        assert_eq!(refusal_text(br#"{"detail":"nope"}"#), "nope");
        assert_eq!(refusal_text(b"<html>"), "");
    }

    #[test]
    fn addresses_join_with_or_without_a_slash() {
        assert_eq!(completions_url("http://h/v1/"), "http://h/v1/chat/completions");
        assert_eq!(completions_url("http://h/v1"), "http://h/v1/chat/completions");
    }
}
