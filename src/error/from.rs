//! What the errors of other modules come to for a caller. Their own words go to the log.

use super::ApiError;
use crate::archive::ArchiveError;
use crate::db::{DbError, DbErrorKind};
use crate::driver::{ReadError, StartError};
use crate::effects::offload::OffloadError;

impl From<crate::bindings::Missing> for ApiError {
    fn from(missing: crate::bindings::Missing) -> Self {
        Self::BindingMissing { name: missing.to_string() }
    }
}

/// The database's own words may quote SQL and values: they go to the log.
impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        let cause = format!("{error}: {}", error.detail());
        match error.kind() {
            DbErrorKind::Unavailable | DbErrorKind::Overloaded => {
                Self::DatabaseUnavailable { cause }
            }
            DbErrorKind::Schema => Self::DatabaseOutdated { cause },
            DbErrorKind::Constraint | DbErrorKind::Malformed | DbErrorKind::Refused => {
                Self::Internal { cause }
            }
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        let cause = error.to_string();
        match error {
            ReadError::Journal(_) | ReadError::Offload(_) => Self::JournalUnavailable { cause },
            ReadError::Replay(_) | ReadError::Unexpected(_) => Self::Internal { cause },
        }
    }
}

impl From<OffloadError> for ApiError {
    fn from(error: OffloadError) -> Self {
        ReadError::from(error).into()
    }
}

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        let cause = error.to_string();
        match error {
            ArchiveError::Database(error) => error.into(),
            ArchiveError::Storage(_) | ArchiveError::Journal(_) => {
                Self::JournalUnavailable { cause }
            }
            ArchiveError::Differs(_) | ArchiveError::Overtaken | ArchiveError::Unreadable(_) => {
                Self::Internal { cause }
            }
        }
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        let cause = error.to_string();
        match error {
            StartError::Read(error) => error.into(),
            StartError::Database(error) => error.into(),
            StartError::Missing(missing) => missing.into(),
            StartError::Suspended => Self::AccountSuspended,
            StartError::Exhausted { exhausted, renews_in } => {
                let seconds = u32::try_from(renews_in.get().div_ceil(1000));
                let retry_after_s = seconds.unwrap_or(u32::MAX).max(1);
                Self::AccountExhausted { exhausted, retry_after_s }
            }
            StartError::Governor(_) | StartError::Journal(_) | StartError::Record(_) => {
                Self::JournalUnavailable { cause }
            }
            StartError::Reuse(_) => Self::Internal { cause },
        }
    }
}
