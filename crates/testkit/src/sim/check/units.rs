//! Where the steps, elements and compensations of an execution stand, by their paths.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::plan::definition::StepKind;

use super::Checked;
use super::facts::{Facts, Part};

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Open,
    Succeeded,
    Failed,
    Skipped,
    Cancelled,
}

#[derive(Clone, Debug)]
struct Unit {
    fate: Fate,
    /// When it succeeded, among all.
    place: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Units {
    pub facts: Arc<Facts>,
    units: BTreeMap<String, Unit>,
    /// How many elements each map has.
    elements: BTreeMap<String, u32>,
    /// The last generation that was seen of a path, and the paths that were reset since.
    generations: BTreeMap<String, u32>,
    reset: BTreeSet<String>,
    /// Paths and generations that succeeded.
    performed: BTreeSet<(String, u32)>,
    /// Waits that have begun.
    pub waiting: BTreeSet<String>,
    /// Whatever has begun since it was reset: what it depends on may be done anew meanwhile.
    begun: BTreeSet<String>,
    places: u64,
}

impl Units {
    pub fn new(facts: Arc<Facts>) -> Self {
        let open = Unit { fate: Fate::Open, place: 0 };
        let units = facts.steps.keys().map(|name| (name.clone(), open.clone())).collect();
        Self {
            facts,
            units,
            elements: BTreeMap::new(),
            generations: BTreeMap::new(),
            reset: BTreeSet::new(),
            performed: BTreeSet::new(),
            waiting: BTreeSet::new(),
            begun: BTreeSet::new(),
            places: 0,
        }
    }

    pub fn fate(&self, path: &str) -> Option<Fate> {
        self.units.get(path).map(|unit| unit.fate)
    }

    pub fn is_settled(&self, path: &str) -> bool {
        self.fate(path).is_some_and(|fate| fate != Fate::Open)
    }

    /// Steps that have succeeded, undone or not.
    pub fn succeeded(&self) -> impl Iterator<Item = &String> {
        let whole = |path: &&String| Facts::part(path).1 == Part::Whole;
        let done = self.units.iter().filter(|(_, unit)| unit.fate == Fate::Succeeded);
        done.map(|(path, _)| path).filter(whole)
    }

    /// The generation in which a path is, or would be, done.
    pub fn generation(&self, path: &str) -> u32 {
        self.generations.get(path).copied().unwrap_or(1)
    }

    /// Notes that an attempt at a path begins in a generation.
    pub fn begin(&mut self, path: &str, generation: u32) -> Checked {
        let reset = self.reset.remove(path);
        let fits = match self.generations.get(path) {
            None => generation == 1 || reset || Facts::part(path).1 != Part::Whole,
            // One that did not succeed is tried again in its generation.
            Some(last) if Facts::part(path).1 == Part::Undo => generation >= *last,
            Some(last) if reset => generation > *last,
            Some(last) => generation == *last,
        };
        if !fits {
            let last = self.generations.get(path);
            return Err(format!("`{path}` begins in generation {generation} after {last:?}"));
        }
        self.generations.insert(path.to_owned(), generation);
        self.begun.insert(path.to_owned());
        if Facts::part(path).1 == Part::Undo {
            self.units.entry(path.to_owned()).or_insert(Unit { fate: Fate::Open, place: 0 });
        }
        if self.is_settled(path) || !self.units.contains_key(path) {
            return Err(format!("`{path}` begins, and is {:?}", self.fate(path)));
        }
        Ok(())
    }

    /// Only what the steps that it depends on let begin.
    pub fn may_begin(&self, path: &str) -> Checked {
        let (step, part) = Facts::part(path);
        let Some(facts) = self.facts.steps.get(step) else {
            return Err(format!("there is no `{step}`"));
        };
        if self.is_settled(path) {
            return Err(format!("`{path}` is settled already"));
        }
        if part != Part::Whole || self.begun.contains(path) {
            return Ok(());
        }
        if let Some(needed) = facts.ordered.iter().find(|needed| !self.is_settled(needed)) {
            return Err(format!("`{path}` begins before `{needed}` is settled"));
        }
        if let Some(wanted) = facts.wanted {
            let is = |fate| move |on: &&String| self.fate(on) == Some(fate);
            let done = facts.required.iter().filter(is(Fate::Succeeded)).count();
            let open = facts.required.iter().filter(is(Fate::Open)).count();
            if done < wanted && done + open >= wanted {
                return Err(format!("`{path}` begins when {done} of {wanted} have succeeded"));
            }
        }
        Ok(())
    }

    pub fn begin_wait(&mut self, step: &str) {
        self.waiting.insert(step.to_owned());
        self.begun.insert(step.to_owned());
    }

    pub fn begin_map(&mut self, step: &str, elements: u32) {
        self.elements.insert(step.to_owned(), elements);
        self.begun.insert(step.to_owned());
        for number in 0..elements {
            let open = Unit { fate: Fate::Open, place: 0 };
            self.units.insert(format!("{step}[{number}]"), open);
        }
    }

    /// The elements of a map that has begun.
    pub fn elements(&self, step: &str) -> impl Iterator<Item = String> + use<'_> {
        let count = self.elements.get(step).copied().unwrap_or_default();
        let step = step.to_owned();
        (0..count).map(move |number| format!("{step}[{number}]"))
    }

    pub fn element_count(&self) -> u64 {
        self.elements.values().map(|count| u64::from(*count)).sum()
    }

    /// A path comes to its end.
    pub fn settle(&mut self, path: &str, fate: Fate) -> Checked {
        if self.is_settled(path) {
            return Err(format!("`{path}` is settled twice: {:?}, {fate:?}", self.fate(path)));
        }
        if fate == Fate::Succeeded {
            self.succeed(path)?;
        }
        self.waiting.remove(path);
        self.places += 1;
        let place = self.places;
        self.units.insert(path.to_owned(), Unit { fate, place });
        Ok(())
    }

    fn succeed(&mut self, path: &str) -> Checked {
        let (step, part) = Facts::part(path);
        let open = self.elements(step).find(|element| !self.is_settled(element));
        if let Some(open) = open.filter(|_| part == Part::Whole) {
            return Err(format!("`{path}` succeeds before `{open}` is settled"));
        }
        let calls = self
            .facts
            .steps
            .get(step)
            .is_some_and(|facts| !matches!(facts.kind, StepKind::Transform | StepKind::Wait));
        let whole_map = part == Part::Whole && self.elements.contains_key(step);
        let effect = (path.to_owned(), self.generation(path));
        if calls && !whole_map && !self.performed.insert(effect) {
            let generation = self.generation(path);
            return Err(format!("`{path}` succeeds twice in generation {generation}"));
        }
        Ok(())
    }

    /// Paths are done anew.
    pub fn reset(&mut self, paths: &[String]) {
        // What could not be undone stands: it is undone in the same generation, should it be.
        let undone = |path: &str| Facts::part(path).1 == Part::Undo;
        let performed =
            self.units.iter().filter(|(path, unit)| undone(path) && unit.fate == Fate::Succeeded);
        let performed: Vec<String> = performed.map(|(path, _)| path.clone()).collect();
        self.reset.extend(performed);
        self.units.retain(|path, _| !undone(path));
        for path in paths {
            let (step, part) = Facts::part(path);
            let step = step.to_owned();
            self.reset.insert(step.clone());
            self.reset.insert(path.clone());
            self.waiting.remove(path);
            self.begun.remove(path);
            let open = Unit { fate: Fate::Open, place: 0 };
            self.units.insert(step.clone(), open.clone());
            if part == Part::Element {
                self.units.insert(path.clone(), open);
                continue;
            }
            for element in self.elements(&step).collect::<Vec<_>>() {
                self.units.remove(&element);
                self.reset.insert(element);
            }
            self.elements.remove(&step);
        }
    }

    /// Whether the execution would have to undo the step, and has not.
    pub fn is_to_be_undone(&self, step: &str) -> bool {
        let undone = self.fate(&format!("{step}/compensate")) == Some(Fate::Succeeded);
        let done = |path: &str| self.fate(path) == Some(Fate::Succeeded);
        !undone && (done(step) || self.elements(step).any(|element| done(&element)))
    }

    /// When a step that is to be undone came to be so; a map that was cut short was the last.
    pub fn place(&self, step: &str) -> u64 {
        match self.units.get(step) {
            Some(unit) if unit.fate == Fate::Succeeded => unit.place,
            _ => u64::MAX,
        }
    }

    /// Whether something could not be undone.
    pub fn has_failed_undo(&self) -> bool {
        let mut units = self.units.iter();
        units.any(|(path, unit)| Facts::part(path).1 == Part::Undo && unit.fate != Fate::Succeeded)
    }

    /// Whether money is kept for undoing the step.
    pub fn keeps(&self, step: &str) -> bool {
        let under_way = self.elements.contains_key(step) && !self.is_settled(step);
        let begun = self.units.contains_key(&format!("{step}/compensate"));
        (under_way || self.is_to_be_undone(step)) && !begun
    }
}
