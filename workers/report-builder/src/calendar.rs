//! Dates for readers: how they are written, and how publications fall into days, weeks, months.
//! Times are Unix milliseconds, dates are UTC.

use chrono::{DateTime, Datelike, Days, NaiveDate};

const DAY_MS: i64 = 86_400_000;
/// Up to so many days are shown day by day.
const DAYS_MAX: i64 = 31;
/// Up to so many days are shown week by week.
const WEEKS_MAX_DAYS: i64 = 31 * 7;
/// The most bars of a time line; what lies before is counted, not shown.
const BUCKETS_MAX: usize = 31;

/// Unix ms of an RFC 3339 date.
pub fn parse(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text.trim()).ok()?.timestamp_millis())
}

/// "21 November 2026".
pub fn long(unix_ms: i64) -> String {
    date(unix_ms).format("%-d %B %Y").to_string()
}

/// "2026-11-21".
pub fn iso(unix_ms: i64) -> String {
    date(unix_ms).format("%Y-%m-%d").to_string()
}

/// "2–21 November 2026", as short as it can be said.
pub fn span(from_ms: i64, to_ms: i64) -> String {
    let (from, to) = (date(from_ms), date(to_ms));
    if from == to {
        return long(from_ms);
    }
    if (from.year(), from.month()) == (to.year(), to.month()) {
        return format!("{}–{}", from.day(), to.format("%-d %B %Y"));
    }
    if from.year() == to.year() {
        return format!("{} – {}", from.format("%-d %B"), to.format("%-d %B %Y"));
    }
    format!("{} – {}", from.format("%-d %B %Y"), to.format("%-d %B %Y"))
}

/// The unit of a time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Day,
    Week,
    Month,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    fn start(self, date: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => date,
            Self::Week => {
                let back = Days::new(u64::from(date.weekday().num_days_from_monday()));
                date.checked_sub_days(back).unwrap_or(date)
            }
            Self::Month => date.with_day(1).unwrap_or(date),
        }
    }

    fn before(self, start: NaiveDate) -> NaiveDate {
        self.start(start.pred_opt().unwrap_or(NaiveDate::MIN))
    }

    fn label(self, start: NaiveDate) -> String {
        match self {
            Self::Day | Self::Week => start.format("%-d %b").to_string(),
            Self::Month => start.format("%b %Y").to_string(),
        }
    }
}

/// One bar of a time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub label: String,
    pub count: usize,
}

/// How many publications fall into each unit of time, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    pub unit: Unit,
    pub buckets: Vec<Bucket>,
    /// Publications before the first bar.
    pub earlier: usize,
}

impl Timeline {
    /// `None` for dates that do not span at least two days.
    pub fn of(dates_ms: &[i64]) -> Option<Self> {
        let mut sorted = dates_ms.to_vec();
        sorted.sort_unstable();
        let last = *sorted.last()?;
        // A few old articles must not flatten the rest: one in twenty may fall off the left edge.
        let first = sorted[sorted.len() / 20];
        let span_days = (last.div_euclid(DAY_MS)) - (first.div_euclid(DAY_MS));
        if span_days < 1 {
            return None;
        }
        let unit = match span_days {
            ..DAYS_MAX => Unit::Day,
            DAYS_MAX..WEEKS_MAX_DAYS => Unit::Week,
            _ => Unit::Month,
        };
        Some(Self::fill(unit, &sorted, first))
    }

    fn fill(unit: Unit, sorted: &[i64], first: i64) -> Self {
        let first = unit.start(date(first));
        let last = unit.start(date(*sorted.last().expect("it was found before")));
        let mut starts = vec![last];
        while let Some(&start) = starts.last()
            && start > first
            && starts.len() < BUCKETS_MAX
        {
            starts.push(unit.before(start));
        }
        starts.reverse();
        let mut counts = vec![0; starts.len()];
        let mut earlier = 0;
        for &published in sorted {
            match starts.partition_point(|start| *start <= date(published)) {
                0 => earlier += 1,
                place => counts[place - 1] += 1,
            }
        }
        let buckets = starts.iter().zip(counts);
        let buckets = buckets.map(|(start, count)| Bucket { label: unit.label(*start), count });
        Self { unit, buckets: buckets.collect(), earlier }
    }

    /// The bar with the most publications; of equals the latest.
    pub fn peak(&self) -> Option<&Bucket> {
        self.buckets.iter().max_by_key(|bucket| bucket.count)
    }
}

fn date(unix_ms: i64) -> NaiveDate {
    DateTime::from_timestamp_millis(unix_ms).unwrap_or_default().date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        parse(&format!("{text}T12:00:00Z")).unwrap()
    }

    #[test]
    fn spans_are_said_briefly() {
        assert_eq!(span(ms("2026-11-02"), ms("2026-11-21")), "2–21 November 2026");
        assert_eq!(span(ms("2026-10-02"), ms("2026-11-21")), "2 October – 21 November 2026");
        assert_eq!(span(ms("2025-10-02"), ms("2026-11-21")), "2 October 2025 – 21 November 2026");
        assert_eq!(span(ms("2026-11-21"), ms("2026-11-21")), "21 November 2026");
    }

    #[test]
    fn days_have_no_gaps() {
        let line = Timeline::of(&[ms("2026-11-01"), ms("2026-11-04"), ms("2026-11-04")]).unwrap();
        let counts: Vec<usize> = line.buckets.iter().map(|bucket| bucket.count).collect();
        assert_eq!((line.unit, counts), (Unit::Day, vec![1, 0, 0, 2]));
        assert_eq!(line.peak().unwrap().label, "4 Nov");
    }

    #[test]
    fn longer_spans_take_longer_units() {
        let unit = |from, to| Timeline::of(&[ms(from), ms(to)]).unwrap().unit;
        assert_eq!(unit("2026-09-01", "2026-11-01"), Unit::Week);
        assert_eq!(unit("2025-01-01", "2026-11-01"), Unit::Month);
        assert_eq!(Timeline::of(&[ms("2026-11-01"); 5]), None);
        assert_eq!(Timeline::of(&[]), None);
    }

    #[test]
    fn a_few_old_articles_fall_off_the_edge_but_are_counted() {
        let mut dates = vec![ms("2009-01-01")];
        dates.extend((1..=28).map(|day| ms(&format!("2026-11-{day:02}"))));
        let line = Timeline::of(&dates).unwrap();
        assert_eq!((line.unit, line.buckets.len(), line.earlier), (Unit::Day, 28, 1));
    }

    #[test]
    fn hostile_dates_do_not_run_away() {
        let line = Timeline::of(&[i64::MIN / 4, -62_135_596_800_000, ms("2026-11-01"), i64::MAX]);
        assert!(line.is_none_or(|line| line.buckets.len() <= BUCKETS_MAX));
        let line = Timeline::of(&[ms("0001-01-01"), ms("9999-12-31")]).unwrap();
        assert!(line.buckets.len() <= BUCKETS_MAX);
    }
}
