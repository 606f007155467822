//! What a user may be, and who may make it so. Pure, but for the new id.

use api_types::people::{NewUser, UserEntry, UserPatch, UserRole};
use engine::plan::Violation;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::merge_patch::merge;
use crate::api::query::{label, report};
use crate::auth::{ACCOUNT_DEFAULT, Caller, Reach, Role, Scopes};
use crate::clock::now;
use crate::db::iso;
use crate::db::users::{User, key};
use crate::error::ApiError;
use crate::extract::JsonDocument;
use crate::people::password::{self, Owner};

/// A user of an account that there was not before.
pub fn fresh(account: &str) -> User {
    User {
        user_id: Uuid::now_v7().to_string(),
        account_id: account.to_owned(),
        active: true,
        ..User::default()
    }
}

/// The user that is asked for with its password, if the caller may make it.
pub fn new(wanted: NewUser, caller: &Caller) -> Result<(User, String), ApiError> {
    let NewUser { email, name, password, role, account, active } = wanted;
    let account = account.unwrap_or_else(|| caller.account().to_owned());
    check_reach(&account, caller)?;
    let user = User {
        name: name.unwrap_or_else(|| email.clone()),
        email,
        role: label(role.unwrap_or_default()).unwrap_or_default(),
        active: active.unwrap_or(true),
        ..fresh(&account)
    };
    check_grants(&user, caller)?;
    check_texts(&user, None)?;
    check_password(&user, ("/password", &password))?;
    Ok((user, password))
}

/// The user with the changes of a merge patch, if the caller may make them.
pub fn patched(
    was: &User,
    body: JsonDocument<UserPatch>,
    caller: &Caller,
) -> Result<User, ApiError> {
    let patch = body.value.clone();
    body.typed()?;
    let mut changed = document(was);
    merge(&mut changed, patch);
    let UserPatch { email, name, role, account, active } =
        JsonDocument::<UserPatch>::of(changed).typed()?;
    let email = email.ok_or_else(|| invalid("/email", "required", "a user has an e-mail"))?;
    let account =
        account.ok_or_else(|| invalid("/account", "required", "a user has an account"))?;
    // A name that is the e-mail goes on being it.
    let name = name.filter(|name| key(name) != key(&was.email) || key(&was.email) == key(&email));
    let user = User {
        name: name.unwrap_or_else(|| email.clone()),
        email,
        role: label(role.unwrap_or_default()).unwrap_or_default(),
        account_id: account,
        active: active.unwrap_or(true),
        ..was.clone()
    };
    check_reach(&user.account_id, caller)?;
    // Whoever changes one who has more rights could take that one's place.
    check_grants(was, caller)?;
    check_grants(&user, caller)?;
    check_texts(&user, Some(was))?;
    Ok(user)
}

/// What the change is called in the audit log.
pub fn verb(was: &User, is: &User) -> &'static str {
    match (was.active, is.active) {
        (true, false) => "user.deactivated",
        (false, true) => "user.activated",
        (true, true) | (false, false) if was.role != is.role => "user.role_changed",
        (true, true) | (false, false) => "user.updated",
    }
}

/// Refuses an e-mail or a name that is none, or that another could be taken for.
pub fn check_texts(user: &User, was: Option<&User>) -> Result<(), ApiError> {
    let mut found: Vec<Violation> = Vec::new();
    let name = user.name.trim();
    if name.is_empty() || name.len() != user.name.len() {
        report(&mut found, "/name", "name", "is empty, or has space at an end");
    }
    let is_email = key(&user.name) == key(&user.email);
    if user.name.contains('@') && !is_email && was.is_none_or(|was| was.name != user.name) {
        report(&mut found, "/name", "name.at", "has an @ and is not the user's own e-mail");
    }
    if found.is_empty() { Ok(()) } else { Err(ApiError::RequestInvalid(found)) }
}

/// Refuses a text at `pointer` that must not be the user's password, without repeating it.
pub fn check_password(user: &User, (pointer, text): (&'static str, &str)) -> Result<(), ApiError> {
    match password::misfit(text, Owner { email: &user.email, name: &user.name }) {
        None => Ok(()),
        Some((code, message)) => Err(invalid(pointer, code, message)),
    }
}

/// Nobody makes, changes or takes the place of a user who may do more than they do.
pub fn check_grants(user: &User, caller: &Caller) -> Result<(), ApiError> {
    let scopes = Role::parse(&user.role).map_or(Scopes::default(), Role::scopes);
    match scopes.beyond(caller.grants()) {
        None => Ok(()),
        Some(scope) => Err(ApiError::ScopeMissing { scope: scope.as_str() }),
    }
}

/// Whether the user administers the installation.
pub fn operates(user: &User) -> bool {
    user.active && user.role == Role::Admin.as_str() && user.account_id == ACCOUNT_DEFAULT
}

/// The settings, as `PATCH` changes them and the audit log keeps them: nothing of the password.
pub fn document(user: &User) -> Value {
    json!({
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "account": user.account_id,
        "active": user.active,
    })
}

/// A row as the wire has it.
pub fn shown(user: User) -> UserEntry {
    let now = iso(now());
    UserEntry {
        role: role_of(&user),
        user_id: user.user_id,
        email: user.email,
        name: user.name,
        account: user.account_id,
        active: user.active,
        locked_until: user.blocked_until.filter(|until| *until > now),
        last_sign_in_at: user.last_sign_in_at,
        password_changed_at: user.password_changed_at,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

/// The role of a row; the column's CHECK allows no fourth word.
pub fn role_of(user: &User) -> UserRole {
    match Role::parse(&user.role) {
        Some(Role::Admin) => UserRole::Admin,
        Some(Role::User) => UserRole::User,
        Some(Role::Viewer) | None => UserRole::Viewer,
    }
}

/// The account of a user that is to be is none, or not the caller's to know.
pub fn account_unknown() -> ApiError {
    invalid("/account", "account.unknown", "names no account that you administer")
}

fn check_reach(account: &str, caller: &Caller) -> Result<(), ApiError> {
    match caller.reach() {
        Reach::Account(own) if own != account => Err(account_unknown()),
        Reach::Account(_) | Reach::Installation => Ok(()),
    }
}

fn invalid(pointer: &str, code: &str, message: &str) -> ApiError {
    let mut found: Vec<Violation> = Vec::new();
    report(&mut found, pointer, code, message);
    ApiError::RequestInvalid(found)
}

#[cfg(test)]
mod tests;
