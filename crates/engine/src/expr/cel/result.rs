//! Values to JSON. Ints stay ints and doubles stay doubles; the fields of an object come sorted.

use serde_json::{Map, Number, Value};

use super::super::budget::Budget;
use super::super::error::EvalError;
use super::value::{self, Val};

/// The value as JSON that becomes part of a result, `depth` levels below its top.
pub(super) fn to_json(
    value: &Val<'_>,
    budget: &mut Budget,
    depth: u32,
) -> Result<Value, EvalError> {
    match value {
        Val::Null => budget.result_null(),
        Val::Bool(value) => budget.result_bool(*value),
        Val::Int(value) => budget.result_number(Number::from(*value)),
        Val::Uint(value) => budget.result_number(Number::from(*value)),
        Val::Double(value) => match Number::from_f64(*value) {
            Some(number) => budget.result_number(number),
            None => {
                let message = format!("the result {value} has no form in JSON");
                Err(EvalError::Failed { message })
            }
        },
        Val::Text(text) => budget.result_text(text),
        Val::List(value::List::Lent(items)) => {
            budget.result_array(items.len(), depth, |budget, index| {
                budget.copy(&items[index], depth + 1)
            })
        }
        Val::List(list) => {
            let items: Vec<Val<'_>> = list.iter().collect();
            budget.result_array(items.len(), depth, |budget, index| {
                to_json(&items[index], budget, depth + 1)
            })
        }
        Val::Map(map) => {
            budget.result_container(depth, map.len())?;
            let mut object = Map::new();
            for (key, value) in map.iter() {
                let key = budget.result_key(&key)?;
                object.insert(key, to_json(&value, budget, depth + 1)?);
            }
            Ok(Value::Object(object))
        }
        Val::Type(known) => budget.result_text(known.name()),
    }
}
