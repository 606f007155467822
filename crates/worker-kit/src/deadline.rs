//! Owns the arithmetic of deadlines. Time is an argument: it must not read a clock.

/// What is kept back from a deadline, so that the answer can still travel.
pub const MARGIN_MS: i64 = 250;

/// Milliseconds left until `deadline_ms` (Unix ms), not below 0.
pub fn remaining_ms(deadline_ms: i64, now_ms: i64) -> i64 {
    deadline_ms.saturating_sub(now_ms).max(0)
}

/// The time that one piece of work may take: `limit_ms`, or less where the deadline comes first.
/// `None` when the deadline leaves nothing beyond the margin.
pub fn allowance_ms(limit_ms: u32, deadline_ms: Option<i64>, now_ms: i64) -> Option<u32> {
    let Some(deadline_ms) = deadline_ms else { return Some(limit_ms) };
    let left_ms = remaining_ms(deadline_ms, now_ms) - MARGIN_MS;
    if left_ms <= 0 {
        return None;
    }
    Some(u32::try_from(left_ms).unwrap_or(u32::MAX).min(limit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_until_the_deadline_is_nearer() {
        assert_eq!(allowance_ms(8_000, None, 5), Some(8_000));
        assert_eq!(allowance_ms(8_000, Some(100_000), 0), Some(8_000));
        assert_eq!(allowance_ms(8_000, Some(1_250), 0), Some(1_000));
        assert_eq!(allowance_ms(8_000, Some(250), 0), None);
        assert_eq!(allowance_ms(8_000, Some(-5), 10), None);
        assert_eq!(allowance_ms(8_000, Some(i64::MAX), i64::MIN), Some(8_000));
    }

    #[test]
    fn what_is_past_leaves_nothing() {
        assert_eq!(remaining_ms(10, 30), 0);
        assert_eq!(remaining_ms(30, 10), 20);
    }
}
