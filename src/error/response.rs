//! An error as a response: its status, and the headers that some errors have.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{ApiError, SignInFault};

/// When it is worth saying something again to an execution whose inbox is full.
const INBOX_RETRY_AFTER_S: u32 = 5;
/// What a caller is told to bring (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"bitware-orchestrator\"";
const CHALLENGE_INVALID: &str = "Bearer realm=\"bitware-orchestrator\", error=\"invalid_token\"";

/// The status with the error beside it; [`crate::router`] puts the body in, where the request's id
/// is known.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code().status().into_response();
        let retry_after_s = match &self {
            Self::AdmissionRefused { retry_after_s, .. }
            | Self::RateLimited { retry_after_s, .. }
            | Self::SignIn(SignInFault::Locked { retry_after_s })
            | Self::AccountExhausted { retry_after_s, .. } => Some(*retry_after_s),
            Self::InboxFull { .. } => Some(INBOX_RETRY_AFTER_S),
            _ => None,
        };
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Self::Live(fault) = &self {
            fault.mark(response.headers_mut());
        }
        if let Self::RangeUnsatisfiable { size_bytes } = &self {
            let range = HeaderValue::from_str(&format!("bytes */{size_bytes}"));
            response.headers_mut().extend(range.ok().map(|range| (header::CONTENT_RANGE, range)));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            let challenge = match self {
                Self::SignIn(SignInFault::TokenInvalid { .. } | SignInFault::TokenExpired) => {
                    CHALLENGE_INVALID
                }
                _ => CHALLENGE,
            };
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
