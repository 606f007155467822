//! A change that does not fit how the thing stands: the reply says how that is.

use serde_json::Value;

use super::{ApiError, ErrorCode};

/// Why a change was not made, and of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The code that stands for it.
    pub code: ErrorCode,
    /// What is in the way.
    pub message: String,
    /// The thing as it stands.
    pub current: Option<Value>,
}

impl ApiError {
    /// How the thing stands that the change was meant of.
    pub(super) fn current(&self) -> Option<Value> {
        match self {
            Self::Standing(standing) => standing.current.clone(),
            _ => None,
        }
    }
}
