//! Users as administrators see and change them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What a user is for its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Administers the account, of the account `default` the installation: `execute`, `read` and
    /// `admin`.
    Admin,
    /// Starts executions and acts on them: `execute` and `read`.
    #[default]
    User,
    /// Looks: `read`.
    Viewer,
}

/// A user that is to be.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "grace@example.com", "name": "Grace", "password": "anchors aweigh at noon",
    "role": "user"
}))]
pub struct NewUser {
    /// Where it is written to, and what it signs in with. No two users have the same.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = "^[^@\\s\\x00-\\x1f\\x7f]+@[^@\\s\\x00-\\x1f\\x7f]+$"
    )]
    pub email: String,
    /// What people call it, and what it may sign in with; default the e-mail. No two users have the
    /// same, and none has an `@` but in its own e-mail.
    #[schema(min_length = 1, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: Option<String>,
    /// Its password: 8 characters to 72 bytes.
    #[schema(min_length = 8, max_length = 72)]
    pub password: String,
    /// What it is for its account; default `user`. Nobody gives a right that they do not have.
    pub role: Option<UserRole>,
    /// The account that it belongs to. Default: the caller's own.
    #[schema(min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Whether it may sign in; default true.
    pub active: Option<bool>,
}

/// What is to change of a user. A field that is left out stays as it is; null brings the default
/// back, and an e-mail and an account have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "viewer" }))]
pub struct UserPatch {
    /// Where it is written to, and what it signs in with.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = "^[^@\\s\\x00-\\x1f\\x7f]+@[^@\\s\\x00-\\x1f\\x7f]+$"
    )]
    pub email: Option<String>,
    /// What people call it, and what it may sign in with; null is the e-mail.
    #[schema(min_length = 1, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: Option<String>,
    /// What it is for its account; null is `user`. Nobody gives a right that they do not have.
    pub role: Option<UserRole>,
    /// The account that it belongs to; only the operator moves a user to another. Its sign-ins end.
    #[schema(min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Whether it may sign in; null is true. Where it no longer may, its sign-ins end.
    pub active: Option<bool>,
}

/// Another password for a user.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "password": "a new broom sweeps" }))]
pub struct NewPassword {
    /// The password from now on: 8 characters to 72 bytes.
    #[schema(min_length = 8, max_length = 72)]
    pub password: String,
}

/// What a new password has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordReply {
    /// When the password was set.
    #[schema(format = DateTime)]
    pub password_changed_at: String,
    /// How many sign-ins have ended with the old one.
    #[schema(minimum = 0)]
    pub sessions_ended: u32,
}

/// Which users are wanted, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsersQuery {
    /// Only those of this account. An administrator of one account sees no other's.
    #[param(nullable = false, min_length = 1, max_length = 64)]
    pub account: Option<String>,
    /// Only those of this role.
    #[param(nullable = false, inline)]
    pub role: Option<UserRole>,
    /// Only those that may sign in, or only the others.
    #[param(nullable = false)]
    pub active: Option<bool>,
    /// Only those whose e-mail or name begins so, however it is written.
    #[param(nullable = false, min_length = 1, max_length = 254)]
    pub search: Option<String>,
    /// The most users; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    pub cursor: Option<String>,
}

/// A page of users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsersReply {
    /// The users, oldest first.
    pub users: Vec<UserEntry>,
    /// Where the next page begins; null when there is none.
    pub next_cursor: Option<String>,
}

/// A user, without its password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserEntry {
    /// Its id. What it does is written down as `user:<id>`.
    pub user_id: String,
    /// Where it is written to, and what it signs in with.
    pub email: String,
    /// What people call it, and what it may sign in with.
    pub name: String,
    /// What it is for its account.
    pub role: UserRole,
    /// The account that it belongs to.
    pub account: String,
    /// Whether it may sign in.
    pub active: bool,
    /// Until when no password of it is looked at: too many were wrong. Null where any is.
    #[schema(format = DateTime)]
    pub locked_until: Option<String>,
    /// When it last signed in.
    #[schema(format = DateTime)]
    pub last_sign_in_at: Option<String>,
    /// When its password was last set.
    #[schema(format = DateTime)]
    pub password_changed_at: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
}
