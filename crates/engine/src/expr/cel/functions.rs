//! The functions that an expression may call, with how many arguments they take. Each may be called
//! as `f(x, y)` or as `x.f(y)`. All are pure. Texts are in [`super::texts`], lists and maps in
//! [`super::lists`].

use super::super::budget::Budget;
use super::ast::Type;
use super::lists;
use super::number::Num;
use super::texts;
use super::value::{Trouble, Val};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    // Conversions.
    Int,
    Uint,
    Double,
    Text,
    Bool,
    TypeOf,
    // Texts.
    Contains,
    StartsWith,
    EndsWith,
    Lower,
    Upper,
    Trim,
    Split,
    Replace,
    Substring,
    Join,
    // Numbers.
    Round,
    Sum,
    Average,
    Least,
    Greatest,
    // Lists and maps.
    Flatten,
    Distinct,
    DistinctBy,
    Concat,
    Take,
    Reverse,
    Sort,
    SortBy,
    SortByDescending,
    Merge,
    Keys,
    Values,
}

/// A row of the table: function, name, least and most arguments, the type of its result where that
/// is always the same.
type Row = (Function, &'static str, usize, usize, Option<Type>);

/// How many lists `concat` and maps `merge` take at once.
const JOINED_MAX: usize = 16;

const TABLE: [Row; 34] = [
    (Function::Size, "size", 1, 1, Some(Type::Int)),
    (Function::Int, "int", 1, 1, Some(Type::Int)),
    (Function::Uint, "uint", 1, 1, Some(Type::Uint)),
    (Function::Double, "double", 1, 1, Some(Type::Double)),
    (Function::Text, "string", 1, 1, Some(Type::Text)),
    (Function::Bool, "bool", 1, 1, Some(Type::Bool)),
    (Function::TypeOf, "type", 1, 1, Some(Type::Meta)),
    (Function::Contains, "contains", 2, 2, Some(Type::Bool)),
    (Function::StartsWith, "startsWith", 2, 2, Some(Type::Bool)),
    (Function::EndsWith, "endsWith", 2, 2, Some(Type::Bool)),
    (Function::Lower, "lower", 1, 1, Some(Type::Text)),
    (Function::Upper, "upper", 1, 1, Some(Type::Text)),
    (Function::Trim, "trim", 1, 1, Some(Type::Text)),
    (Function::Split, "split", 2, 2, Some(Type::List)),
    (Function::Replace, "replace", 3, 3, Some(Type::Text)),
    (Function::Substring, "substring", 2, 3, Some(Type::Text)),
    (Function::Join, "join", 1, 2, Some(Type::Text)),
    (Function::Round, "round", 1, 2, None),
    (Function::Sum, "sum", 1, 1, None),
    (Function::Average, "avg", 1, 1, Some(Type::Double)),
    (Function::Least, "min", 1, 1, None),
    (Function::Greatest, "max", 1, 1, None),
    (Function::Flatten, "flatten", 1, 1, Some(Type::List)),
    (Function::Distinct, "distinct", 1, 1, Some(Type::List)),
    (Function::DistinctBy, "distinct_by", 2, 2, Some(Type::List)),
    (Function::Concat, "concat", 2, JOINED_MAX, Some(Type::List)),
    (Function::Take, "take", 2, 2, Some(Type::List)),
    (Function::Reverse, "reverse", 1, 1, Some(Type::List)),
    (Function::Sort, "sort", 1, 1, Some(Type::List)),
    (Function::SortBy, "sort_by", 2, 2, Some(Type::List)),
    (Function::SortByDescending, "sort_by_desc", 2, 2, Some(Type::List)),
    (Function::Merge, "merge", 2, JOINED_MAX, Some(Type::Map)),
    (Function::Keys, "keys", 1, 1, Some(Type::List)),
    (Function::Values, "values", 1, 1, Some(Type::List)),
];

impl Function {
    pub(super) fn of(name: &str) -> Option<Function> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The least and the most arguments.
    pub(super) fn arity(self) -> (usize, usize) {
        let row = self.row();
        (row.2, row.3)
    }

    /// The type of the result, where it is always the same.
    pub(super) fn result(self) -> Option<Type> {
        self.row().4
    }

    pub(super) fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.0 == self).expect("every function has a row of the table")
    }

    /// Calls the function. The parser has checked how many arguments there are.
    pub(super) fn call<'b>(
        self,
        arguments: &[Val<'b>],
        budget: &mut Budget,
    ) -> Result<Val<'b>, Trouble> {
        let arguments = Arguments { function: self, values: arguments };
        match self {
            Function::Size => size(&arguments, budget),
            Function::Int => int(&arguments),
            Function::Uint => uint(&arguments),
            Function::Double => double(&arguments),
            Function::Text => texts::string(&arguments, budget),
            Function::Bool => boolean(&arguments),
            Function::TypeOf => Ok(Val::Type(arguments.values[0].type_of())),
            Function::Contains => texts::contains(&arguments, budget),
            Function::StartsWith => texts::starts_with(&arguments, budget),
            Function::EndsWith => texts::ends_with(&arguments, budget),
            Function::Lower => texts::lower(&arguments, budget),
            Function::Upper => texts::upper(&arguments, budget),
            Function::Trim => texts::trim(&arguments, budget),
            Function::Split => texts::split(&arguments, budget),
            Function::Replace => texts::replace(&arguments, budget),
            Function::Substring => texts::substring(&arguments, budget),
            Function::Join => texts::join(&arguments, budget),
            Function::Round => round(&arguments),
            Function::Sum => lists::sum(&arguments, budget),
            Function::Average => lists::average(&arguments, budget),
            Function::Least => lists::extreme(&arguments, budget, std::cmp::Ordering::Less),
            Function::Greatest => lists::extreme(&arguments, budget, std::cmp::Ordering::Greater),
            Function::Flatten => lists::flatten(&arguments, budget),
            Function::Distinct => lists::distinct(&arguments, budget),
            Function::DistinctBy => lists::distinct_by(&arguments, budget),
            Function::Concat => lists::concat(&arguments, budget),
            Function::Take => lists::take(&arguments, budget),
            Function::Reverse => lists::reverse(&arguments, budget),
            Function::Sort => lists::sort(&arguments, budget),
            Function::SortBy => lists::sort_by(&arguments, budget, false),
            Function::SortByDescending => lists::sort_by(&arguments, budget, true),
            Function::Merge => lists::merge(&arguments, budget),
            Function::Keys => lists::keys(&arguments, budget),
            Function::Values => lists::values(&arguments, budget),
        }
    }
}

/// The arguments of one call, read by the type that the function wants.
pub(super) struct Arguments<'c, 'b> {
    function: Function,
    pub(super) values: &'c [Val<'b>],
}

impl<'b> Arguments<'_, 'b> {
    pub(super) fn text(&self, index: usize) -> Result<&str, Trouble> {
        match &self.values[index] {
            Val::Text(text) => Ok(text),
            other => self.unexpected(index, "a string", other),
        }
    }

    pub(super) fn list(&self, index: usize) -> Result<&super::value::List<'b>, Trouble> {
        match &self.values[index] {
            Val::List(list) => Ok(list),
            other => self.unexpected(index, "a list", other),
        }
    }

    pub(super) fn map(&self, index: usize) -> Result<&super::value::Map<'b>, Trouble> {
        match &self.values[index] {
            Val::Map(map) => Ok(map),
            other => self.unexpected(index, "a map", other),
        }
    }

    pub(super) fn number(&self, index: usize) -> Result<Num, Trouble> {
        let value = &self.values[index];
        Num::of(value).map_or_else(|| self.unexpected(index, "a number", value), Ok)
    }

    /// A whole number of at least 0; larger ones than fit count as the largest.
    pub(super) fn count(&self, index: usize) -> Result<usize, Trouble> {
        let found = self.number(index)?.to_i64();
        match found {
            Some(count) if count >= 0 => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
            _ => self.fail("takes a whole number of at least 0"),
        }
    }

    pub(super) fn fail<T>(&self, what: &str) -> Result<T, Trouble> {
        Err(Trouble::Failed(format!("`{}` {what}", self.function.name())))
    }

    pub(super) fn unexpected<T>(
        &self,
        index: usize,
        wanted: &str,
        found: &Val<'_>,
    ) -> Result<T, Trouble> {
        let (name, place) = (self.function.name(), index + 1);
        let found = found.type_of().name();
        Err(Trouble::Type(format!("argument {place} of `{name}` is {wanted}, not {found}")))
    }
}

fn size<'b>(arguments: &Arguments<'_, 'b>, budget: &mut Budget) -> Result<Val<'b>, Trouble> {
    let size = match &arguments.values[0] {
        Val::Text(text) => {
            budget.read(text.len())?;
            text.chars().count()
        }
        Val::List(list) => list.len(),
        Val::Map(map) => map.len(),
        other => return arguments.unexpected(0, "a list, a map or a string", other),
    };
    Ok(Val::count(size))
}

fn int<'b>(arguments: &Arguments<'_, 'b>) -> Result<Val<'b>, Trouble> {
    let value = &arguments.values[0];
    let converted = match (value, Num::of(value)) {
        (_, Some(number)) => number.to_i64(),
        (Val::Text(text), None) => text.parse().ok(),
        _ => return arguments.unexpected(0, "a number or a string", value),
    };
    converted.map_or_else(|| arguments.fail("is given what is no int"), |value| Ok(Val::Int(value)))
}

fn uint<'b>(arguments: &Arguments<'_, 'b>) -> Result<Val<'b>, Trouble> {
    let value = &arguments.values[0];
    let converted = match (value, Num::of(value)) {
        (_, Some(number)) => number.to_u64(),
        (Val::Text(text), None) => text.parse().ok(),
        _ => return arguments.unexpected(0, "a number or a string", value),
    };
    converted
        .map_or_else(|| arguments.fail("is given what is no uint"), |value| Ok(Val::Uint(value)))
}

fn double<'b>(arguments: &Arguments<'_, 'b>) -> Result<Val<'b>, Trouble> {
    let value = &arguments.values[0];
    let converted = match (value, Num::of(value)) {
        (_, Some(number)) => Some(number.to_f64()),
        (Val::Text(text), None) => text.parse().ok(),
        _ => return arguments.unexpected(0, "a number or a string", value),
    };
    converted.map_or_else(
        || arguments.fail("is given what is no number"),
        |value| Ok(Val::Double(value)),
    )
}

fn boolean<'b>(arguments: &Arguments<'_, 'b>) -> Result<Val<'b>, Trouble> {
    match &arguments.values[0] {
        Val::Bool(value) => Ok(Val::Bool(*value)),
        Val::Text(text) => match &**text {
            "true" | "True" | "TRUE" | "t" | "1" => Ok(Val::Bool(true)),
            "false" | "False" | "FALSE" | "f" | "0" => Ok(Val::Bool(false)),
            _ => arguments.fail("is given a string that is neither true nor false"),
        },
        other => arguments.unexpected(0, "a bool or a string", other),
    }
}

/// The most digits after the point that `round` keeps.
const ROUND_DIGITS_MAX: usize = 15;

/// Halves go away from zero. Whole numbers are kept as they are.
fn round<'b>(arguments: &Arguments<'_, 'b>) -> Result<Val<'b>, Trouble> {
    let digits = if arguments.values.len() > 1 { arguments.count(1)? } else { 0 };
    if digits > ROUND_DIGITS_MAX {
        return arguments.fail("keeps at most 15 digits");
    }
    match arguments.number(0)? {
        Num::Double(value) => {
            let scale = 10_f64.powi(digits as i32);
            let rounded = (value * scale).round() / scale;
            // A value too large to scale has no digits after the point.
            Ok(Val::Double(if rounded.is_finite() { rounded } else { value }))
        }
        whole => Ok(whole.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name_and_documented() {
        let page = include_str!("../../../../../docs/expressions.md");
        for (function, name, least, most, _) in TABLE {
            assert_eq!(Function::of(name), Some(function));
            assert!(least <= most);
            assert!(page.contains(&format!("`{name}(")), "{name} is not in docs/expressions.md");
        }
    }
}
