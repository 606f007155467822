//! When a failed attempt is repeated, and after how long.

use super::definition::RetryDefinition;
use crate::time::Millis;

/// Retries of a step where neither it nor its worker says otherwise.
pub const RETRIES_DEFAULT: u32 = 3;
/// The most retries a policy may ask for.
pub const RETRIES_MAX: u32 = 100;
/// First delay, factor and cap where a policy says nothing.
const INITIAL_DEFAULT: Millis = Millis::from_secs(1);
const FACTOR_DEFAULT: f64 = 2.0;
const CAP_DEFAULT: Millis = Millis::from_secs(60);
/// The longest delay or total deadline a policy may ask for: the 7 days that an execution may wait.
pub const DELAY_MAX: Millis = Millis::from_secs(7 * 24 * 3600);
const FACTOR_MAX: f64 = 10.0;

/// A retry policy whose values are within their limits.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How often a failed attempt is repeated.
    pub retries_max: u32,
    /// The delay before the first retry.
    pub initial: Millis,
    /// What the delay is multiplied by from one retry to the next.
    pub factor: f64,
    /// The longest delay.
    pub cap: Millis,
    /// Full jitter: the delay is drawn evenly from zero to its bound, so that executions that
    /// failed together do not return together (Brooker, "Exponential Backoff And Jitter", 2015).
    pub jitter: bool,
    /// The longest the step may take, attempts and delays together.
    pub total_deadline: Option<Millis>,
    /// HTTP statuses that are retried; `None` for 408, 409, 425, 429 and 5xx.
    retry_on: Option<Vec<u16>>,
}

impl RetryPolicy {
    /// Checks a definition; `report` takes the field, a code and a message for each mistake.
    pub(super) fn compile(
        definition: Option<&RetryDefinition>,
        worker_retries: Option<i64>,
        report: &mut dyn FnMut(&str, &'static str, String),
    ) -> Self {
        let empty = RetryDefinition::default();
        let given = definition.unwrap_or(&empty);
        let mut whole = |field: &str, value: Option<i64>, max: u64| match value {
            Some(n) if n < 0 || n.unsigned_abs() > max => {
                let message = format!("`{field}` is {n}; it goes from 0 to {max}");
                report(field, "retry.out_of_range", message);
                None
            }
            other => other.map(i64::unsigned_abs),
        };
        let retries =
            whole("max_retries", given.max_retries.or(worker_retries), RETRIES_MAX.into());
        let initial = whole("initial_ms", given.initial_ms, DELAY_MAX.get());
        let cap = whole("cap_ms", given.cap_ms, DELAY_MAX.get());
        let total = whole("total_deadline_ms", given.total_deadline_ms, DELAY_MAX.get());
        let factor = given.factor.unwrap_or(FACTOR_DEFAULT);
        if !(1.0..=FACTOR_MAX).contains(&factor) {
            let message = format!("`factor` is {factor}; it goes from 1 to {FACTOR_MAX}");
            report("factor", "retry.out_of_range", message);
        }
        for status in given.retry_on.iter().flatten() {
            if !(400..=599).contains(status) {
                let message = format!("`retry_on` names {status}; it takes statuses 400 to 599");
                report("retry_on", "retry.out_of_range", message);
            }
        }
        Self {
            retries_max: retries
                .map_or(RETRIES_DEFAULT, |n| u32::try_from(n).unwrap_or(RETRIES_MAX)),
            initial: initial.map_or(INITIAL_DEFAULT, Millis::new),
            factor,
            cap: cap.map_or(CAP_DEFAULT, Millis::new),
            jitter: given.jitter.unwrap_or(true),
            total_deadline: total.filter(|ms| *ms > 0).map(Millis::new),
            retry_on: given.retry_on.clone(),
        }
    }

    /// Whether a worker's answer with this HTTP status may be asked for again.
    pub fn retries_status(&self, status: u16) -> bool {
        match &self.retry_on {
            Some(list) => list.contains(&status),
            None => matches!(status, 408 | 409 | 425 | 429 | 500..=599),
        }
    }

    /// The delay before retry number `retry` (the first is 1). `entropy` decides the jitter;
    /// `retry_after` is what the worker asked for and is never undercut.
    pub fn delay(&self, retry: u32, entropy: u64, retry_after: Option<Millis>) -> Millis {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.get() as f64 * self.factor.powi(exponent);
        let bound = if grown < self.cap.get() as f64 { grown as u64 } else { self.cap.get() };
        let drawn = if self.jitter { scale(entropy, bound) } else { bound };
        let asked = retry_after.map_or(0, Millis::get).min(DELAY_MAX.get());
        Millis::new(drawn.max(asked))
    }
}

/// Maps 64 random bits evenly onto `0..=bound`.
fn scale(entropy: u64, bound: u64) -> u64 {
    let product = u128::from(entropy) * (u128::from(bound) + 1);
    u64::try_from(product >> 64).expect("the high half of a product of two u64 fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(definition: RetryDefinition) -> (RetryPolicy, Vec<String>) {
        let mut found = Vec::new();
        let policy = RetryPolicy::compile(Some(&definition), None, &mut |field, _, _| {
            found.push(field.to_owned());
        });
        (policy, found)
    }

    #[test]
    fn delays_grow_by_the_factor_up_to_the_cap() {
        let (policy, _) = policy(RetryDefinition { jitter: Some(false), ..Default::default() });
        let delays: Vec<u64> = (1..=8).map(|n| policy.delay(n, 0, None).get()).collect();
        assert_eq!(delays, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(policy.delay(u32::MAX, 0, None), Millis::from_secs(60));
    }

    #[test]
    fn jitter_spans_the_whole_range_and_never_undercuts_retry_after() {
        let (policy, _) = policy(RetryDefinition::default());
        assert_eq!(policy.delay(1, 0, None), Millis::ZERO);
        assert_eq!(policy.delay(1, u64::MAX, None), Millis::new(1000));
        assert_eq!(policy.delay(1, 0, Some(Millis::new(7000))), Millis::new(7000));
    }

    #[test]
    fn absurd_values_are_all_reported() {
        let (_, found) = policy(RetryDefinition {
            max_retries: Some(-1),
            initial_ms: Some(i64::MIN),
            factor: Some(f64::NAN),
            cap_ms: Some(i64::MAX),
            retry_on: Some(vec![200]),
            ..Default::default()
        });
        assert_eq!(found, ["max_retries", "initial_ms", "cap_ms", "factor", "retry_on"]);
    }

    #[test]
    fn the_default_retries_what_may_pass() {
        let (policy, _) = policy(RetryDefinition::default());
        for status in [408, 409, 425, 429, 500, 502, 503, 599] {
            assert!(policy.retries_status(status), "{status}");
        }
        for status in [400, 401, 404, 422] {
            assert!(!policy.retries_status(status), "{status}");
        }
    }
}
