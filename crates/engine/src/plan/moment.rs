//! Moments as people and services write them.

use serde_json::Value;

use crate::time::{Timestamp, days_from_civil};

const DAY_MS: i64 = 86_400_000;
/// The largest number of milliseconds that a double holds exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The moment that a value names: Unix milliseconds, or text by RFC 3339 with its offset from UTC.
/// Digits beyond milliseconds are left out, and a leap second counts as the one before it.
pub fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => {
            let ms = number.as_f64().filter(|ms| ms.fract() == 0.0 && ms.abs() <= EXACT_MAX)?;
            Some(Timestamp::from_millis(ms as i64))
        }
        Value::String(text) => rfc3339(text.as_bytes()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `2026-03-01T12:00:00.123+01:00`; small letters and a blank for the `T` are allowed.
fn rfc3339(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let separated = marks.iter().all(|(at, mark)| date_time[*at] == *mark);
    if !separated || !matches!(date_time[10], b'T' | b't' | b' ') {
        return None;
    }
    let part = |from: usize, to: usize| digits(&date_time[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (ms, zone) = fraction(rest)?;
    let of_day = ((hour * 60 + minute) * 60 + second.min(59)) * 1000 + ms;
    let local = days_from_civil(year, month, day) * DAY_MS + of_day;
    Some(Timestamp::from_millis(local - offset_ms(zone)?))
}

/// Milliseconds of what stands behind the point, and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let ms = (0..3).fold(0, |ms, at| {
        let digit = rest[..length].get(at).map_or(0, |byte| i64::from(byte - b'0'));
        ms * 10 + digit
    });
    Some((ms, &rest[length..]))
}

fn offset_ms(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', m1, m2] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours)?, digits(&[*m1, *m2])?);
            let ms = (hours * 60 + minutes) * 60_000;
            let sound = hours <= 23 && minutes <= 59;
            sound.then_some(if *sign == b'-' { -ms } else { ms })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ms(value: Value) -> Option<i64> {
        moment(&value).map(Timestamp::as_millis)
    }

    #[test]
    fn numbers_are_unix_milliseconds() {
        assert_eq!(ms(json!(1_772_000_000_123_i64)), Some(1_772_000_000_123));
        assert_eq!(ms(json!(-5.0)), Some(-5));
        for bad in [json!(0.5), json!(1e300), json!(null), json!([1]), json!(true)] {
            assert_eq!(ms(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn text_is_read_by_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2026-03-01t12:00:00.5z", 1_772_366_400_500),
            ("2026-03-01 13:00:00.123999+01:00", 1_772_366_400_123),
            ("2026-03-01T06:30:00-05:30", 1_772_366_400_000),
            ("1969-12-31T23:59:60Z", -1000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(ms(json!(text)), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-03-00T00:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:00:00.Z",
            "2026-03-01T12:00:00+1:00",
            "2026-03-01T12:00:00+24:00",
            "2026-03-01T12:00:00Zx",
            "2026-03-01T1२:00:00Z",
            "+026-03-01T12:00:00Z",
        ] {
            assert_eq!(ms(json!(text)), None, "{text}");
        }
    }
}
