//! Owns the only clock and the only timer of a worker. What calls it cannot run on the host.

use std::future::Future;
use std::time::Duration;

use futures::future::{Either, select};

/// Unix time in milliseconds. It stands still during computation on the platform, and moves on
/// with every input or output.
pub fn now_ms() -> i64 {
    i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX)
}

/// ISO 8601 UTC with milliseconds.
pub fn timestamp(now_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(now_ms)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The result of `future`, or `None` when `limit_ms` passed first. The future is dropped then.
pub async fn within<F: Future>(limit_ms: u32, future: F) -> Option<F::Output> {
    let timer = worker::Delay::from(Duration::from_millis(u64::from(limit_ms)));
    match select(std::pin::pin!(future), timer).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_are_iso_8601_utc() {
        assert_eq!(timestamp(1_795_000_000_123), "2026-11-18T11:06:40.123Z");
        assert_eq!(timestamp(i64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
