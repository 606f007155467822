//! Where in a source something stands. Places of one source are ordered as things happened; the
//! cursor that clients see is its text.

use std::fmt;

/// A place: the number of an event or an entry and 0, or of a journal's record and the event in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64, pub u64);

/// The largest number that a cursor has: JSON's readers know no larger ones exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;

impl Place {
    /// Before everything.
    pub const START: Self = Self(0, 0);
    /// Behind everything.
    pub const END: Self = Self(u64::MAX, u64::MAX);

    /// The place in a sequence of numbers.
    pub fn parse(text: &str) -> Option<Self> {
        number(text).map(|n| Self(n, 0))
    }

    /// The place in a journal: `<record>.<n>`, or `0` for its beginning.
    pub fn parse_in_journal(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self::START);
        }
        let (record, n) = text.split_once('.')?;
        let place = Self(number(record)?, number(n)?);
        (place == Self::START || place.0 > 0 && place.1 > 0).then_some(place)
    }

    /// As [`Self::parse_in_journal`] reads it.
    pub fn in_journal(self) -> impl fmt::Display {
        format!("{}.{}", self.0, self.1)
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= NUMBER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        assert_eq!(Place::parse("17"), Some(Place(17, 0)));
        assert_eq!(Place::parse_in_journal("3.2"), Some(Place(3, 2)));
        assert_eq!(
            Place::parse_in_journal(&Place(3, 2).in_journal().to_string()),
            Some(Place(3, 2))
        );
        assert_eq!(Place::parse_in_journal("0"), Some(Place::START));
        assert_eq!(
            Place::parse_in_journal(&Place::START.in_journal().to_string()),
            Some(Place(0, 0))
        );
        for bad in ["", "-1", "+1", "1.1", "x", "9007199254740992", "99999999999999999999"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
        for bad in ["", "3", "3.", ".3", "0.3", "3.0", "1.1.1", "-1.1", "1.99999999999999999"] {
            assert_eq!(Place::parse_in_journal(bad), None, "{bad}");
        }
    }
}
