//! Headers that several endpoints read by name.

/// The headers of a message to an execution.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it stands for headers that are read by name")]
pub struct VerbHeaders {
    /// Makes a repeated request find the first one: 1 to 255 visible ASCII characters
    #[param(rename = "Idempotency-Key", nullable = false, pattern = "^[!-~]{1,255}$")]
    idempotency_key: Option<String>,
    /// `respond-async`, or `wait=n` to wait at most n seconds (10 at most) until it is met
    #[param(rename = "Prefer", nullable = false, example = "wait=5")]
    prefer: Option<String>,
}

/// The headers of a request that starts an execution.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it stands for headers that are read by name")]
pub struct StartHeaders {
    /// Makes a repeated request find the first execution, for 24 hours: 1 to 255 visible ASCII
    /// characters
    #[param(rename = "Idempotency-Key", nullable = false, pattern = "^[!-~]{1,255}$")]
    idempotency_key: Option<String>,
    /// `respond-async`, or `wait=n` for at most n seconds (90 at most)
    #[param(rename = "Prefer", nullable = false, example = "wait=30")]
    prefer: Option<String>,
}
