//! The first user of an installation.

use api_types::people::{BootstrapRequest, UserEntry};
use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::admin::users::{self as admin, Work};
use crate::auth::{ACCOUNT_DEFAULT, Authorized, Install, Role};
use crate::db::users::{self, User};
use crate::error::{ApiError, SignInFault};
use crate::extract::JsonDocument;
use crate::openapi::{BodyErrors, BootstrapErrors, PEOPLE};
use crate::people::password;
use crate::request::RequestContext;

/// Makes the first user: an administrator of the account `default`. There is no default password.
///
/// It is done once: as soon as there is any user, it is refused. Of two at a time one is made.
#[utoipa::path(
    post, path = "/auth/bootstrap", tag = PEOPLE,
    request_body = BootstrapRequest,
    responses(
        (status = 201, description = "It may sign in", body = UserEntry),
        BodyErrors, BootstrapErrors,
    ),
    security(("worker_secret" = [], "worker_id" = [])),
)]
#[worker::send]
pub async fn bootstrap(
    authorized: Authorized<Install>,
    context: RequestContext,
    body: JsonDocument<BootstrapRequest>,
) -> Result<Response, ApiError> {
    let BootstrapRequest { email, password, name } = body.typed_in_secret()?;
    let work = Work::of(&context, &authorized.caller)?;
    if users::any(&work.database).await? {
        return Err(SignInFault::BootstrapDone.into());
    }
    let user = User {
        name: name.unwrap_or_else(|| email.clone()),
        email,
        role: Role::Admin.as_str().to_owned(),
        ..admin::fresh(ACCOUNT_DEFAULT)
    };
    admin::check_texts(&user, None)?;
    admin::check_password(&user, ("/password", &password))?;
    let hash = password::hash(&password, context.config().bcrypt_cost)?;
    let change = admin::logged("user.bootstrapped", &user, None, Some(admin::document(&user)));
    if !work.make(users::begin(&user, &hash), change, Vec::new()).await? {
        return Err(SignInFault::BootstrapDone.into());
    }
    let entry = admin::shown(work.find(&user.user_id).await?);
    let place = format!("/admin/users/{}", user.user_id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(entry)).into_response())
}
