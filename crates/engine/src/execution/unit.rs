//! What an attempt is made of: a step, one element of a map, or what undoes a step. Events and
//! idempotency keys name it by its path: `charge`, `classify[3]`, `charge/compensate`.

use crate::plan::{Plan, StepIndex};

/// The last part of the path of what undoes a step.
const UNDO: &str = "/compensate";

/// Something that attempts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// The step that it belongs to.
    pub step: StepIndex,
    /// Which part of it.
    pub part: Part,
}

/// A part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The step itself.
    Whole,
    /// One element of a map.
    Element(u32),
    /// What undoes it.
    Undo,
}

impl Unit {
    /// The step itself.
    pub const fn whole(step: StepIndex) -> Self {
        Self { step, part: Part::Whole }
    }

    /// One element of a map.
    pub const fn element(step: StepIndex, at: u32) -> Self {
        Self { step, part: Part::Element(at) }
    }

    /// What undoes a step.
    pub const fn undo(step: StepIndex) -> Self {
        Self { step, part: Part::Undo }
    }
}

impl Plan {
    /// The path of a unit.
    pub fn path(&self, unit: Unit) -> String {
        let name = &self.step(unit.step).name;
        match unit.part {
            Part::Whole => name.clone(),
            Part::Element(at) => format!("{name}[{at}]"),
            Part::Undo => format!("{name}{UNDO}"),
        }
    }

    /// The unit at a path. Whether a map has that element only its execution knows.
    pub fn find_unit(&self, path: &str) -> Option<Unit> {
        if let Some(name) = path.strip_suffix(UNDO) {
            return self.find(name).map(Unit::undo);
        }
        let Some((name, rest)) = path.split_once('[') else {
            return self.find(path).map(Unit::whole);
        };
        let digits = rest.strip_suffix(']')?;
        let canonical = digits == "0" || !digits.starts_with(['0', '+']);
        let at = digits.parse().ok().filter(|_| canonical)?;
        self.find(name).map(|step| Unit::element(step, at))
    }
}
