//! Buckets of time, and spans that are put together from them.

use engine::time::{Millis, Timestamp};
use serde_json::json;

use super::iso;

/// How long the buckets of a row of figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// Five minutes; kept for 3 days.
    FiveMinutes,
    /// An hour; kept for 92 days.
    Hour,
    /// A day (UTC); kept for ever.
    Day,
    /// All time, in one bucket that begins with 1970.
    All,
}

/// A span of time, made of whole buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
    segments: Vec<(Grain, Timestamp, Timestamp)>,
}

impl Grain {
    /// From the finest to the coarsest.
    pub const ALL: [Self; 4] = [Self::FiveMinutes, Self::Hour, Self::Day, Self::All];

    /// The word in the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "five_minutes",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::All => "all",
        }
    }

    /// How long rows of this grain are kept; `None` for ever.
    pub fn kept(self) -> Option<Millis> {
        match self {
            Self::FiveMinutes => Some(Millis::from_secs(3 * 86_400)),
            Self::Hour => Some(Millis::from_secs(92 * 86_400)),
            Self::Day | Self::All => None,
        }
    }

    fn length_ms(self) -> Option<i64> {
        match self {
            Self::FiveMinutes => Some(300_000),
            Self::Hour => Some(3_600_000),
            Self::Day => Some(86_400_000),
            Self::All => None,
        }
    }

    fn floor(self, at: Timestamp) -> Timestamp {
        let ms = at.as_millis();
        Timestamp::from_millis(self.length_ms().map_or(0, |length| ms - ms.rem_euclid(length)))
    }

    fn ceil(self, at: Timestamp) -> Timestamp {
        let floor = self.floor(at);
        let length = self.length_ms().filter(|_| floor < at).unwrap_or(0);
        Timestamp::from_millis(floor.as_millis() + length)
    }

    fn coarser(self) -> Option<Self> {
        match self {
            Self::FiveMinutes => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day | Self::All => None,
        }
    }
}

/// The start of the bucket that a moment falls into, as the column has it.
pub fn bucket(grain: Grain, at: Timestamp) -> String {
    iso(grain.floor(at))
}

impl Window {
    /// From `from` to `to`, widened to whole buckets of the finest grain that is still kept for
    /// `from`: 5 minutes for the last three days, an hour for the last three months, else a day.
    pub fn between(from: Timestamp, to: Timestamp, now: Timestamp) -> Self {
        let age = now.since(from);
        let still = |grain: &Grain| grain.kept().is_none_or(|kept| age < kept);
        let finest = Grain::ALL.into_iter().find(still).unwrap_or(Grain::Day);
        let (from, to) = (finest.floor(from), finest.ceil(to));
        let mut segments = Vec::new();
        fill(&mut segments, finest, from, to);
        Self { from, to, segments }
    }

    /// Whole buckets of one grain, to be told apart by their bucket.
    pub fn series(grain: Grain, from: Timestamp, to: Timestamp) -> Self {
        let (from, to) = (grain.floor(from), grain.ceil(to));
        Self { from, to, segments: vec![(grain, from, to)] }
    }

    /// Everything that was ever counted.
    pub fn all_time() -> Self {
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(1));
        Self { from, to, segments: vec![(Grain::All, from, to)] }
    }

    /// Where it begins.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// Where it ends, itself not within.
    pub fn to(&self) -> Timestamp {
        self.to
    }

    pub(super) fn json(&self) -> String {
        let shown = |(grain, from, to): &(Grain, Timestamp, Timestamp)| {
            json!([grain.as_str(), iso(*from), iso(*to)])
        };
        json!(self.segments.iter().map(shown).collect::<Vec<_>>()).to_string()
    }
}

/// Whole buckets of the coarser grain in the middle, what is left of this one around them.
fn fill(
    segments: &mut Vec<(Grain, Timestamp, Timestamp)>,
    grain: Grain,
    from: Timestamp,
    to: Timestamp,
) {
    let mut own = |from, to| {
        if from < to {
            segments.push((grain, from, to));
        }
    };
    let coarser = grain.coarser().map(|coarser| (coarser, coarser.ceil(from), coarser.floor(to)));
    match coarser {
        Some((coarser, begin, end)) if begin < end => {
            own(from, begin);
            own(end, to);
            fill(segments, coarser, begin, end);
        }
        Some(_) | None => own(from, to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    const DAY_MS: i64 = 24 * HOUR_MS;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(20_000 * DAY_MS + ms)
    }

    fn grains(window: &Window) -> Vec<(Grain, i64)> {
        let length = |(grain, from, to): &(Grain, Timestamp, Timestamp)| {
            let buckets = (to.as_millis() - from.as_millis()) / grain.length_ms().unwrap();
            (*grain, buckets)
        };
        window.segments.iter().map(length).collect()
    }

    #[test]
    fn a_span_is_made_of_the_coarsest_buckets_that_fit() {
        let now = at(10 * HOUR_MS + 7 * MINUTE_MS);
        let hour = Window::between(at(9 * HOUR_MS + 7 * MINUTE_MS), now, now);
        assert_eq!(grains(&hour), [(Grain::FiveMinutes, 13)]);
        let day = Window::between(at(-14 * HOUR_MS + 7 * MINUTE_MS), now, now);
        let expected = [(Grain::FiveMinutes, 11), (Grain::FiveMinutes, 2), (Grain::Hour, 23)];
        assert_eq!(grains(&day), expected);
        let month = Window::between(at(-30 * DAY_MS + 10 * HOUR_MS), now, now);
        assert_eq!(grains(&month), [(Grain::Hour, 14), (Grain::Hour, 11), (Grain::Day, 29)]);
        let year = Window::between(at(-365 * DAY_MS), now, now);
        assert_eq!(grains(&year), [(Grain::Day, 366)]);
    }

    #[test]
    fn segments_cover_their_span_once() {
        for (from, to) in [(0, 1), (-3, 7), (5, 5 + 61), (-70, 1500), (-4000, 17), (-5000, 5000)] {
            let (from, to) = (at(from * MINUTE_MS), at(to * MINUTE_MS));
            let window = Window::between(from, to, to);
            let mut segments = window.segments.clone();
            segments.sort_by_key(|(_, from, _)| *from);
            assert_eq!(segments[0].1, window.from());
            assert_eq!(segments.last().unwrap().2, window.to());
            assert!(segments.windows(2).all(|pair| pair[0].2 == pair[1].1), "{segments:?}");
            assert!(window.from() <= from && to <= window.to());
        }
    }

    #[test]
    fn buckets_begin_where_their_grain_does() {
        let moment = Timestamp::from_millis(1_795_255_321_987);
        let starts = Grain::ALL.map(|grain| bucket(grain, moment));
        let expected = [
            "2026-11-21T10:00:00.000Z",
            "2026-11-21T10:00:00.000Z",
            "2026-11-21T00:00:00.000Z",
            "1970-01-01T00:00:00.000Z",
        ];
        assert_eq!(starts, expected);
    }
}
