//! Users as administrators make and change them. An administrator of one account sees its users.
//! Whoever was changed meets it with the next request: tokens say nothing of rights.

mod settings;

use api_types::people::{
    NewPassword, NewUser, PasswordReply, UserEntry, UserPatch, UsersQuery, UsersReply,
};
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::api::precondition;
use crate::api::query::label;
use crate::audit::{self, Change};
use crate::auth::{Administer, Authorized, Caller, Reach};
use crate::clock::now;
use crate::db::users::{self, Filter, User};
use crate::db::{D1, Database, Statement, iso, sessions, sign_in_attempts};
use crate::error::ApiError;
use crate::extract::{JsonDocument, Query, ResourcePath};
use crate::openapi::{
    ADMIN, AdminErrors, BodyErrors, ChangeErrors, CreateErrors, NotFoundErrors, QueryErrors,
    RetireErrors, UserChangeErrors,
};
use crate::people::{password, subject_of_user};
use crate::request::RequestContext;
pub use settings::{check_password, check_texts, document, fresh, role_of, shown};

const KIND: &str = "user";
const PAGE_DEFAULT: u32 = 50;

/// The users, oldest first. An administrator of one account sees its users.
#[utoipa::path(
    get, path = "/admin/users", tag = ADMIN,
    params(UsersQuery),
    responses(
        (status = 200, description = "A page of users", body = UsersReply),
        QueryErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn list_users(
    authorized: Authorized<Administer>,
    context: RequestContext,
    Query(query): Query<UsersQuery>,
) -> Result<Json<UsersReply>, ApiError> {
    let UsersQuery { account, role, active, search, limit, cursor } = query;
    let (role, search) = (role.and_then(label), search.as_deref().map(users::key));
    let filter = Filter {
        account: own(&authorized.caller).or(account.as_deref()),
        role: role.as_deref(),
        active,
        search: search.as_deref(),
    };
    let part = (cursor.as_deref(), limit.unwrap_or(PAGE_DEFAULT));
    let (found, more) = users::page(&context.database()?, filter, part).await?;
    let next_cursor = found.last().filter(|_| more).map(|user| user.user_id.clone());
    Ok(Json(UsersReply { users: found.into_iter().map(shown).collect(), next_cursor }))
}

/// Makes a user, who may sign in at once.
#[utoipa::path(
    post, path = "/admin/users", tag = ADMIN,
    request_body = NewUser,
    responses(
        (status = 201, description = "It is made", body = UserEntry,
            headers(("ETag" = String, description = "What it was made as, for If-Match"))),
        BodyErrors, CreateErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn create_user(
    authorized: Authorized<Administer>,
    context: RequestContext,
    body: JsonDocument<NewUser>,
) -> Result<Response, ApiError> {
    let work = Work::of(&context, &authorized.caller)?;
    let wanted = body.typed_in_secret()?;
    let (user, text) = settings::new(wanted, work.caller)?;
    work.refuse(&user).await?;
    let hash = password::hash(&text, context.config().bcrypt_cost)?;
    let change = logged("user.created", &user, None, Some(document(&user)));
    if !work.make(users::create(&user, &hash), change, Vec::new()).await? {
        work.refuse(&user).await?;
        return Err(ApiError::ResourceChanged { kind: KIND, name: user.email });
    }
    let user = work.find(&user.user_id).await?;
    let place = format!("/admin/users/{}", user.user_id);
    let mut response = tagged(StatusCode::CREATED, user);
    response.headers_mut().extend(place.try_into().ok().map(|place| (header::LOCATION, place)));
    Ok(response)
}

/// One user.
#[utoipa::path(
    get, path = "/admin/users/{user_id}", tag = ADMIN,
    params(("user_id" = String, Path, description = "The user's id", max_length = 64)),
    responses(
        (status = 200, description = "The user", body = UserEntry,
            headers(("ETag" = String, description = "What was read, for If-Match"))),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn show_user(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Response, ApiError> {
    let work = Work::of(&context, &authorized.caller)?;
    Ok(tagged(StatusCode::OK, work.find(&id).await?))
}

/// Changes a user, as a JSON merge patch (RFC 7396).
///
/// A new role counts from the user's next request on. The sign-ins of a user that is deactivated or
/// moved to another account end. The last active administrator of the account `default` stays one.
#[utoipa::path(
    patch, path = "/admin/users/{user_id}", tag = ADMIN,
    request_body = UserPatch,
    params(
        ("user_id" = String, Path, description = "The user's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The user as it is now", body = UserEntry,
            headers(("ETag" = String, description = "What it is now, for If-Match"))),
        BodyErrors, NotFoundErrors, UserChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn change_user(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
    body: JsonDocument<UserPatch>,
) -> Result<Response, ApiError> {
    let work = Work::of(&context, &authorized.caller)?;
    let was = work.find(&id).await?;
    precondition::check(&headers, &was.state, (KIND, &id))?;
    let user = settings::patched(&was, body, work.caller)?;
    let (before, after) = (document(&was), document(&user));
    if before == after {
        return Ok(tagged(StatusCode::OK, was));
    }
    let change = logged(settings::verb(&was, &user), &user, Some(before), Some(after));
    let mut then = Vec::new();
    if was.active && !user.active {
        then.push(sessions::end_of_inactive(&id, now()));
    }
    if was.account_id != user.account_id {
        then.push(sessions::end_of_moved(&id, now(), &user.account_id));
    }
    if !work.make(users::change(&user), change, then).await? {
        work.refuse_change(&was, &user).await?;
        return Err(ApiError::ResourceChanged { kind: KIND, name: id });
    }
    Ok(tagged(StatusCode::OK, work.find(&id).await?))
}

/// Gives a user another password. All of its sign-ins end, and it is unlocked.
#[utoipa::path(
    post, path = "/admin/users/{user_id}/password", tag = ADMIN,
    request_body = NewPassword,
    params(("user_id" = String, Path, description = "The user's id", max_length = 64)),
    responses(
        (status = 200, description = "It is set", body = PasswordReply),
        BodyErrors, NotFoundErrors, ChangeErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn reset_password(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    body: JsonDocument<NewPassword>,
) -> Result<Json<PasswordReply>, ApiError> {
    let work = Work::of(&context, &authorized.caller)?;
    let NewPassword { password } = body.typed_in_secret()?;
    let user = work.find(&id).await?;
    settings::check_grants(&user, work.caller)?;
    with_password(&context, work.caller, &user, ("/password", &password), None).await.map(Json)
}

/// Lets a user try again whose passwords are not looked at for a while.
#[utoipa::path(
    post, path = "/admin/users/{user_id}/unlock", tag = ADMIN,
    params(("user_id" = String, Path, description = "The user's id", max_length = 64)),
    responses(
        (status = 200, description = "The user, unlocked now or before", body = UserEntry),
        NotFoundErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn unlock_user(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
) -> Result<Json<UserEntry>, ApiError> {
    let work = Work::of(&context, &authorized.caller)?;
    let user = work.find(&id).await?;
    let change = logged("user.unlocked", &user, None, None);
    work.make(sign_in_attempts::clear(&subject_of_user(&id)), change, Vec::new()).await?;
    Ok(Json(shown(work.find(&id).await?)))
}

/// Deletes a user. Its tokens are refused from now on; what it did still names it, and the audit
/// log says who it was.
#[utoipa::path(
    delete, path = "/admin/users/{user_id}", tag = ADMIN,
    params(
        ("user_id" = String, Path, description = "The user's id", max_length = 64),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was read"),
    ),
    responses(
        (status = 200, description = "The user as it was", body = UserEntry),
        NotFoundErrors, RetireErrors, AdminErrors,
    ),
    security(("worker_secret" = [], "worker_id" = []), ("client_key" = [])),
)]
#[worker::send]
pub async fn delete_user(
    authorized: Authorized<Administer>,
    context: RequestContext,
    ResourcePath(id): ResourcePath,
    headers: HeaderMap,
) -> Result<Json<UserEntry>, ApiError> {
    let work = Work::of(&context, &authorized.caller)?;
    let was = work.find(&id).await?;
    precondition::check(&headers, &was.state, (KIND, &id))?;
    let change = logged("user.deleted", &was, Some(document(&was)), None);
    let forget = sign_in_attempts::clear(&subject_of_user(&id));
    if !work.make(users::delete(&was), change, vec![forget]).await? {
        let nobody = User { active: false, ..was.clone() };
        work.refuse_change(&was, &nobody).await?;
        return Err(ApiError::ResourceChanged { kind: KIND, name: id });
    }
    Ok(Json(shown(was)))
}

/// One change of users: where, and by whom.
pub struct Work<'a> {
    context: &'a RequestContext,
    caller: &'a Caller,
    /// Where the rows are.
    pub database: D1,
}

impl<'a> Work<'a> {
    /// A change that `caller` makes.
    pub fn of(context: &'a RequestContext, caller: &'a Caller) -> Result<Self, ApiError> {
        Ok(Self { context, caller, database: context.database()? })
    }

    /// The user, where the caller's sight reaches it.
    pub async fn find(&self, id: &str) -> Result<User, ApiError> {
        let found = users::find(&self.database, id, own(self.caller)).await?;
        found.ok_or_else(|| ApiError::ResourceNotFound { kind: KIND, name: id.to_owned() })
    }

    /// Makes the change and logs it; whether it was made.
    pub async fn make(
        &self,
        statement: Statement,
        change: Change<'_>,
        then: Vec<Statement>,
    ) -> Result<bool, ApiError> {
        let by = (self.context, self.caller);
        Ok(audit::make(&self.database, by, statement, change, then).await?)
    }

    /// Says what stands in the way of a user.
    async fn refuse(&self, user: &User) -> Result<(), ApiError> {
        let Some(found) = users::in_the_way(&self.database, user).await? else { return Ok(()) };
        if !found.account_exists {
            return Err(settings::account_unknown());
        }
        let exists = |name: &str| ApiError::ResourceExists { kind: KIND, name: name.to_owned() };
        match (found.email_taken, found.name_taken) {
            (true, _) => Err(exists(&user.email)),
            (false, true) => Err(exists(&user.name)),
            (false, false) => Ok(()),
        }
    }

    /// Says what stands in the way of a change.
    async fn refuse_change(&self, was: &User, user: &User) -> Result<(), ApiError> {
        self.refuse(user).await?;
        let found = users::in_the_way(&self.database, user).await?;
        let alone = found.is_some_and(|found| !found.others_administer);
        if alone && settings::operates(was) && !settings::operates(user) {
            return Err(ApiError::LastAdministrator { name: was.email.clone() });
        }
        Ok(())
    }
}

/// Gives `user` the password at `pointer`, ends its sessions but `kept`, and unlocks it.
pub async fn with_password(
    context: &RequestContext,
    caller: &Caller,
    user: &User,
    (pointer, text): (&'static str, &str),
    kept: Option<&str>,
) -> Result<PasswordReply, ApiError> {
    check_password(user, (pointer, text))?;
    let work = Work::of(context, caller)?;
    let hash = password::hash(text, context.config().bcrypt_cost)?;
    let now = now();
    let at = iso(now);
    let (what, reason) = match kept {
        Some(_) => ("user.password_changed", "password_changed"),
        None => ("user.password_reset", "password_reset"),
    };
    let id = user.user_id.as_str();
    let end = sessions::end_of_old_password((id, &hash), now, kept, reason);
    let change = logged(what, user, None, None);
    let entry = audit::written(context, caller, change);
    let batch = vec![
        users::set_password(user, &hash, &at),
        crate::db::audit::add(&entry),
        end,
        sign_in_attempts::clear(&subject_of_user(id)),
        crate::db::audit::of_id(&entry.id),
    ];
    let results = work.database.batch(batch).await?;
    if !crate::db::audit::was_added(results.last())? {
        return Err(ApiError::ResourceChanged { kind: KIND, name: id.to_owned() });
    }
    let sessions_ended = results.get(2).map_or(0, crate::db::Rows::count);
    Ok(PasswordReply { password_changed_at: at, sessions_ended })
}

/// The entry of a change.
pub fn logged<'a>(
    what: &'static str,
    user: &'a User,
    before: Option<Value>,
    after: Option<Value>,
) -> Change<'a> {
    let account = Some(user.account_id.as_str());
    Change { change: what, subject_type: KIND, subject: &user.user_id, account, before, after }
}

fn tagged(status: StatusCode, user: User) -> Response {
    let tag = precondition::etag(&user.state);
    (status, [(header::ETAG, tag)], Json(shown(user))).into_response()
}

/// The account that the caller's sight ends at.
fn own(caller: &Caller) -> Option<&str> {
    match caller.reach() {
        Reach::Installation => None,
        Reach::Account(account) => Some(account),
    }
}
