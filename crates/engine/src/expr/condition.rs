//! Conditions: what must hold for a step to be done.

use serde_json::Value;

use super::budget::Budget;
use super::cel::Program;
use super::error::{CompileError, EvalError, Position};
use super::{References, Scope};

/// The end of a key of the object form: `{"sources_available": "> 0"}`.
const COUNTED: &str = "_available";

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {
    source: Value,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Literal(bool),
    Expression(Box<Program>),
    Counts(Vec<Count>),
}

/// One entry of the object form: `data.<name>` has so many elements.
#[derive(Debug)]
struct Count {
    name: String,
    comparison: Comparison,
    number: u64,
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longer signs stand before their prefixes.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Condition {
    /// Compiles a CEL expression, a boolean, or an object of counts. All mistakes are reported,
    /// each with a JSON pointer within `source`.
    pub fn compile(source: &Value) -> Result<Condition, Vec<(String, CompileError)>> {
        let form = match source {
            Value::Bool(value) => Form::Literal(*value),
            Value::String(text) => Form::Expression(Box::new(expression(text)?)),
            Value::Object(entries) if !entries.is_empty() => Form::Counts(counts(entries)?),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let message = "a condition is a CEL expression, true, false, or an object such as \
                               {\"sources_available\": \"> 0\"}";
                return Err(vec![(String::new(), CompileError::whole(message))]);
            }
        };
        Ok(Condition { source: source.clone(), form })
    }

    /// Whether the condition holds.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        match &self.form {
            Form::Literal(value) => Ok(*value),
            Form::Expression(program) => program.test(scope, &mut Budget::new()),
            Form::Counts(counts) => {
                for count in counts {
                    if !count.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// What the condition was compiled from.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// What the condition names.
    pub fn references(&self) -> References {
        match &self.form {
            Form::Literal(_) => References::default(),
            Form::Expression(program) => program.references().clone(),
            Form::Counts(counts) => References {
                data: counts.iter().map(|count| count.name.clone()).collect(),
                ..References::default()
            },
        }
    }
}

/// A leading `=`, as in mappings, does no harm.
fn expression(text: &str) -> Result<Program, Vec<(String, CompileError)>> {
    let bare = text.strip_prefix('=').unwrap_or(text);
    Program::compile_test(bare)
        .map_err(|error| vec![(String::new(), error.shifted(text.len() - bare.len()))])
}

fn counts(
    entries: &serde_json::Map<String, Value>,
) -> Result<Vec<Count>, Vec<(String, CompileError)>> {
    let mut counts = Vec::new();
    let mut errors = Vec::new();
    for (key, value) in entries {
        match count(key, value) {
            Ok(count) => counts.push(count),
            Err(error) => errors.push((super::mapping::pointer("", key), error)),
        }
    }
    if errors.is_empty() { Ok(counts) } else { Err(errors) }
}

fn count(key: &str, value: &Value) -> Result<Count, CompileError> {
    let Some(name) = key.strip_suffix(COUNTED).filter(|name| !name.is_empty()) else {
        let message = format!("the keys of this form are `<name>{COUNTED}`, not `{key}`");
        return Err(CompileError::whole(message));
    };
    let (comparison, number) = match value {
        Value::String(text) => comparison(text)?,
        Value::Number(number) => match number.as_u64() {
            Some(number) => (Comparison::Equal, number),
            None => return Err(no_comparison()),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(no_comparison());
        }
    };
    Ok(Count { name: name.to_owned(), comparison, number })
}

/// `> 0`; a number alone means equality.
fn comparison(text: &str) -> Result<(Comparison, u64), CompileError> {
    let trimmed = text.trim();
    let signed = COMPARISONS.iter().find_map(|(sign, comparison)| {
        trimmed.strip_prefix(sign).map(|number| (*comparison, number))
    });
    let (comparison, number) = signed.unwrap_or((Comparison::Equal, trimmed));
    let number = number.trim_start();
    number.parse().map(|number| (comparison, number)).map_err(|_| {
        let offset = text.trim_end().len() - number.len();
        CompileError { position: Some(Position::of(text, offset)), ..no_comparison() }
    })
}

fn no_comparison() -> CompileError {
    let message = "expected a comparison with a count such as \"> 0\"; \
                   the operators are >, >=, <, <=, == and !=";
    CompileError::whole(message)
}

impl Count {
    fn holds(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        let found = match scope.data.value(&self.name).as_deref() {
            None | Some(Value::Null) => 0,
            Some(Value::Array(items)) => items.len() as u64,
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                let message = format!("`data.{}` is to be counted and is no array", self.name);
                return Err(EvalError::Type { message });
            }
        };
        Ok(match self.comparison {
            Comparison::Equal => found == self.number,
            Comparison::NotEqual => found != self.number,
            Comparison::Less => found < self.number,
            Comparison::LessOrEqual => found <= self.number,
            Comparison::Greater => found > self.number,
            Comparison::GreaterOrEqual => found >= self.number,
        })
    }
}
