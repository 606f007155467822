//! People: their passwords, their sign-ins and what comes of those. Handlers of `/auth` and
//! `/admin/users` make one call here; what decides is pure.
//!
//! It must not read a credential from a request: that is done in `auth.rs`, or is in a body.

mod lockout;
pub mod password;
mod refresh;
mod sign_in;
pub mod upkeep;

use engine::time::Timestamp;

use crate::db::sign_in_attempts::Counted;
use crate::error::{ApiError, SignInFault};
pub use lockout::subject_of_user;
pub use refresh::{refresh, session_of};
pub use sign_in::{SignIn, Tokens, confirm, sign_in};

/// The refusal of an attempt that is not let through.
fn refuse_blocked(counted: Counted, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    match counted {
        Counted::Through(end) => Ok(end),
        Counted::Blocked(until) => {
            let seconds = until.since(now).get().div_ceil(1000).max(1);
            let retry_after_s = u32::try_from(seconds).unwrap_or(u32::MAX);
            Err(SignInFault::Locked { retry_after_s }.into())
        }
    }
}
