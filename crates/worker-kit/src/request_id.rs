//! Owns the id under which one request stands in logs and answers.

use http::HeaderMap;

const CHARS_MAX: usize = 128;

/// The caller's `X-Request-ID` when it is a plain token, else a new one.
pub fn of(headers: &HeaderMap) -> String {
    sent(headers).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

fn sent(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (!text.is_empty() && text.len() <= CHARS_MAX && text.bytes().all(token)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_id_is_kept_and_anything_else_replaced() {
        let with = |text: &str| {
            of(&HeaderMap::from_iter([("x-request-id".parse().unwrap(), text.parse().unwrap())]))
        };
        assert_eq!(with("req_1:2-a.b"), "req_1:2-a.b");
        for odd in ["", "a b", "a\"b", &"x".repeat(129)] {
            assert_ne!(with(odd), odd);
            assert_eq!(with(odd).len(), 36);
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
