//! Cross-origin requests: pages of which origins may call, and what they may read.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, \
    If-None-Match, Last-Event-ID, Prefer, X-API-Key, X-Request-ID, X-Worker-ID, traceparent";
const RESPONSE_HEADERS: &str = "Content-Disposition, Content-Range, ETag, Link, Location, \
    Preference-Applied, Retry-After, X-Request-ID";
/// How long a browser may remember the answer to a preflight.
const PREFLIGHT_AGE_S: &str = "600";

/// The origins that `ALLOWED_ORIGINS` names: a list with commas, or `*` for all. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// No page of another origin may call.
    #[default]
    None,
    /// Pages of any origin may call. Credentials are headers that a page must know, never cookies.
    Any,
    /// Pages of these origins may call.
    Listed(Vec<String>),
}

impl Origins {
    /// Reads a list; `None` when something in it is no origin.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let listed = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let listed: Option<Vec<String>> = listed.map(origin).collect();
        listed.map(|origins| if origins.is_empty() { Self::None } else { Self::Listed(origins) })
    }

    /// Whether a page of this origin may call.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.allow(origin).is_some()
    }

    /// What `Access-Control-Allow-Origin` says to a page of this origin.
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::None => None,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(origins) => {
                let known = origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
                known.then(|| origin.clone())
            }
        }
    }
}

/// The answer to a preflight; `None` when the request is none.
pub fn preflight(origins: &Origins, method: &Method, headers: &HeaderMap) -> Option<Response> {
    let asks = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let origin = headers.get(header::ORIGIN).filter(|_| method == Method::OPTIONS && asks)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if origins.allow(origin).is_some() {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    Some(response)
}

/// Says to a page of `origin` whether it may read this response.
pub fn mark(origins: &Origins, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if matches!(origins, Origins::Listed(_)) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(allowed) = origin.and_then(|origin| origins.allow(origin)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        let exposed = HeaderValue::from_static(RESPONSE_HEADERS);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

fn origin(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let origin = url.origin();
    (origin.is_tuple() && origin.ascii_serialization() == text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(origins: &str, origin: &str) -> HeaderMap {
        let origins = Origins::parse(origins).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        let mut response = preflight(&origins, &Method::OPTIONS, &headers).unwrap();
        mark(&origins, headers.get(header::ORIGIN), response.headers_mut());
        response.headers().clone()
    }

    #[test]
    fn a_listed_origin_is_let_in_and_another_is_not() {
        let listed = "https://a.example, https://b.example:8443";
        let headers = ask(listed, "https://b.example:8443");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://b.example:8443");
        assert!(headers.contains_key(header::ACCESS_CONTROL_ALLOW_HEADERS));
        assert_eq!(headers[header::VARY], "Origin");
        for other in ["https://b.example", "https://a.example.evil", "null"] {
            let headers = ask(listed, other);
            assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{other}");
            assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS), "{other}");
        }
    }

    #[test]
    fn any_origin_is_let_in_without_being_named() {
        assert_eq!(ask("*", "https://x.example")[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in ["a.example", "https://a.example/", "https://a.example/x", "file:///x"] {
            assert_eq!(Origins::parse(bad), None, "{bad}");
        }
        assert_eq!(Origins::parse(" , "), Some(Origins::None));
    }

    #[test]
    fn only_options_with_a_request_method_is_a_preflight() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://a.example"));
        assert!(preflight(&Origins::Any, &Method::OPTIONS, &headers).is_none());
        headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        assert!(preflight(&Origins::Any, &Method::GET, &headers).is_none());
    }
}
