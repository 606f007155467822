//! Structured log lines: one JSON object each, with the field names of docs/api-conventions.md.
//! Callers must never pass a secret or a payload.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What happens in the ordinary course of things.
    Info,
    /// Something that is not as it should be, and was coped with.
    Warn,
    /// Something that was not coped with.
    Error,
}

impl Level {
    /// The level of this name.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// The word in log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The least level that is written; a line is dropped where it is made.
static THRESHOLD: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Sets the least level that is written from now on.
pub fn write_from(level: Level) {
    THRESHOLD.store(level as u8, Ordering::Relaxed);
}

/// Writes `fields`, an object that names its `event`, with its level in front.
pub fn write(level: Level, mut fields: Value) {
    if (level as u8) < THRESHOLD.load(Ordering::Relaxed) {
        return;
    }
    fields["level"] = level.as_str().into();
    emit(level, &fields.to_string());
}

#[cfg(target_arch = "wasm32")]
fn emit(level: Level, line: &str) {
    match level {
        Level::Debug => worker::console_debug!("{line}"),
        Level::Info => worker::console_log!("{line}"),
        Level::Warn => worker::console_warn!("{line}"),
        Level::Error => worker::console_error!("{line}"),
    }
}

/// On the host there is no console of the platform; tests read standard error.
#[cfg(not(target_arch = "wasm32"))]
fn emit(_: Level, line: &str) {
    eprintln!("{line}");
}
