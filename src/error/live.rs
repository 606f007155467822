//! Why a connection to `/ws` is not opened.

use axum::http::{HeaderMap, HeaderValue, header};

use super::{ApiError, ErrorCode};

/// When it is worth trying again where all places are taken.
const RETRY_AFTER_S: u32 = 30;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveFault {
    /// The request is no upgrade to the WebSocket protocol.
    UpgradeRequired,
    /// A page of this origin may not call.
    OriginRefused,
    /// The ticket was used, is over, or never was one.
    TicketInvalid,
    /// The account has as many connections or tickets as it may.
    Full,
    /// The object that holds the connections gave no answer.
    Unavailable { cause: String },
}

impl LiveFault {
    /// The code that stands for it.
    pub(super) fn code(&self) -> ErrorCode {
        match self {
            Self::UpgradeRequired => ErrorCode::UpgradeRequired,
            Self::OriginRefused => ErrorCode::OriginRefused,
            Self::TicketInvalid => ErrorCode::TicketInvalid,
            Self::Full => ErrorCode::LiveFull,
            Self::Unavailable { .. } => ErrorCode::LiveUnavailable,
        }
    }

    /// What stands in the log alone.
    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::Unavailable { cause } => Some(cause),
            Self::UpgradeRequired | Self::OriginRefused | Self::TicketInvalid | Self::Full => None,
        }
    }

    /// Says in headers what helps.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        match self {
            Self::Full => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            }
            // The platform lets no reply say Upgrade that does not.
            Self::UpgradeRequired
            | Self::OriginRefused
            | Self::TicketInvalid
            | Self::Unavailable { .. } => {}
        }
    }
}

impl From<LiveFault> for ApiError {
    fn from(fault: LiveFault) -> Self {
        Self::Live(fault)
    }
}
