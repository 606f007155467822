//! What the document says of people: how they are let in, and what can go wrong.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use super::error_response;

/// The name of the tokens of people among the ways to be let in.
pub(super) const USER_TOKEN: &str = "user_token";

/// How their tokens are sent.
pub(super) fn scheme() -> SecurityScheme {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token of a person, from POST /auth/login."))
        .build();
    SecurityScheme::Http(bearer)
}

/// Where a client's key goes, a person's token goes, too.
pub(super) fn admit(operation: &mut Operation) {
    let Some(ways) = &mut operation.security else { return };
    if ways.contains(&SecurityRequirement::new("client_key", [""; 0])) {
        ways.push(SecurityRequirement::new(USER_TOKEN, [""; 0]));
    }
}

errors! {
    /// What can go wrong with a sign-in and what comes of one.
    SignInErrors:
        "401" "The name, the password or the token is not right",
        "403" "The account is suspended",
        "429" "Too many attempts failed; Retry-After says when the next is looked at",
        "500" "A defect; it is in the log under the request_id",
        "503" "SECRET_KEY is not set, or the database is not available";
    /// What can go wrong with an endpoint for people.
    PersonErrors:
        "401" "Nobody has signed in, or the access token is not valid",
        "403" "The account is suspended",
        "412" "The user was changed meanwhile",
        "429" "Too many attempts failed; Retry-After says when the next is looked at",
        "500" "A defect; it is in the log under the request_id",
        "503" "SECRET_KEY is not set, or the database is not available";
    /// What can go wrong with the first user.
    BootstrapErrors:
        "401" "A credential is missing or not valid",
        "403" "The credential does not allow this",
        "409" "There is a user already",
        "500" "A defect; it is in the log under the request_id",
        "503" "The database or the configuration is not available";
    /// What can go wrong where a user is changed.
    UserChangeErrors:
        "409" "Another user has the e-mail or the name, or it is the last administrator",
        "412" "It is not as If-Match says, or was changed meanwhile";
}
