//! Functions on texts. Positions and sizes count characters (Unicode code points), as in CEL.

use super::super::budget::Budget;
use super::functions::Arguments;
use super::value::{Text, Trouble, Val, push};

type Result<'b> = std::result::Result<Val<'b>, Trouble>;

pub(super) fn string<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let text = match &arguments.values[0] {
        Val::Text(text) => return Ok(Val::Text(text.clone())),
        Val::Bool(value) => value.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Uint(value) => value.to_string(),
        Val::Double(value) => value.to_string(),
        other => return arguments.unexpected(0, "a string, a number or a bool", other),
    };
    Ok(Val::text(text, budget)?)
}

pub(super) fn contains<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (text, part) = (arguments.text(0)?, arguments.text(1)?);
    budget.read(text.len() + part.len())?;
    Ok(Val::Bool(text.contains(part)))
}

pub(super) fn starts_with<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (text, part) = (arguments.text(0)?, arguments.text(1)?);
    budget.read(part.len())?;
    Ok(Val::Bool(text.starts_with(part)))
}

pub(super) fn ends_with<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (text, part) = (arguments.text(0)?, arguments.text(1)?);
    budget.read(part.len())?;
    Ok(Val::Bool(text.ends_with(part)))
}

pub(super) fn lower<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let text = arguments.text(0)?;
    budget.allocate(text.len())?;
    Ok(Val::text(text.to_lowercase(), budget)?)
}

pub(super) fn upper<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let text = arguments.text(0)?;
    budget.allocate(text.len())?;
    Ok(Val::text(text.to_uppercase(), budget)?)
}

pub(super) fn trim<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    Ok(Val::text(arguments.text(0)?.trim().to_owned(), budget)?)
}

pub(super) fn split<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (text, separator) = (arguments.text(0)?, arguments.text(1)?);
    budget.allocate(text.len())?;
    let mut parts = Vec::new();
    if separator.is_empty() {
        for part in text.chars() {
            push(&mut parts, Val::Text(Text::Made(part.to_string().into())), budget)?;
        }
    } else {
        for part in text.split(separator) {
            push(&mut parts, Val::Text(Text::Made(part.into())), budget)?;
        }
    }
    Ok(Val::list(parts)?)
}

pub(super) fn replace<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let (text, from, to) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    if from.is_empty() {
        return arguments.fail("cannot replace an empty string");
    }
    budget.read(text.len())?;
    let found = text.matches(from).count();
    budget.allocate(found.saturating_mul(to.len()).saturating_add(text.len()))?;
    Ok(Val::Text(Text::Made(text.replace(from, to).into())))
}

/// From one character up to another, or to the end; both within the text.
pub(super) fn substring<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let text = arguments.text(0)?;
    budget.read(text.len())?;
    let offset = |count: usize| {
        let starts = text.char_indices().map(|(at, _)| at);
        starts.chain([text.len()]).nth(count)
    };
    let from = offset(arguments.count(1)?);
    let to =
        if arguments.values.len() > 2 { offset(arguments.count(2)?) } else { Some(text.len()) };
    match (from, to) {
        (Some(from), Some(to)) if from <= to => Ok(Val::text(text[from..to].to_owned(), budget)?),
        _ => arguments.fail("goes beyond the string"),
    }
}

pub(super) fn join<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<'b> {
    let list = arguments.list(0)?;
    let separator = if arguments.values.len() > 1 { arguments.text(1)? } else { "" };
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        budget.step(1)?;
        let Val::Text(item) = item else {
            return arguments.unexpected(0, "a list of strings", &item);
        };
        if index > 0 {
            budget.allocate(separator.len())?;
            joined.push_str(separator);
        }
        budget.allocate(item.len())?;
        joined.push_str(&item);
    }
    Ok(Val::Text(Text::Made(joined.into())))
}
