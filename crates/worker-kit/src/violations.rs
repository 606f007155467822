//! Owns the list of what is wrong with an input. Every rule that fails is reported, not the first.
//! It must not know HTTP.

use serde::{Deserialize, Serialize};

/// The most violations that one answer lists; a caller with more has a deeper problem.
pub const VIOLATIONS_MAX: usize = 64;

/// One field that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the offending field; empty for the whole document.
    pub pointer: String,
    /// Stable, for programs: `required`, `type`, `range`, `length`, `format`, `unknown`.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// Collects violations while an input is checked.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Records one violation. Beyond [`VIOLATIONS_MAX`] further ones are dropped.
    pub fn add(
        &mut self,
        pointer: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation {
                pointer: pointer.into(),
                code: code.into(),
                message: message.into(),
            });
        }
    }

    /// Requires `min <= value <= max`.
    pub fn range<N: PartialOrd + std::fmt::Display>(
        &mut self,
        pointer: &str,
        value: N,
        limits: std::ops::RangeInclusive<N>,
    ) {
        // NaN is in no range: `contains` is false for it, as it should be.
        if !limits.contains(&value) {
            let (min, max) = (limits.start(), limits.end());
            self.add(pointer, "range", format!("must be between {min} and {max}, not {value}"));
        }
    }

    /// Requires a text of `limits` characters, blanks at both ends not counted.
    pub fn text(&mut self, pointer: &str, value: &str, limits: std::ops::RangeInclusive<usize>) {
        let length = value.trim().chars().count();
        if !limits.contains(&length) {
            let (min, max) = (limits.start(), limits.end());
            self.add(
                pointer,
                "length",
                format!("must have {min} to {max} characters, not {length}"),
            );
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list, in the order of discovery.
    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}

/// An input that knows what it demands beyond its types.
pub trait Validate {
    /// Adds one violation for each rule that fails.
    fn validate(&self, violations: &mut Violations);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_refuses_what_lies_outside_and_nan() {
        let mut violations = Violations::default();
        violations.range("/depth", 3, 1..=5);
        assert!(violations.is_empty());
        violations.range("/depth", 6, 1..=5);
        violations.range("/min_quality", f64::NAN, 0.0..=1.0);
        let list = violations.into_vec();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].pointer, "/depth");
        assert_eq!(list[0].message, "must be between 1 and 5, not 6");
    }

    #[test]
    fn text_is_measured_in_characters_without_its_margins() {
        let mut violations = Violations::default();
        violations.text("/topic", "  übër ", 4..=4);
        assert!(violations.is_empty());
        violations.text("/topic", "   ", 1..=500);
        assert_eq!(violations.into_vec()[0].code, "length");
    }

    #[test]
    fn the_list_is_bounded() {
        let mut violations = Violations::default();
        for _ in 0..VIOLATIONS_MAX + 10 {
            violations.add("/a", "type", "no");
        }
        assert_eq!(violations.into_vec().len(), VIOLATIONS_MAX);
    }
}
