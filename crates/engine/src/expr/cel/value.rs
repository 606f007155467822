//! Values while an expression is evaluated. They borrow from the documents: a part of a document
//! costs nothing to name, whatever its size. Only what an operator makes is allocated, and counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use serde_json::Value;

use super::super::MADE_DEPTH_MAX;
use super::super::budget::Budget;
use super::super::error::EvalError;
use super::ast::Type;

/// An error that does not know its place yet.
#[derive(Debug)]
pub(super) enum Trouble {
    Type(String),
    Failed(String),
    Final(EvalError),
}

impl From<EvalError> for Trouble {
    fn from(error: EvalError) -> Trouble {
        Trouble::Final(error)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Val<'b> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Text<'b>),
    List(List<'b>),
    Map(Map<'b>),
    Type(Type),
}

/// What one value takes in memory, apart from its text, items or fields.
pub(super) const VAL_BYTES: usize = std::mem::size_of::<Val<'static>>();

impl<'b> Val<'b> {
    /// JSON integers are ints, or uints above the range of an int; other numbers are doubles.
    pub(super) fn of(value: &'b Value) -> Val<'b> {
        match value {
            Value::Null => Val::Null,
            Value::Bool(value) => Val::Bool(*value),
            Value::Number(number) => {
                if let Some(int) = number.as_i64() {
                    Val::Int(int)
                } else if let Some(uint) = number.as_u64() {
                    Val::Uint(uint)
                } else {
                    Val::Double(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => Val::Text(Text::Lent(text)),
            Value::Array(items) => Val::List(List::Lent(items)),
            Value::Object(fields) => Val::Map(Map::Lent(fields)),
        }
    }

    pub(super) fn count(count: usize) -> Val<'b> {
        Val::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn type_of(&self) -> Type {
        match self {
            Val::Null => Type::Null,
            Val::Bool(_) => Type::Bool,
            Val::Int(_) => Type::Int,
            Val::Uint(_) => Type::Uint,
            Val::Double(_) => Type::Double,
            Val::Text(_) => Type::Text,
            Val::List(_) => Type::List,
            Val::Map(_) => Type::Map,
            Val::Type(_) => Type::Meta,
        }
    }

    pub(super) fn text(text: String, budget: &mut Budget) -> Result<Val<'b>, EvalError> {
        budget.allocate(text.len())?;
        Ok(Val::Text(Text::Made(text.into())))
    }

    /// A list made here. Its items were paid for as they were pushed: see [`push`].
    pub(super) fn list(items: Vec<Val<'b>>) -> Result<Val<'b>, EvalError> {
        let depth = made_depth(items.iter())?;
        Ok(Val::List(List::Made(Rc::new(Made { inner: items, depth }))))
    }

    /// A map made here. Of entries with the same key the last one counts.
    pub(super) fn map(
        mut entries: Vec<(Text<'b>, Val<'b>)>,
        budget: &mut Budget,
    ) -> Result<Val<'b>, EvalError> {
        budget.allocate(entries.len() * ENTRY_BYTES)?;
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, kept| later.0 == kept.0);
        let depth = made_depth(entries.iter().map(|(_, value)| value))?;
        Ok(Val::Map(Map::Made(Rc::new(Made { inner: entries, depth }))))
    }

    /// Levels made here; what is borrowed counts as none.
    fn depth(&self) -> u32 {
        match self {
            Val::List(List::Made(list)) => list.depth,
            Val::Map(Map::Made(map)) => map.depth,
            Val::Null
            | Val::Bool(_)
            | Val::Int(_)
            | Val::Uint(_)
            | Val::Double(_)
            | Val::Text(_)
            | Val::List(List::Lent(_))
            | Val::Map(Map::Lent(_) | Map::Document(_))
            | Val::Type(_) => 0,
        }
    }
}

/// What one entry of a map takes in memory.
const ENTRY_BYTES: usize = std::mem::size_of::<(Text<'static>, Val<'static>)>();

/// Adds an item to a list that is being made, and pays for it.
pub(super) fn push<'b>(
    items: &mut Vec<Val<'b>>,
    item: Val<'b>,
    budget: &mut Budget,
) -> Result<(), EvalError> {
    budget.step(1)?;
    budget.allocate(VAL_BYTES)?;
    items.push(item);
    Ok(())
}

fn made_depth<'v, 'b: 'v>(parts: impl Iterator<Item = &'v Val<'b>>) -> Result<u32, EvalError> {
    let depth = parts.map(Val::depth).max().unwrap_or(0) + 1;
    if depth > MADE_DEPTH_MAX {
        return Err(EvalError::TooDeep { limit: MADE_DEPTH_MAX });
    }
    Ok(depth)
}

#[derive(Debug, Clone)]
pub(super) enum Text<'b> {
    Lent(&'b str),
    Made(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Lent(text) => text,
            Text::Made(text) => text,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

/// A list or map made by an expression, with the levels made within it.
#[derive(Debug)]
pub(super) struct Made<T> {
    inner: T,
    depth: u32,
}

#[derive(Debug, Clone)]
pub(super) enum List<'b> {
    Lent(&'b [Value]),
    Made(Rc<Made<Vec<Val<'b>>>>),
}

impl<'b> List<'b> {
    pub(super) fn len(&self) -> usize {
        match self {
            List::Lent(items) => items.len(),
            List::Made(items) => items.inner.len(),
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<Val<'b>> {
        match self {
            List::Lent(items) => items.get(index).map(Val::of),
            List::Made(items) => items.inner.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Val<'b>> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}

#[derive(Debug, Clone)]
pub(super) enum Map<'b> {
    Lent(&'b serde_json::Map<String, Value>),
    /// `data` or `steps` as a whole.
    Document(&'b BTreeMap<String, Cow<'b, Value>>),
    /// Sorted by key, each key once.
    Made(Rc<Made<Vec<(Text<'b>, Val<'b>)>>>),
}

impl<'b> Map<'b> {
    pub(super) fn len(&self) -> usize {
        match self {
            Map::Lent(fields) => fields.len(),
            Map::Document(fields) => fields.len(),
            Map::Made(fields) => fields.inner.len(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<Val<'b>> {
        match self {
            Map::Lent(fields) => fields.get(name).map(Val::of),
            Map::Document(fields) => fields.get(name).map(|value| Val::of(value)),
            Map::Made(fields) => {
                let found = fields.inner.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
                Some(fields.inner[found].1.clone())
            }
        }
    }

    /// The entries in the order in which the map keeps them.
    pub(super) fn iter(&self) -> Box<dyn Iterator<Item = (Text<'b>, Val<'b>)> + '_> {
        match self {
            Map::Lent(fields) => {
                Box::new(fields.iter().map(|(key, value)| (Text::Lent(key), Val::of(value))))
            }
            Map::Document(fields) => {
                Box::new(fields.iter().map(|(key, value)| (Text::Lent(key), Val::of(value))))
            }
            Map::Made(fields) => Box::new(fields.inner.iter().cloned()),
        }
    }

    /// The entries sorted by key, paid for.
    pub(super) fn entries(
        &self,
        budget: &mut Budget,
    ) -> Result<Vec<(Text<'b>, Val<'b>)>, EvalError> {
        budget.step(self.len() as u64)?;
        budget.allocate(self.len() * ENTRY_BYTES)?;
        let mut entries: Vec<_> = self.iter().collect();
        // A document keeps its own order when serde_json is built to preserve it.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }
}
