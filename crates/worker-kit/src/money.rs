//! Owns the text forms of money. Amounts are integer micro-USD everywhere else.

use serde_json::Value;

const MICRO_PER_USD: u64 = 1_000_000;

/// The decimal form for the header `X-Cost-USD`, exact to the micro-dollar: `0.000123`.
pub fn decimal_usd(cost_micro_usd: u64) -> String {
    let (whole, part) = (cost_micro_usd / MICRO_PER_USD, cost_micro_usd % MICRO_PER_USD);
    if part == 0 {
        return whole.to_string();
    }
    let digits = format!("{part:06}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// The JSON number for `cost_usd`.
pub fn json_usd(cost_micro_usd: u64) -> Value {
    // An integer 0 for the common case keeps `0` from reading `0.0`.
    if cost_micro_usd == 0 {
        return Value::from(0);
    }
    Value::from(cost_micro_usd as f64 / MICRO_PER_USD as f64)
}

/// Reads a decimal such as `0.15` into micro-USD; `None` for what is no plain, non-negative amount
/// or is finer than a micro-dollar or beyond a million dollars.
pub fn micro_usd_of_decimal(text: &str) -> Option<u64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.len() > 7 || part.len() > 6 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    if !digits(whole) || !digits(part) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 = if part.is_empty() { 0 } else { format!("{part:0<6}").parse().ok()? };
    Some(whole * MICRO_PER_USD + part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_and_write_exactly() {
        for (micro, text) in
            [(0, "0"), (1, "0.000001"), (1500, "0.0015"), (2_000_000, "2"), (1_250_000, "1.25")]
        {
            assert_eq!(decimal_usd(micro), text);
            assert_eq!(micro_usd_of_decimal(text), Some(micro));
        }
        assert_eq!(micro_usd_of_decimal(".5"), Some(500_000));
        assert_eq!(micro_usd_of_decimal("3."), Some(3_000_000));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "-1", "1e3", "1,5", "0.0000001", "NaN", "99999999", "+1", " "] {
            assert_eq!(micro_usd_of_decimal(text), None, "{text:?}");
        }
    }

    #[test]
    fn json_shows_whole_zero() {
        assert_eq!(json_usd(0).to_string(), "0");
        assert_eq!(json_usd(1500).to_string(), "0.0015");
    }
}
