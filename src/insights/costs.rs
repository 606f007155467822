//! What a month will probably cost, and the days that costs are asked for. Pure.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use engine::time::Timestamp;

/// Days that the mean is taken of.
pub const MEAN_OF_DAYS: u64 = 7;
/// The most days that are shown at once.
pub const DAYS_MAX: i64 = 366;
const DAYS_DEFAULT: u64 = 30;
const DAY_MS: f64 = 86_400_000.0;

/// What a month will come to, in micro-USD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// What was spent of it.
    pub spent: f64,
    /// What a day costs.
    pub daily_mean: f64,
    /// Days that are left, today's rest as a part of one.
    pub days_left: f64,
}

/// Days from the first to the last, both within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: NaiveDate,
    /// The last.
    pub to: NaiveDate,
}

/// Why two days make no span: the field, and what is wrong.
pub type Refusal = (&'static str, &'static str, &'static str);

impl Outlook {
    /// With what was spent in this month and in the last [`MEAN_OF_DAYS`] full days.
    pub fn of(now: Timestamp, spent_month: i64, spent_week: i64) -> Self {
        let next = next_month(today(now));
        let left_ms = (begin(next).as_millis() - now.as_millis()).max(0);
        Self {
            spent: spent_month as f64,
            daily_mean: spent_week as f64 / MEAN_OF_DAYS as f64,
            days_left: left_ms as f64 / DAY_MS,
        }
    }

    /// What it will come to.
    pub fn total(&self) -> f64 {
        self.spent + self.daily_mean * self.days_left
    }
}

impl Span {
    /// The days that a query names, or every violation.
    pub fn read(
        from: Option<&str>,
        to: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut read = |pointer, text: Option<&str>| {
            let parsed = text.map(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d"));
            if matches!(parsed, Some(Err(_))) {
                refusals.push((pointer, "format", "is not a day such as 2026-11-21"));
            }
            parsed.and_then(Result::ok)
        };
        let (from, to) = (read("/from", from), read("/to", to));
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let to = to.unwrap_or_else(|| from.map_or(today(now), |from| from.max(today(now))));
        let from = from.or_else(|| to.checked_sub_days(Days::new(DAYS_DEFAULT - 1))).unwrap_or(to);
        let days = (to - from).num_days();
        if days < 0 {
            return Err(vec![("/from", "range", "is after the last day")]);
        }
        if days >= DAYS_MAX {
            return Err(vec![("/from", "range", "is more than 366 days before the last day")]);
        }
        Ok(Self { from, to })
    }

    /// From the first moment to the one that follows the last.
    pub fn moments(&self) -> (Timestamp, Timestamp) {
        (begin(self.from), begin(self.to.checked_add_days(Days::new(1)).unwrap_or(self.to)))
    }
}

/// The day of a moment (UTC).
pub fn today(now: Timestamp) -> NaiveDate {
    let moment: DateTime<Utc> =
        DateTime::from_timestamp_millis(now.as_millis()).unwrap_or_default();
    moment.date_naive()
}

/// The first moment of a day.
pub fn begin(day: NaiveDate) -> Timestamp {
    Timestamp::from_millis(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
}

/// The first day of the month of a day.
pub fn month_of(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

fn next_month(day: NaiveDate) -> NaiveDate {
    let next = match day.month() {
        12 => NaiveDate::from_ymd_opt(day.year() + 1, 1, 1),
        month => NaiveDate::from_ymd_opt(day.year(), month + 1, 1),
    };
    next.unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T06:00:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_795_240_800_000);

    #[test]
    fn a_forecast_is_what_was_spent_and_the_mean_for_each_day_left() {
        let outlook = Outlook::of(NOW, 30_000_000, 14_000_000);
        assert_eq!(outlook.daily_mean, 2_000_000.0);
        assert_eq!(outlook.days_left, 9.75, "nine days of November and 18 hours of today");
        assert_eq!(outlook.total(), 30_000_000.0 + 19_500_000.0);
        let december = Timestamp::from_millis(1_798_675_200_000);
        assert_eq!(today(december).to_string(), "2026-12-31");
        assert_eq!(Outlook::of(december, 0, 7).days_left, 1.0);
    }

    #[test]
    fn without_days_the_last_thirty_are_meant() {
        let span = Span::read(None, None, NOW).unwrap();
        assert_eq!((span.from.to_string(), span.to.to_string()), days("2026-10-23", "2026-11-21"));
        let span = Span::read(Some("2026-11-20"), None, NOW).unwrap();
        assert_eq!((span.from.to_string(), span.to.to_string()), days("2026-11-20", "2026-11-21"));
        let (from, to) = Span::read(Some("2026-11-21"), Some("2026-11-21"), NOW).unwrap().moments();
        assert_eq!(to.as_millis() - from.as_millis(), 86_400_000, "one whole day");
        assert_eq!(month_of(today(NOW)).to_string(), "2026-11-01");
    }

    fn days(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn what_is_no_span_is_refused_with_every_reason() {
        let codes = |from, to| -> Vec<(&str, &str)> {
            let refusals = Span::read(from, to, NOW).unwrap_err();
            refusals.into_iter().map(|(pointer, code, _)| (pointer, code)).collect()
        };
        let both = [("/from", "format"), ("/to", "format")];
        assert_eq!(codes(Some("2026-02-30"), Some("soon")), both);
        assert_eq!(codes(Some("2026-03-02"), Some("2026-03-01")), [("/from", "range")]);
        assert_eq!(codes(Some("2025-03-01"), Some("2026-03-02")), [("/from", "range")]);
        assert!(Span::read(Some("2025-03-02"), Some("2026-03-02"), NOW).is_ok(), "366 days");
        assert!(Span::read(Some("2999-01-01"), None, NOW).is_ok(), "nothing is there");
    }
}
