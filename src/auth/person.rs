//! People who signed in: what the database knows of the token that one of them shows. It is asked
//! at every request, so that whoever was deactivated, deleted or signed out is out at once, and a
//! new role counts at once.

use super::scope::Role;
use super::token::{self, Checked};
use crate::clock::now;
use crate::db::sessions;
use crate::error::{ApiError, SignInFault};
use crate::request::RequestContext;

/// A person who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The row's id.
    pub user_id: String,
    /// The account that it belongs to.
    pub account: String,
    /// What it may do there.
    pub role: Role,
    /// The sign-in that the token came of.
    pub session_id: String,
}

/// The person behind an access token.
pub(super) async fn find(context: &RequestContext, sent: &[u8]) -> Result<Person, ApiError> {
    let now = now();
    let Checked { user_id, session_id } =
        token::check(&context.config().secrets, sent, now).map_err(ApiError::from)?;
    let row = sessions::person(&context.database()?, &session_id, &user_id, now).await?;
    let over = || SignInFault::TokenInvalid { reason: "session" };
    let row = row.ok_or_else(over)?;
    if row.account_status != "active" {
        return Err(ApiError::AccountSuspended);
    }
    let role = Role::parse(&row.role).ok_or_else(over)?;
    Ok(Person { user_id, account: row.account_id, role, session_id })
}
