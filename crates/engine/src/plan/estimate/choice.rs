//! Which of several workers that can do the same is asked.

use crate::execution::Choice;
use crate::plan::{Call, Target};

impl Call {
    /// Who is asked. A worker goes before one that is named earlier only where both have the
    /// figure that counts and its own is better: what nobody knows changes nothing.
    pub fn chosen(&self, choice: Choice) -> &Target {
        self.alternatives.iter().fold(&self.primary, |best, other| {
            if choice.prefers(other, best) { other } else { best }
        })
    }
}

impl Choice {
    fn prefers(self, one: &Target, other: &Target) -> bool {
        match self {
            Self::Declared => false,
            Self::Cheapest => {
                one.estimated_cost.zip(other.estimated_cost).is_some_and(|(a, b)| a < b)
            }
            Self::Fastest => one.expected.zip(other.expected).is_some_and(|(a, b)| a < b),
            Self::Best => one.quality.zip(other.quality).is_some_and(|(a, b)| a > b),
        }
    }
}
