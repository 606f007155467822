//! One's own user: who one is, and another password.

use api_types::people::{PasswordChange, PasswordReply, SignedInUser};
use axum::Json;
use axum::http::HeaderMap;

use crate::api::admin::users::{role_of, with_password};
use crate::auth::{Authorized, Scope, SignedIn};
use crate::db::users;
use crate::error::{ApiError, SignInFault};
use crate::extract::JsonDocument;
use crate::openapi::{BodyErrors, PEOPLE, PersonErrors};
use crate::people;
use crate::rate::network;
use crate::request::RequestContext;

/// The person who asks.
#[utoipa::path(
    get, path = "/auth/user", tag = PEOPLE,
    responses(
        (status = 200, description = "Who it is", body = SignedInUser),
        PersonErrors,
    ),
    security(("user_token" = [])),
)]
#[worker::send]
pub async fn show_signed_in_user(
    authorized: Authorized<SignedIn>,
    context: RequestContext,
) -> Result<Json<SignedInUser>, ApiError> {
    let person = authorized.caller.person().ok_or(SignInFault::TokenRequired)?;
    let found = users::find(&context.database()?, &person.user_id, None).await?;
    let user = found.ok_or(SignInFault::TokenInvalid { reason: "user" })?;
    let scopes = person.role.scopes();
    let all = [Scope::Execute, Scope::Read, Scope::Admin].into_iter();
    Ok(Json(SignedInUser {
        role: role_of(&user),
        scopes: all.filter(|it| scopes.contains(*it)).map(|it| it.as_str().to_owned()).collect(),
        user_id: user.user_id,
        email: user.email,
        name: user.name,
        account: user.account_id,
        last_sign_in_at: user.last_sign_in_at,
        password_changed_at: user.password_changed_at,
        created_at: user.created_at,
    }))
}

/// Gives oneself another password. All other sign-ins end; this one goes on.
///
/// A wrong `current_password` counts like a failed sign-in.
#[utoipa::path(
    put, path = "/auth/user/password", tag = PEOPLE,
    request_body = PasswordChange,
    responses(
        (status = 200, description = "It is set", body = PasswordReply),
        BodyErrors, PersonErrors,
    ),
    security(("user_token" = [])),
)]
#[worker::send]
pub async fn change_password(
    authorized: Authorized<SignedIn>,
    context: RequestContext,
    headers: HeaderMap,
    body: JsonDocument<PasswordChange>,
) -> Result<Json<PasswordReply>, ApiError> {
    let PasswordChange { current_password, new_password } = body.typed_in_secret()?;
    let caller = &authorized.caller;
    let person = caller.person().ok_or(SignInFault::TokenRequired)?;
    let found = users::find(&context.database()?, &person.user_id, None).await?;
    let user = found.ok_or(SignInFault::TokenInvalid { reason: "user" })?;
    let address = network(&headers);
    people::confirm(&context, person, address.as_deref(), &current_password).await?;
    let kept = Some(person.session_id.as_str());
    with_password(&context, caller, &user, ("/new_password", &new_password), kept).await.map(Json)
}
