//! What can be wrong with a sign-in and with what came of one.

use super::{ApiError, ErrorCode};

/// Why a sign-in, a token or a refresh is refused. None of them tells whether a user exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInFault {
    /// Nobody has signed in.
    TokenRequired,
    /// The access token is none, or its session is over; the reason is for the log.
    TokenInvalid { reason: &'static str },
    /// The access token was valid.
    TokenExpired,
    /// No user has this name and this password.
    Refused,
    /// Too many attempts have failed, under this name or from this address.
    Locked { retry_after_s: u32 },
    /// The refresh token is none, or its session is over.
    RefreshInvalid,
    /// The refresh token was used before: its session is over.
    RefreshReused,
    /// A key and a person of two accounts.
    AccountsDiffer,
    /// The first user was made before.
    BootstrapDone,
}

impl SignInFault {
    /// The code that stands for it.
    pub(super) fn code(self) -> ErrorCode {
        match self {
            Self::TokenRequired => ErrorCode::TokenRequired,
            Self::TokenInvalid { .. } => ErrorCode::TokenInvalid,
            Self::TokenExpired => ErrorCode::TokenExpired,
            Self::Refused => ErrorCode::SignInRefused,
            Self::Locked { .. } => ErrorCode::SignInLocked,
            Self::RefreshInvalid => ErrorCode::RefreshInvalid,
            Self::RefreshReused => ErrorCode::RefreshReused,
            Self::AccountsDiffer => ErrorCode::AccountsDiffer,
            Self::BootstrapDone => ErrorCode::BootstrapDone,
        }
    }
}

impl From<SignInFault> for ApiError {
    fn from(fault: SignInFault) -> Self {
        Self::SignIn(fault)
    }
}
