//! Functions on lists and maps. Orders are stable and never depend on how a map is stored.

use std::cmp::Ordering;

use super::super::budget::Budget;
use super::ast::Operator;
use super::compare::{SortKey, comparisons, joined};
use super::functions::Arguments;
use super::number::{Num, arithmetic};
use super::value::{List, Trouble, Val, push};

type Result<'b> = std::result::Result<Val<'b>, Trouble>;

/// One level: what is no list among the items is kept.
pub(super) fn flatten<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let mut items = Vec::new();
    for item in arguments.list(0)?.iter() {
        if let Val::List(inner) = &item {
            budget.step(1)?;
            for item in inner.iter() {
                push(&mut items, item, budget)?;
            }
        } else {
            push(&mut items, item, budget)?;
        }
    }
    Ok(Val::list(items)?)
}

pub(super) fn distinct<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let list = arguments.list(0)?;
    let times = comparisons(list.len());
    let mut keyed = Vec::new();
    for (index, item) in list.iter().enumerate() {
        keyed.push((SortKey::of(&item, times, budget)?, index));
    }
    kept(list, firsts(keyed), budget)
}

/// Items without the field cannot repeat each other: all are kept.
pub(super) fn distinct_by<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (list, field) = (arguments.list(0)?, arguments.text(1)?);
    let times = comparisons(list.len());
    let mut keyed = Vec::new();
    let mut keep = Vec::new();
    for (index, item) in list.iter().enumerate() {
        match at_field(&item, field, budget)? {
            Some(value) => keyed.push((SortKey::of(&value, times, budget)?, index)),
            None => keep.push(index),
        }
    }
    keep.extend(firsts(keyed));
    keep.sort_unstable();
    kept(list, keep, budget)
}

/// The places at which a key is met for the first time, in order.
fn firsts(mut keyed: Vec<(SortKey<'_>, usize)>) -> Vec<usize> {
    keyed.sort();
    keyed.dedup_by(|later, first| later.0 == first.0);
    let mut firsts: Vec<usize> = keyed.into_iter().map(|(_, index)| index).collect();
    firsts.sort_unstable();
    firsts
}

fn kept<'b>(list: &List<'b>, places: Vec<usize>, budget: &mut Budget) -> Result<'b> {
    let mut items = Vec::new();
    for item in places.into_iter().filter_map(|place| list.at(place)) {
        push(&mut items, item, budget)?;
    }
    Ok(Val::list(items)?)
}

/// The value of a field; a dot in its name goes into an object. Null counts as absent.
fn at_field<'b>(
    item: &Val<'b>,
    field: &str,
    budget: &mut Budget,
) -> std::result::Result<Option<Val<'b>>, Trouble> {
    let mut value = item.clone();
    for name in field.split('.') {
        budget.step(1)?;
        let Val::Map(map) = &value else { return Ok(None) };
        let Some(inner) = map.field(name) else { return Ok(None) };
        value = inner;
    }
    Ok(Some(value).filter(|value| !matches!(value, Val::Null)))
}

pub(super) fn concat<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let mut lists = Vec::new();
    for index in 0..arguments.values.len() {
        lists.push(arguments.list(index)?);
    }
    Ok(joined(&lists, budget)?)
}

pub(super) fn take<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (list, count) = (arguments.list(0)?, arguments.count(1)?);
    kept(list, (0..count.min(list.len())).collect(), budget)
}

pub(super) fn reverse<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let list = arguments.list(0)?;
    kept(list, (0..list.len()).rev().collect(), budget)
}

pub(super) fn sort<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let list = arguments.list(0)?;
    let times = comparisons(list.len());
    let mut keyed = Vec::new();
    for (index, item) in list.iter().enumerate() {
        keyed.push((SortKey::of(&item, times, budget)?, index));
    }
    same_kind(arguments, &keyed)?;
    keyed.sort();
    kept(list, keyed.into_iter().map(|(_, index)| index).collect(), budget)
}

/// Items with the same value keep their order; those without the field come last.
pub(super) fn sort_by<'b>(
    arguments: &Arguments<'_, 'b>,
    budget: &mut Budget,
    descending: bool,
) -> Result<'b> {
    let (list, field) = (arguments.list(0)?, arguments.text(1)?);
    let times = comparisons(list.len());
    let mut keyed = Vec::new();
    let mut without = Vec::new();
    for (index, item) in list.iter().enumerate() {
        match at_field(&item, field, budget)? {
            Some(value) => keyed.push((SortKey::of(&value, times, budget)?, index)),
            None => without.push(index),
        }
    }
    same_kind(arguments, &keyed)?;
    keyed.sort_by(|a, b| if descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    let places = keyed.into_iter().map(|(_, index)| index).chain(without).collect();
    kept(list, places, budget)
}

/// A mixture has no order that anyone would expect.
fn same_kind(
    arguments: &Arguments<'_, '_>,
    keyed: &[(SortKey<'_>, usize)],
) -> std::result::Result<(), Trouble> {
    let mut kinds = keyed.iter().map(|(key, _)| key.kind());
    match kinds.next() {
        Some(first) if kinds.any(|kind| kind != first) => {
            arguments.fail("is given values that cannot be compared with each other")
        }
        Some(_) | None => Ok(()),
    }
}

/// Fields of later maps replace those of earlier ones; not deeply.
pub(super) fn merge<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let mut entries = Vec::new();
    for index in 0..arguments.values.len() {
        entries.extend(arguments.map(index)?.entries(budget)?);
    }
    Ok(Val::map(entries, budget)?)
}

pub(super) fn keys<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let mut items = Vec::new();
    for (key, _) in arguments.map(0)?.entries(budget)? {
        push(&mut items, Val::Text(key), budget)?;
    }
    Ok(Val::list(items)?)
}

/// The values in the order of their keys.
pub(super) fn values<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let mut items = Vec::new();
    for (_, value) in arguments.map(0)?.entries(budget)? {
        push(&mut items, value, budget)?;
    }
    Ok(Val::list(items)?)
}

pub(super) fn sum<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    total(arguments, budget).map(Val::from)
}

pub(super) fn average<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let count = arguments.list(0)?.len();
    if count == 0 {
        return arguments.fail("is given an empty list");
    }
    Ok(Val::Double(total(arguments, budget)?.to_f64() / count as f64))
}

fn total(arguments: &Arguments<'_, '_>, budget: &mut Budget) -> std::result::Result<Num, Trouble> {
    let mut total = Num::Int(0);
    for item in arguments.list(0)?.iter() {
        budget.step(1)?;
        let Some(number) = Num::of(&item) else {
            return arguments.unexpected(0, "a list of numbers", &item);
        };
        total = arithmetic(Operator::Add, total, number)?;
    }
    Ok(total)
}

/// The first of the least or greatest items.
pub(super) fn extreme<'b>(
    arguments: &Arguments<'_, 'b>,
    budget: &mut Budget,
    wanted: Ordering,
) -> Result<'b> {
    let mut found: Option<(SortKey<'b>, Val<'b>)> = None;
    for item in arguments.list(0)?.iter() {
        let key = SortKey::of(&item, 1, budget)?;
        found = match found {
            Some((best, _)) if best.kind() != key.kind() => {
                return arguments.fail("is given values that cannot be compared with each other");
            }
            Some(best) if key.cmp(&best.0) != wanted => Some(best),
            Some(_) | None => Some((key, item)),
        };
    }
    match found {
        Some((_, item)) => Ok(item),
        None => arguments.fail("is given an empty list"),
    }
}
