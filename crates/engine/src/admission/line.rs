//! A waiting line: by priority, then by arrival. Who does not ask again in time drops out.

use crate::time::{Millis, Timestamp};

/// How long after the moment that it was told an entry may stay silent.
pub const SILENCE_MAX: Millis = Millis::from_secs(2);
/// The most entries of a line.
pub const LINE_MAX: usize = 1_000;

/// See the module.
#[derive(Clone, Debug)]
pub struct Line<K> {
    /// In the order in which they are served.
    entries: Vec<Entry<K>>,
}

#[derive(Clone, Debug)]
struct Entry<K> {
    key: K,
    priority: i64,
    asks_at: Timestamp,
}

impl<K> Default for Line<K> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: PartialEq> Line<K> {
    /// Takes its place in the line, or keeps it: how many stand before it. `None` when the line is
    /// too long for one more.
    pub fn stand(&mut self, now: Timestamp, key: &K, priority: i64) -> Option<usize>
    where
        K: Clone,
    {
        if let Some(position) = self.entries.iter().position(|entry| entry.key == *key) {
            self.entries[position].asks_at = now;
            return Some(position);
        }
        if self.entries.len() >= LINE_MAX {
            return None;
        }
        let position = self.behind(priority);
        self.entries.insert(position, Entry { key: key.clone(), priority, asks_at: now });
        Some(position)
    }

    /// How many stand before one that does not stand in the line, or does.
    pub fn before(&self, key: &K, priority: i64) -> usize {
        let stands = self.entries.iter().position(|entry| entry.key == *key);
        stands.unwrap_or_else(|| self.behind(priority))
    }

    /// Notes when the entry was told to ask again.
    pub fn told(&mut self, key: &K, asks_at: Timestamp) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == *key) {
            entry.asks_at = asks_at;
        }
    }

    /// Gives up a place in the line.
    pub fn leave(&mut self, key: &K) {
        self.entries.retain(|entry| entry.key != *key);
    }

    /// Drops those that were not heard of in time.
    pub fn drop_silent(&mut self, now: Timestamp) {
        self.entries.retain(|entry| entry.asks_at.plus(SILENCE_MAX) >= now);
    }

    /// How many wait and were heard of in time.
    pub fn waiting(&self, now: Timestamp) -> usize {
        let heard = |entry: &&Entry<K>| entry.asks_at.plus(SILENCE_MAX) >= now;
        self.entries.iter().filter(heard).count()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn behind(&self, priority: i64) -> usize {
        self.entries.partition_point(|entry| entry.priority >= priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn the_more_urgent_stand_first_and_equals_by_arrival() {
        let mut line = Line::default();
        assert_eq!(line.stand(at(0), &"a", 1), Some(0));
        assert_eq!(line.stand(at(0), &"b", 1), Some(1));
        assert_eq!(line.stand(at(0), &"c", 3), Some(0));
        assert_eq!(line.stand(at(1), &"a", 1), Some(1), "who asks again keeps its place");
        assert_eq!(line.stand(at(1), &"b", 1), Some(2));
        assert_eq!(line.before(&"new", 1), 3);
        assert_eq!(line.before(&"new", 2), 1);
    }

    #[test]
    fn who_is_silent_drops_out_and_who_was_told_to_wait_does_not() {
        let mut line = Line::default();
        line.stand(at(0), &"a", 0);
        line.stand(at(0), &"b", 0);
        line.told(&"b", at(60_000));
        line.drop_silent(at(2_001));
        assert_eq!(line.stand(at(2_001), &"b", 0), Some(0));
        line.drop_silent(at(4_001));
        assert_eq!(line.stand(at(4_001), &"b", 0), Some(0));
        line.drop_silent(at(6_002));
        assert!(line.is_empty());
    }

    #[test]
    fn a_line_has_an_end() {
        let mut line = Line::default();
        for n in 0..LINE_MAX {
            assert_eq!(line.stand(at(0), &n, 0), Some(n));
        }
        assert_eq!(line.stand(at(0), &LINE_MAX, 9), None);
        assert_eq!(line.stand(at(0), &7, 0), Some(7));
    }
}
