//! How a client wants its answer: `Prefer` (RFC 7240) and `Idempotency-Key`.

use axum::http::{HeaderMap, HeaderName};
use engine::time::Millis;

use crate::error::ApiError;

/// Says what of `Prefer` was heeded.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The longest that a request may be kept waiting.
pub const WAIT_MAX: Millis = Millis::from_secs(90);
const KEY_CHARS_MAX: usize = 255;

/// What `Prefer` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    respond_async: bool,
    wait: Option<Millis>,
}

impl Preference {
    /// Reads the headers; what is not known is left aside, as the RFC wants it.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for token in values.flat_map(|value| value.split(',')) {
            let token = token.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if token == "respond-async" {
                found.respond_async = true;
            } else if let Some(seconds) = token.strip_prefix("wait=") {
                let seconds = seconds.trim_matches('"').parse().ok();
                found.wait = found.wait.or(seconds.map(|s| Millis::from_secs(s).min(WAIT_MAX)));
            }
        }
        found
    }

    /// The same, with no wait longer than `longest`.
    #[must_use]
    pub fn capped(self, longest: Millis) -> Self {
        Self { wait: self.wait.map(|wait| wait.min(longest)), ..self }
    }

    /// How long the answer may take, where the body does not want it at once.
    pub fn window(self, default: Millis) -> Millis {
        match (self.wait, self.respond_async) {
            (Some(wait), _) => wait,
            (None, true) => Millis::ZERO,
            (None, false) => default,
        }
    }

    /// What `Preference-Applied` says.
    pub fn applied(self) -> Option<String> {
        match (self.wait, self.respond_async) {
            (Some(wait), true) => Some(format!("respond-async, wait={}", wait.get() / 1000)),
            (Some(wait), false) => Some(format!("wait={}", wait.get() / 1000)),
            (None, true) => Some("respond-async".to_owned()),
            (None, false) => None,
        }
    }
}

/// The idempotency key, if one was sent: 1 to 255 visible ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let bytes = value.as_bytes();
    let fits = (1..=KEY_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    if !fits {
        return Err(ApiError::HeaderInvalid {
            name: "Idempotency-Key",
            message: format!("must have 1 to {KEY_CHARS_MAX} visible ASCII characters"),
        });
    }
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn window(values: &[&str]) -> (u64, Option<String>) {
        let preference = Preference::read(&headers("prefer", values));
        (preference.window(Millis::from_secs(60)).get() / 1000, preference.applied())
    }

    #[test]
    fn preferences_decide_how_long_the_answer_may_take() {
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(window(&[]), (60, None));
        assert_eq!(window(&["respond-async"]), (0, said("respond-async")));
        assert_eq!(window(&["wait=10"]), (10, said("wait=10")));
        assert_eq!(window(&["wait=600"]), (90, said("wait=90")));
        assert_eq!(window(&["Respond-Async, wait=5; x=1"]), (5, said("respond-async, wait=5")));
        assert_eq!(window(&["handling=lenient", "wait=7"]), (7, said("wait=7")));
        assert_eq!(window(&["wait=soon, return=minimal"]), (60, None));
    }

    #[test]
    fn a_key_is_visible_and_short() {
        let key = |text: &str| idempotency_key(&headers("idempotency-key", &[text]));
        assert_eq!(key("order-4711/1").unwrap().as_deref(), Some("order-4711/1"));
        assert!(key(&"k".repeat(255)).is_ok());
        for bad in ["", "a b", "a\tb", &"k".repeat(256)] {
            assert_eq!(key(bad).unwrap_err().code().as_str(), "header.invalid", "{bad:?}");
        }
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
