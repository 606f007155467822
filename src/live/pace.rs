//! When a source is looked at again: soon after something happened there, later and later while
//! nothing does.

use engine::time::{Millis, Timestamp};

use super::limits::{JOURNAL_AGAIN_MIN, LOOK_AGAIN_MIN};
use super::topic::Source;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    at: Timestamp,
    pause: Millis,
    /// Somebody looks; `at` is when that is taken for abandoned.
    looking: bool,
}

/// How long a look may take before it is taken for abandoned.
pub const LOOK_LIMIT: Millis = Millis::from_secs(20);

impl Pace {
    /// Something may have happened: look now.
    pub fn due(now: Timestamp) -> Self {
        Self { at: now, pause: Millis::ZERO, looking: false }
    }

    /// Nothing has happened for long: look now, and not soon again.
    pub fn after(now: Timestamp, pause: Millis) -> Self {
        Self { at: now, pause, looking: false }
    }

    /// Whether it is time.
    pub fn is_due(self, now: Timestamp) -> bool {
        now >= self.at
    }

    /// When it is time.
    pub fn at(self) -> Timestamp {
        self.at
    }

    /// The pace while somebody looks.
    pub fn looking(self, now: Timestamp) -> Self {
        Self { at: now.plus(LOOK_LIMIT), looking: true, ..self }
    }

    /// The pace after a look that found something, or nothing. Where something stirred meanwhile
    /// it stays due: what was read may be older than that.
    pub fn next(self, source: &Source, found: bool, longest: Millis, now: Timestamp) -> Self {
        if !self.looking {
            return self;
        }
        let shortest = match source {
            Source::Events | Source::AgentLogs => LOOK_AGAIN_MIN,
            Source::Journal(_) => JOURNAL_AGAIN_MIN,
        };
        let pause = if found { shortest } else { Millis::new(self.pause.get() * 2) };
        let pause = pause.max(shortest).min(longest);
        Self { at: now.plus(pause), pause, looking: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::limits::LOOK_AGAIN_MAX;

    #[test]
    fn a_quiet_source_is_looked_at_less_and_less_often() {
        let (mut now, mut pauses) = (Timestamp::from_millis(0), Vec::new());
        let mut pace = Pace::due(now);
        for _ in 0..8 {
            assert!(pace.is_due(now));
            pace = pace.looking(now).next(&Source::Events, false, LOOK_AGAIN_MAX, now);
            pauses.push(pace.at().since(now).get());
            now = pace.at();
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        let soon = pace.looking(now).next(&Source::Events, true, LOOK_AGAIN_MAX, now);
        assert_eq!(soon.at().since(now), LOOK_AGAIN_MIN);
    }

    #[test]
    fn what_stirs_during_a_look_is_looked_at_again() {
        let now = Timestamp::from_millis(0);
        let looking = Pace::due(now).looking(now);
        assert!(!looking.is_due(now));
        assert!(looking.is_due(now.plus(LOOK_LIMIT)), "it was abandoned");
        let stirred = Pace::due(now).next(&Source::Events, false, LOOK_AGAIN_MAX, now);
        assert!(stirred.is_due(now));
    }
}
