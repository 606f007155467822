//! Conditional changes (RFC 9110, section 13): an `ETag` stands for what was read, and `If-Match`
//! refuses a change of what is no longer that.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::error::ApiError;
use crate::templates::sha256_hex;

const IF_MATCH: &str = "If-Match";
/// As much of a digest as tells two states of one thing apart.
const TAG_CHARS: usize = 32;
const TAGS_MAX: usize = 32;

/// The entity tag of a thing whose content reads so.
pub fn etag(state: &str) -> HeaderValue {
    let digest: String = sha256_hex(state.as_bytes()).chars().take(TAG_CHARS).collect();
    HeaderValue::try_from(format!("\"{digest}\"")).expect("hexadecimal digits stand in a header")
}

/// Refuses a request whose `If-Match` names another state than this one of the thing.
pub fn check(
    headers: &HeaderMap,
    state: &str,
    (kind, name): (&'static str, &str),
) -> Result<(), ApiError> {
    let Some(tags) = tags(headers)? else { return Ok(()) };
    let current = etag(state);
    let holds = tags.iter().any(|tag| tag == "*" || tag.as_bytes() == current.as_bytes());
    let changed = || ApiError::ResourceChanged { kind, name: name.to_owned() };
    if holds { Ok(()) } else { Err(changed()) }
}

/// Whether `If-None-Match` names this state of the thing: then the client has it already. What is
/// no list of tags matches nothing.
pub fn is_known(headers: &HeaderMap, state: &str) -> bool {
    let current = etag(state);
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let tags = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    tags.map(str::trim).any(|tag| {
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == current.as_bytes()
    })
}

/// The entity tags of `If-Match`. Weak ones match nothing: the comparison is a strong one.
fn tags(headers: &HeaderMap) -> Result<Option<Vec<String>>, ApiError> {
    let mut tags = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let malformed = |message: &str| {
            Err(ApiError::HeaderInvalid { name: IF_MATCH, message: message.to_owned() })
        };
        let Ok(text) = value.to_str() else { return malformed("is no ASCII text") };
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let quoted = opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"');
            if tag != "*" && !quoted {
                return malformed("is neither * nor a list of tags such as \"0123abcd\"");
            }
            tags.push(tag.to_owned());
        }
        if tags.is_empty() || tags.len() > TAGS_MAX {
            return malformed("has no tag, or too many");
        }
    }
    Ok((!tags.is_empty()).then_some(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::IF_MATCH, value.parse().unwrap())).collect()
    }

    fn told(values: &[&str], state: &str) -> Result<(), &'static str> {
        check(&sent(values), state, ("worker", "w")).map_err(|error| error.code().as_str())
    }

    #[test]
    fn a_change_is_made_only_of_what_was_read() {
        let tag = etag("[1]");
        let tag = tag.to_str().unwrap();
        assert_eq!(tag.len(), TAG_CHARS + 2);
        assert_eq!(told(&[], "[1]"), Ok(()), "nobody asked");
        assert_eq!(told(&["*"], "[1]"), Ok(()));
        assert_eq!(told(&[tag], "[1]"), Ok(()));
        assert_eq!(told(&[&format!("\"other\" , {tag}")], "[1]"), Ok(()));
        assert_eq!(told(&["\"other\"", tag], "[1]"), Ok(()));
        assert_eq!(told(&[tag], "[2]"), Err("resource.changed"));
        assert_eq!(told(&[&format!("W/{tag}")], "[1]"), Err("resource.changed"));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for bad in ["", " , ", "abc", "\"", "\"a\", b", "W/", "**"] {
            assert_eq!(told(&[bad], "[1]"), Err("header.invalid"), "{bad}");
        }
        let many = vec!["\"a\""; TAGS_MAX + 1].join(",");
        assert_eq!(told(&[&many], "[1]"), Err("header.invalid"));
    }

    #[test]
    fn what_the_client_has_is_known() {
        let sent = |value: &str| {
            let value = HeaderValue::try_from(value).unwrap();
            is_known(&HeaderMap::from_iter([(header::IF_NONE_MATCH, value)]), "[1]")
        };
        let tag = etag("[1]").to_str().unwrap().to_owned();
        assert!(sent(&tag) && sent("*") && sent(&format!("\"other\", W/{tag}")));
        for other in ["", "\"other\"", "x", &tag[1..]] {
            assert!(!sent(other), "{other}");
        }
        assert!(!is_known(&HeaderMap::new(), "[1]"));
    }
}
