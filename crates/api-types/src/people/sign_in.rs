//! Signing in and out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UserRole;

/// Who wants to sign in: as JSON, or as a form (the password grant of OAuth 2, whose other fields
/// are taken and not heeded).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "username": "ada@example.com", "password": "correct horse battery" }))]
pub struct SignInRequest {
    /// The e-mail or the name, however it is written.
    #[schema(min_length = 1, max_length = 254)]
    pub username: String,
    /// The password.
    #[schema(min_length = 1, max_length = 1024)]
    pub password: String,
    /// `password`, where it is sent.
    #[schema(pattern = "^password$", nullable = false)]
    pub grant_type: Option<String>,
    /// Not heeded: rights come of the role.
    #[schema(max_length = 1024, nullable = false)]
    pub scope: Option<String>,
    /// Not heeded.
    #[schema(max_length = 1024, nullable = false)]
    pub client_id: Option<String>,
    /// Not heeded.
    #[schema(max_length = 1024, nullable = false)]
    pub client_secret: Option<String>,
}

/// The tokens of a sign-in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenReply {
    /// What goes into `Authorization: Bearer …` of each request.
    pub access_token: String,
    /// `bearer`.
    #[schema(example = "bearer")]
    pub token_type: String,
    /// How many seconds the access token is accepted.
    #[schema(minimum = 1, example = 1800)]
    pub expires_in: u32,
    /// What the next tokens are got for, once, at `POST /auth/refresh`.
    #[schema(pattern = "^bwr_[A-Za-z0-9_-]{43}$")]
    pub refresh_token: String,
}

/// What the next tokens are wanted for.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "refresh_token": "bwr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }))]
pub struct RefreshRequest {
    /// The refresh token of the last reply.
    #[schema(min_length = 1, max_length = 256)]
    pub refresh_token: String,
    /// `refresh_token`, where it is sent.
    #[schema(pattern = "^refresh_token$", nullable = false)]
    pub grant_type: Option<String>,
}

/// What is to end. The body may be left out where an access token is sent.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "everywhere": false }))]
pub struct SignOutRequest {
    /// The refresh token of the sign-in that is to end, for a client whose access token has
    /// expired.
    #[schema(min_length = 1, max_length = 256)]
    pub refresh_token: Option<String>,
    /// Whether all sign-ins of the user end; default false.
    pub everywhere: Option<bool>,
}

/// What has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignOutReply {
    /// `signed_out`, also where nothing went on.
    #[schema(example = "signed_out")]
    pub status: String,
    /// How many sign-ins have ended by this request.
    #[schema(minimum = 0)]
    pub sessions_ended: u32,
}

/// The person who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedInUser {
    /// Its id. What it does is written down as `user:<id>`.
    #[schema(example = "0193a8a0-0000-7000-8000-000000000000")]
    pub user_id: String,
    /// Its e-mail.
    pub email: String,
    /// What people call it.
    pub name: String,
    /// What it is for its account.
    pub role: UserRole,
    /// What that allows: `execute`, `read`, `admin`.
    pub scopes: Vec<String>,
    /// The account that it belongs to.
    pub account: String,
    /// When it last signed in.
    #[schema(format = DateTime)]
    pub last_sign_in_at: Option<String>,
    /// When its password was last set.
    #[schema(format = DateTime)]
    pub password_changed_at: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
}

/// Another password for oneself.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "current_password": "correct horse battery", "new_password": "staple of another kind"
}))]
pub struct PasswordChange {
    /// The password until now.
    #[schema(min_length = 1, max_length = 1024)]
    pub current_password: String,
    /// The password from now on: 8 characters to 72 bytes.
    #[schema(min_length = 8, max_length = 72)]
    pub new_password: String,
}

/// The first user of an installation: an administrator of the account `default`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "ada@example.com", "password": "correct horse battery" }))]
pub struct BootstrapRequest {
    /// Where it is written to, and what it signs in with.
    #[schema(
        min_length = 3,
        max_length = 254,
        pattern = "^[^@\\s\\x00-\\x1f\\x7f]+@[^@\\s\\x00-\\x1f\\x7f]+$"
    )]
    pub email: String,
    /// Its password: 8 characters to 72 bytes.
    #[schema(min_length = 8, max_length = 72)]
    pub password: String,
    /// What people call it, and what it may sign in with; default the e-mail.
    #[schema(min_length = 1, max_length = 128, pattern = "^[^\\x00-\\x1f\\x7f]*$")]
    pub name: Option<String>,
}
