//! Credentials that come where no header can be sent: from browsers that open a WebSocket. They
//! stand for headers, and are checked as those.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{Caller, Need, configured, identify, refuse_invalid};
use crate::error::ApiError;
use crate::request::RequestContext;

/// The headers that a credential stands for: with a worker's name the workers' secret, an access
/// token of a person where it has the form of one, else a client's key.
pub fn headers_of(token: &str, worker_id: Option<&str>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let bearer = || HeaderValue::from_str(&format!("Bearer {token}"));
    if let Some(id) = worker_id {
        headers.insert("x-worker-id", HeaderValue::from_str(id).ok()?);
        headers.insert(header::AUTHORIZATION, bearer().ok()?);
    } else if has_form_of_jwt(token) {
        headers.insert(header::AUTHORIZATION, bearer().ok()?);
    } else {
        headers.insert("x-api-key", HeaderValue::from_str(token).ok()?);
    }
    Some(headers)
}

/// Who calls with these headers, where that is enough for `N`.
pub async fn authorize<N: Need>(
    context: &RequestContext,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    let caller = identify(context, headers).await?;
    let permitted = Caller::permit::<N>(caller.as_ref());
    if permitted.is_err() {
        configured(&context.config().secrets, N::AUDIENCE)?;
    }
    permitted?;
    refuse_invalid(context.config())?;
    Ok(caller.expect("nobody is permitted without credentials"))
}

/// Whether any of the headers is a credential.
pub fn has_credential(headers: &HeaderMap) -> bool {
    headers.contains_key("x-api-key") || headers.contains_key(header::AUTHORIZATION)
}

/// Three parts in base64url, as RFC 7519 has it; no key that is issued has a dot.
fn has_form_of_jwt(token: &str) -> bool {
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let parts: Vec<&str> = token.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.bytes().all(base64url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_stands_for_the_header_that_it_would_be_sent_in() {
        let sent = |token, worker| {
            let headers = headers_of(token, worker).unwrap();
            let of = |name| {
                headers
                    .get(name)
                    .and_then(|value: &HeaderValue| value.to_str().ok())
                    .map(str::to_owned)
            };
            [of("x-api-key"), of("authorization"), of("x-worker-id")]
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(sent("bwk_x", None), [text("bwk_x"), None, None]);
        assert_eq!(sent("ey.Jx.-_", None), [None, text("Bearer ey.Jx.-_"), None]);
        assert_eq!(sent("a.b", None), [text("a.b"), None, None]);
        assert_eq!(sent("secret", Some("me")), [None, text("Bearer secret"), text("me")]);
        for bad in ["a\nb", "\0"] {
            assert!(headers_of(bad, None).is_none() && headers_of("x", Some(bad)).is_none());
        }
    }
}
