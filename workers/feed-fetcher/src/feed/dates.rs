//! Owns the dates of feeds: RFC 3339, RFC 822 and what is written in their place. Pure; what cannot
//! be read is no date, never a guess.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone};

/// Earlier dates are defaults of some software, not dates.
const YEAR_MIN: i32 = 1980;
const YEAR_MAX: i32 = 2200;
/// More words than any date has.
const WORDS_MAX: usize = 16;

/// Unix ms. A date without a zone counts as UTC, one without a time as midnight.
pub fn unix_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.len() > 100 {
        return None;
    }
    let date = iso(text).or_else(|| in_words(text)).or_else(|| unix(text))?;
    (YEAR_MIN..=YEAR_MAX).contains(&chrono::Datelike::year(&date)).then(|| date.timestamp_millis())
}

/// `2026`, `2026-10`, `2026-10-05`, `2026-10-05T08:30`, with seconds, fractions, zone; also
/// `20261005` and with slashes.
fn iso(text: &str) -> Option<DateTime<FixedOffset>> {
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, ""),
    };
    let date = iso_date(date)?;
    let zone_at = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let time = if rest.is_empty() { NaiveTime::MIN } else { clock_time(&rest[..zone_at])? };
    let zone = zone(rest[zone_at..].trim()).unwrap_or_else(utc);
    zone.from_local_datetime(&date.and_time(time)).single()
}

fn iso_date(text: &str) -> Option<NaiveDate> {
    let numbers: Vec<&str> = text.split(['-', '/']).collect();
    let all_digits = numbers.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    if !all_digits {
        return None;
    }
    match numbers.as_slice() {
        [packed] if packed.len() == 8 => NaiveDate::from_ymd_opt(
            packed[..4].parse().ok()?,
            packed[4..6].parse().ok()?,
            packed[6..].parse().ok()?,
        ),
        [year] if year.len() == 4 => NaiveDate::from_ymd_opt(year.parse().ok()?, 1, 1),
        [year, month] if year.len() == 4 => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
        }
        [year, month, day] if year.len() == 4 => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        }
        _ => None,
    }
}

/// Any order of day, month by name, year, time and zone, as in RFC 822 and its relatives. The day
/// of the week is not read: it is often wrong or in another language.
fn in_words(text: &str) -> Option<DateTime<FixedOffset>> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let mut day: Option<u32> = None;
    let mut month = None;
    let mut year: Option<i32> = None;
    let mut time = None;
    let mut found_zone = None;
    let mut afternoon = None;
    for word in words.take(WORDS_MAX).flat_map(split_date_word) {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        if word.contains(':') {
            time = clock_time(word);
        } else if digits && day.is_none() && word.len() <= 2 {
            day = word.parse().ok();
        } else if digits && year.is_none() {
            year = full_year(word);
        } else if let Some(named) = month_named(word) {
            // The last one: `mar.` begins Tuesdays in several languages.
            month = Some(named);
        } else if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") {
            afternoon = Some(word.eq_ignore_ascii_case("pm"));
        } else if let Some(zone) = zone(word) {
            found_zone = Some(zone);
        } else if let Some(ordinal) = ordinal(word).filter(|_| day.is_none()) {
            day = Some(ordinal);
        }
    }
    let date = NaiveDate::from_ymd_opt(year?, month?, day?)?;
    let time = twelve_hour(time.unwrap_or(NaiveTime::MIN), afternoon);
    found_zone.unwrap_or_else(utc).from_local_datetime(&date.and_time(time)).single()
}

/// `05-Oct-2026` is three words.
fn split_date_word(word: &str) -> Vec<&str> {
    let parts: Vec<&str> = word.split('-').collect();
    let is_date = parts.len() == 3 && parts.iter().all(|part| !part.is_empty());
    if is_date { parts } else { vec![word] }
}

fn clock_time(text: &str) -> Option<NaiveTime> {
    let mut parts = text.split(':');
    let hour: u32 = parts.next()?.parse().ok()?;
    let minute: u32 = match parts.next() {
        Some(minute) => minute.parse().ok()?,
        None => return None,
    };
    let seconds: f64 =
        parts.next().map_or(Some(0.0), |text| text.replace(',', ".").parse().ok())?;
    if !(0.0..61.0).contains(&seconds) {
        return None;
    }
    // 24:00 is the beginning of the day; a leap second counts as the one before it.
    let (hour, seconds) = (if hour == 24 { 0 } else { hour }, seconds.min(59.999));
    let whole = seconds.trunc();
    let milli = ((seconds - whole) * 1000.0).round().min(999.0);
    NaiveTime::from_hms_milli_opt(hour, minute, whole as u32, milli as u32)
}

fn twelve_hour(time: NaiveTime, afternoon: Option<bool>) -> NaiveTime {
    use chrono::Timelike;
    let hour = match (afternoon, time.hour()) {
        (Some(true), hour @ 1..=11) => hour + 12,
        (Some(false), 12) => 0,
        (_, hour) => hour,
    };
    time.with_hour(hour).unwrap_or(time)
}

fn full_year(word: &str) -> Option<i32> {
    let year: i32 = word.parse().ok()?;
    match (word.len(), year) {
        (2, 0..=69) => Some(2000 + year),
        (2, _) => Some(1900 + year),
        (4, _) => Some(year),
        _ => None,
    }
}

fn ordinal(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches('.');
    let digits = ["st", "nd", "rd", "th", "er"]
        .iter()
        .find_map(|ending| digits.strip_suffix(ending))
        .unwrap_or(digits);
    digits.parse().ok()
}

/// English, and what differs in German, French, Italian, Portuguese and Spanish.
fn month_named(word: &str) -> Option<u32> {
    let word = word.trim_end_matches('.').to_lowercase();
    let head: String = word.chars().take(3).collect();
    Some(match head.as_str() {
        "jan" | "ene" | "gen" | "jän" => 1,
        "feb" | "fév" | "fev" => 2,
        "mar" | "mär" | "mrz" => 3,
        "apr" | "avr" | "abr" => 4,
        "may" | "mai" | "mag" => 5,
        "jui" if word.starts_with("juil") => 7,
        "jun" | "jui" | "giu" => 6,
        "jul" | "lug" => 7,
        "aug" | "aoû" | "aou" | "ago" => 8,
        "sep" | "set" => 9,
        "oct" | "okt" | "ott" | "out" => 10,
        "nov" => 11,
        "dec" | "dez" | "déc" | "dic" => 12,
        _ => return None,
    })
}

/// `+0200`, `+02:00`, `+02`, `GMT+2`, and the names that feeds use.
fn zone(word: &str) -> Option<FixedOffset> {
    let name = word.trim_matches(['(', ')']).to_ascii_uppercase();
    let minutes = match name.as_str() {
        "Z" | "UT" | "UTC" | "GMT" | "WET" => 0,
        "BST" | "CET" | "WEST" | "MEZ" => 60,
        "CEST" | "EET" | "MESZ" | "SAST" => 120,
        "EEST" | "MSK" => 180,
        "IST" => 330,
        "JST" | "KST" => 540,
        "AEST" => 600,
        "AEDT" => 660,
        "EDT" => -240,
        "EST" | "CDT" => -300,
        "CST" | "MDT" => -360,
        "MST" | "PDT" => -420,
        "PST" => -480,
        _ => numeric_zone(name.trim_start_matches("GMT").trim_start_matches("UTC"))?,
    };
    FixedOffset::east_opt(minutes * 60)
}

fn numeric_zone(text: &str) -> Option<i32> {
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i32, i32) = match digits.len() {
        1 | 2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Seconds or milliseconds since 1970.
fn unix(text: &str) -> Option<DateTime<FixedOffset>> {
    let number: i64 = text.parse().ok()?;
    let date = match text.len() {
        9 | 10 => DateTime::from_timestamp(number, 0),
        12 | 13 => DateTime::from_timestamp_millis(number),
        _ => None,
    };
    date.map(|date| date.fixed_offset())
}

fn utc() -> FixedOffset {
    FixedOffset::east_opt(0).expect("zero is an offset")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso_of(text: &str) -> String {
        unix_ms(text).and_then(DateTime::from_timestamp_millis).map_or_else(
            || "none".to_owned(),
            |date| date.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        )
    }

    #[test]
    fn iso_dates_of_every_length_are_read() {
        for (text, expected) in [
            ("2026-10-05T08:30:15Z", "2026-10-05T08:30:15Z"),
            ("2026-10-05T08:30:15.123+02:00", "2026-10-05T06:30:15.123Z"),
            ("2026-10-05T08:30:15+0200", "2026-10-05T06:30:15Z"),
            ("2026-10-05T08:30:15-05", "2026-10-05T13:30:15Z"),
            ("2026-10-05t08:30z", "2026-10-05T08:30:00Z"),
            ("2026-10-05 08:30:15", "2026-10-05T08:30:15Z"),
            ("2026-10-05 08:30:15 +0000", "2026-10-05T08:30:15Z"),
            ("2026-10-05 08:30:15 PST", "2026-10-05T16:30:15Z"),
            ("2026/10/05", "2026-10-05T00:00:00Z"),
            ("20261005", "2026-10-05T00:00:00Z"),
            ("2026-10", "2026-10-01T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(iso_of(text), expected, "{text}");
        }
    }

    #[test]
    fn rfc_822_dates_and_their_relatives_are_read() {
        for (text, expected) in [
            ("Mon, 05 Oct 2026 08:30:15 GMT", "2026-10-05T08:30:15Z"),
            ("Mon, 05 Oct 2026 08:30:15 +0200", "2026-10-05T06:30:15Z"),
            ("5 Oct 26 08:30 EST", "2026-10-05T13:30:00Z"),
            ("Sat, 07 Sep 2002 00:00:01 GMT", "2002-09-07T00:00:01Z"),
            ("Fri, 05 Oct 2026 08:30:15 UTC", "2026-10-05T08:30:15Z"),
            ("Thurs, 5 October 2026 8:30:15 Z", "2026-10-05T08:30:15Z"),
            ("Mon, 05 Oct 2026 24:00:00 GMT", "2026-10-05T00:00:00Z"),
            ("October 5, 2026 8:30 PM", "2026-10-05T20:30:00Z"),
            ("Oct 5th, 2026 12:10 am", "2026-10-05T00:10:00Z"),
            ("Mon Oct  5 08:30:15 2026", "2026-10-05T08:30:15Z"),
            ("Mon Oct 05 2026 08:30:15 GMT+0200 (CEST)", "2026-10-05T06:30:15Z"),
            ("05-Oct-2026 08:30:15", "2026-10-05T08:30:15Z"),
            ("Mo, 05 Okt 2026 08:30:15 MESZ", "2026-10-05T06:30:15Z"),
            ("lun., 5 octobre 2026 08:30:15 +0200", "2026-10-05T06:30:15Z"),
            ("1er août 2026", "2026-08-01T00:00:00Z"),
            ("mar., 6 octobre 2026 08:30:15 +0200", "2026-10-06T06:30:15Z"),
            ("14 juillet 2026", "2026-07-14T00:00:00Z"),
            ("5 de octubre de 2026", "2026-10-05T00:00:00Z"),
            ("5. März 2026", "2026-03-05T00:00:00Z"),
            ("Mon, 05 Oct 99 08:30:15 GMT", "1999-10-05T08:30:15Z"),
        ] {
            assert_eq!(iso_of(text), expected, "{text}");
        }
    }

    #[test]
    fn seconds_since_1970_are_read() {
        assert_eq!(iso_of("1791189015"), "2026-10-05T08:30:15Z");
        assert_eq!(iso_of("1791189015123"), "2026-10-05T08:30:15.123Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30",
            "32 Oct 2026",
            "0000-00-00T00:00:00Z",
            "Oct",
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "05/10/2026",
            "12",
            "25:99",
            "é",
            "2026-10-05T99:99:99Z",
            "9999-12-31T23:59:59Z",
            "Mon, 05 Oct",
            "----",
            "T",
            "++",
        ] {
            assert_eq!(iso_of(text), "none", "{text}");
        }
        assert_eq!(unix_ms(&"1 ".repeat(500)), None);
    }
}
