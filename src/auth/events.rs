//! What the log learns of callers who are refused. It must know no credential.

use axum::http::HeaderMap;

use super::Caller;
use crate::error::{ApiError, ErrorCode, SignInFault};
use crate::rate::network;
use crate::request::RequestContext;
use crate::security::{self, Event, Kind};

/// A credential was not valid.
pub(super) fn refused(context: &RequestContext, headers: &HeaderMap, error: &ApiError) {
    let reason = match (error, error.code()) {
        (ApiError::SignIn(SignInFault::TokenInvalid { reason }), _) => *reason,
        // A client meets it every half hour.
        (_, ErrorCode::TokenExpired) => return,
        (_, ErrorCode::ApiKeyInvalid) => "api key",
        (_, ErrorCode::WorkerInvalid) => "worker",
        (_, ErrorCode::AccountsDiffer) => "two accounts",
        _ => return,
    };
    let address = network(headers);
    let event = Event {
        kind: Kind::CredentialRefused,
        account: None,
        actor: ("system".to_owned(), "nobody".to_owned()),
        subject: address.clone().unwrap_or_else(|| "unknown".to_owned()),
        address,
        reason,
    };
    security::note(context, event);
}

/// A caller has credentials, and not the right.
pub(super) fn violated(
    context: &RequestContext,
    headers: &HeaderMap,
    caller: &Caller,
    error: &ApiError,
) {
    let reason = match error.code() {
        ErrorCode::ScopeMissing => "scope",
        ErrorCode::OperatorRequired => "operator",
        _ => return,
    };
    let (kind, id) = caller.actor();
    let event = Event {
        kind: Kind::ScopeViolated,
        account: Some(caller.account().to_owned()),
        actor: (kind.to_owned(), id.to_owned()),
        subject: context.route(),
        address: network(headers),
        reason,
    };
    security::note(context, event);
}
