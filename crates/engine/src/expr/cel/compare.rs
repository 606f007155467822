//! Equality and order of values, and the operators built on them.

use std::cmp::Ordering;

use super::super::COMPARED_DEPTH_MAX;
use super::super::budget::Budget;
use super::super::error::EvalError;
use super::ast::Operator;
use super::number::{Num, arithmetic};
use super::value::{List, Map, Text, Trouble, VAL_BYTES, Val};

/// An operator between two values that are both evaluated.
pub(super) fn binary<'b>(
    operator: Operator,
    a: &Val<'b>,
    b: &Val<'b>,
    budget: &mut Budget,
) -> Result<Val<'b>, Trouble> {
    match operator {
        Operator::Equal => Ok(Val::Bool(equal(a, b, budget)?)),
        Operator::NotEqual => Ok(Val::Bool(!equal(a, b, budget)?)),
        Operator::Less => compared(operator, a, b, budget, Ordering::is_lt),
        Operator::LessOrEqual => compared(operator, a, b, budget, Ordering::is_le),
        Operator::Greater => compared(operator, a, b, budget, Ordering::is_gt),
        Operator::GreaterOrEqual => compared(operator, a, b, budget, Ordering::is_ge),
        Operator::In => contained(a, b, budget),
        Operator::Add => add(a, b, budget),
        Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
            match (Num::of(a), Num::of(b)) {
                (Some(a), Some(b)) => arithmetic(operator, a, b).map(Val::from),
                _ => unsupported(operator, a, b),
            }
        }
    }
}

fn add<'b>(a: &Val<'b>, b: &Val<'b>, budget: &mut Budget) -> Result<Val<'b>, Trouble> {
    match (a, b) {
        (Val::Text(a), Val::Text(b)) => {
            budget.allocate(a.len() + b.len())?;
            Ok(Val::Text(Text::Made([&**a, &**b].concat().into())))
        }
        (Val::List(a), Val::List(b)) => Ok(joined(&[a, b], budget)?),
        _ => match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => arithmetic(Operator::Add, a, b).map(Val::from),
            _ => unsupported(Operator::Add, a, b),
        },
    }
}

/// The items of several lists in one.
pub(super) fn joined<'b>(lists: &[&List<'b>], budget: &mut Budget) -> Result<Val<'b>, EvalError> {
    let total = lists.iter().map(|list| list.len()).sum::<usize>();
    budget.step(total as u64)?;
    budget.allocate(total.saturating_mul(VAL_BYTES))?;
    Val::list(lists.iter().flat_map(|list| list.iter()).collect())
}

fn compared<'b>(
    operator: Operator,
    a: &Val<'b>,
    b: &Val<'b>,
    budget: &mut Budget,
    holds: fn(Ordering) -> bool,
) -> Result<Val<'b>, Trouble> {
    let order = match (a, b) {
        (Val::Text(a), Val::Text(b)) => {
            budget.read(a.len().min(b.len()))?;
            Some(a.cmp(b))
        }
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
        _ => match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => a.compare(b),
            _ => return unsupported(operator, a, b),
        },
    };
    Ok(Val::Bool(order.is_some_and(holds)))
}

fn contained<'b>(item: &Val<'b>, of: &Val<'b>, budget: &mut Budget) -> Result<Val<'b>, Trouble> {
    match of {
        Val::List(list) => {
            for other in list.iter() {
                if equal(item, &other, budget)? {
                    return Ok(Val::Bool(true));
                }
            }
            Ok(Val::Bool(false))
        }
        Val::Map(map) => match item {
            Val::Text(key) => Ok(Val::Bool(map.field(key).is_some())),
            // The keys of a JSON object are strings: nothing else is among them.
            _ => Ok(Val::Bool(false)),
        },
        _ => unsupported(Operator::In, item, of),
    }
}

fn unsupported<T>(operator: Operator, a: &Val<'_>, b: &Val<'_>) -> Result<T, Trouble> {
    let (sign, a, b) = (operator.sign(), a.type_of().name(), b.type_of().name());
    Err(Trouble::Type(format!("`{sign}` does not go between {a} and {b}")))
}

/// Values of different types differ; numbers compare by value, whatever their type.
pub(super) fn equal(a: &Val<'_>, b: &Val<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
    equal_below(a, b, budget, COMPARED_DEPTH_MAX)
}

fn equal_below(
    a: &Val<'_>,
    b: &Val<'_>,
    budget: &mut Budget,
    levels: u32,
) -> Result<bool, EvalError> {
    budget.step(1)?;
    let inner = || levels.checked_sub(1).ok_or(EvalError::TooDeep { limit: COMPARED_DEPTH_MAX });
    match (a, b) {
        (Val::Null, Val::Null) => Ok(true),
        (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
        (Val::Type(a), Val::Type(b)) => Ok(a == b),
        (Val::Text(a), Val::Text(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            budget.read(a.len())?;
            Ok(a == b)
        }
        (Val::List(a), Val::List(b)) => {
            let levels = inner()?;
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal_below(&a, &b, budget, levels)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Val::Map(a), Val::Map(b)) => equal_maps(a, b, budget, inner()?),
        _ => match (Num::of(a), Num::of(b)) {
            (Some(a), Some(b)) => Ok(a.compare(b) == Some(Ordering::Equal)),
            _ => Ok(false),
        },
    }
}

fn equal_maps(
    a: &Map<'_>,
    b: &Map<'_>,
    budget: &mut Budget,
    levels: u32,
) -> Result<bool, EvalError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, value) in a.iter() {
        budget.read(key.len())?;
        match b.field(&key) {
            Some(other) if equal_below(&value, &other, budget, levels)? => {}
            Some(_) | None => return Ok(false),
        }
    }
    Ok(true)
}

/// A value made ready to be sorted: the order is total, agrees with [`equal`] on everything but
/// what is not a number, and comparing costs nothing more, because it was paid for here.
#[derive(Debug)]
pub(super) enum SortKey<'b> {
    Null,
    Bool(bool),
    Number(Num),
    Text(Text<'b>),
    Type(super::ast::Type),
    List(Vec<SortKey<'b>>),
    Map(Vec<(Text<'b>, SortKey<'b>)>),
}

/// How often a key is compared when so many are sorted.
pub(super) fn comparisons(len: usize) -> u64 {
    u64::from(usize::BITS - len.leading_zeros()) + 1
}

impl<'b> SortKey<'b> {
    /// Pays for a key that will be compared about `times` times.
    pub(super) fn of(
        value: &Val<'b>,
        times: u64,
        budget: &mut Budget,
    ) -> Result<SortKey<'b>, EvalError> {
        SortKey::below(value, times, budget, COMPARED_DEPTH_MAX)
    }

    fn below(
        value: &Val<'b>,
        times: u64,
        budget: &mut Budget,
        levels: u32,
    ) -> Result<SortKey<'b>, EvalError> {
        let levels =
            levels.checked_sub(1).ok_or(EvalError::TooDeep { limit: COMPARED_DEPTH_MAX })?;
        budget.step(times)?;
        budget.allocate(VAL_BYTES)?;
        let text = |text: &Text<'b>, budget: &mut Budget| {
            budget.read(text.len().saturating_mul(times as usize))?;
            Ok::<_, EvalError>(text.clone())
        };
        Ok(match value {
            Val::Null => SortKey::Null,
            Val::Bool(value) => SortKey::Bool(*value),
            Val::Text(value) => SortKey::Text(text(value, budget)?),
            Val::Type(value) => SortKey::Type(*value),
            Val::List(list) => {
                let mut keys = Vec::new();
                for item in list.iter() {
                    keys.push(SortKey::below(&item, times, budget, levels)?);
                }
                SortKey::List(keys)
            }
            Val::Map(map) => {
                let mut keys = Vec::new();
                for (key, value) in map.entries(budget)? {
                    let key = text(&key, budget)?;
                    keys.push((key, SortKey::below(&value, times, budget, levels)?));
                }
                SortKey::Map(keys)
            }
            Val::Int(value) => SortKey::Number(Num::Int(*value)),
            Val::Uint(value) => SortKey::Number(Num::Uint(*value)),
            Val::Double(value) => SortKey::Number(Num::Double(*value)),
        })
    }

    /// Values of one kind compare; kinds come in the order of the variants.
    pub(super) fn kind(&self) -> u8 {
        match self {
            SortKey::Null => 0,
            SortKey::Bool(_) => 1,
            SortKey::Number(_) => 2,
            SortKey::Text(_) => 3,
            SortKey::Type(_) => 4,
            SortKey::List(_) => 5,
            SortKey::Map(_) => 6,
        }
    }
}

impl Ord for SortKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (SortKey::Bool(a), SortKey::Bool(b)) => a.cmp(b),
            (SortKey::Number(a), SortKey::Number(b)) => a.order(*b),
            (SortKey::Text(a), SortKey::Text(b)) => a.cmp(b),
            (SortKey::Type(a), SortKey::Type(b)) => a.cmp(b),
            (SortKey::List(a), SortKey::List(b)) => a.cmp(b),
            (SortKey::Map(a), SortKey::Map(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

impl PartialOrd for SortKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SortKey<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SortKey<'_> {}
