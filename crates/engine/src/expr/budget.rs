//! What one evaluation may still spend: steps, bytes on the way, bytes of its result. Shared by all
//! expressions of a mapping. Copies into the result are made here, so that none goes uncounted.

use std::io;

use serde_json::{Map, Number, Value};

use super::error::EvalError;
use super::{RESULT_BYTES_MAX, RESULT_DEPTH_MAX, SCRATCH_BYTES_MAX, STEPS_MAX};

/// Bytes of text that count as one step.
const BYTES_PER_STEP: usize = 32;

/// Memory for more items than this is taken only as they are paid for.
const RESERVED_ITEMS_MAX: usize = 1_024;

pub(super) struct Budget {
    steps: u64,
    scratch_bytes: u64,
    result_bytes: u64,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget {
            steps: STEPS_MAX,
            scratch_bytes: SCRATCH_BYTES_MAX as u64,
            result_bytes: RESULT_BYTES_MAX as u64,
        }
    }

    pub(super) fn step(&mut self, steps: u64) -> Result<(), EvalError> {
        spend(&mut self.steps, steps).ok_or(EvalError::TooLong { limit: STEPS_MAX })
    }

    /// Pays for looking at so many bytes of text.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.step((bytes / BYTES_PER_STEP) as u64)
    }

    /// Pays for bytes that the evaluation allocates, and for the time to write them.
    pub(super) fn allocate(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.read(bytes)?;
        self.reserve(bytes)
    }

    /// Pays for bytes that are allocated, where writing them was paid for otherwise.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), EvalError> {
        let spent = spend(&mut self.scratch_bytes, bytes as u64);
        spent.ok_or(EvalError::TooLarge { limit: SCRATCH_BYTES_MAX })
    }

    /// A copy of a value that becomes part of the result, `depth` levels below its top.
    pub(super) fn copy(&mut self, value: &Value, depth: u32) -> Result<Value, EvalError> {
        match value {
            Value::Null => self.result_null(),
            Value::Bool(value) => self.result_bool(*value),
            Value::Number(number) => self.result_number(number.clone()),
            Value::String(text) => self.result_text(text),
            Value::Array(items) => self.result_array(items.len(), depth, |budget, index| {
                budget.copy(&items[index], depth + 1)
            }),
            Value::Object(fields) => {
                self.result_container(depth, fields.len())?;
                let mut copy = Map::new();
                for (key, value) in fields {
                    let key = self.result_key(key)?;
                    copy.insert(key, self.copy(value, depth + 1)?);
                }
                Ok(Value::Object(copy))
            }
        }
    }

    pub(super) fn result_null(&mut self) -> Result<Value, EvalError> {
        self.result(4)?;
        Ok(Value::Null)
    }

    pub(super) fn result_bool(&mut self, value: bool) -> Result<Value, EvalError> {
        self.result(if value { 4 } else { 5 })?;
        Ok(Value::Bool(value))
    }

    pub(super) fn result_number(&mut self, number: Number) -> Result<Value, EvalError> {
        self.result(written(&number))?;
        Ok(Value::Number(number))
    }

    pub(super) fn result_text(&mut self, text: &str) -> Result<Value, EvalError> {
        self.result(quoted(text))?;
        Ok(Value::String(text.to_owned()))
    }

    /// A key of an object, with its colon.
    pub(super) fn result_key(&mut self, key: &str) -> Result<String, EvalError> {
        self.result(quoted(key) + 1)?;
        Ok(key.to_owned())
    }

    pub(super) fn result_array(
        &mut self,
        len: usize,
        depth: u32,
        mut item: impl FnMut(&mut Budget, usize) -> Result<Value, EvalError>,
    ) -> Result<Value, EvalError> {
        self.result_container(depth, len)?;
        let mut items = Vec::with_capacity(len.min(RESERVED_ITEMS_MAX));
        for index in 0..len {
            items.push(item(self, index)?);
        }
        Ok(Value::Array(items))
    }

    /// Pays for the brackets and commas of an array or object.
    pub(super) fn result_container(&mut self, depth: u32, len: usize) -> Result<(), EvalError> {
        if depth >= RESULT_DEPTH_MAX {
            return Err(EvalError::TooDeep { limit: RESULT_DEPTH_MAX });
        }
        self.result(len.saturating_add(1).max(2))
    }

    fn result(&mut self, bytes: usize) -> Result<(), EvalError> {
        let spent = spend(&mut self.result_bytes, bytes as u64);
        spent.ok_or(EvalError::TooLarge { limit: RESULT_BYTES_MAX })
    }
}

/// What cannot be paid leaves nothing: a limit that was met stays met.
fn spend(left: &mut u64, amount: u64) -> Option<()> {
    let rest = left.checked_sub(amount);
    *left = rest.unwrap_or(0);
    rest.map(|_| ())
}

/// The length of a text as JSON, quotes and escapes included.
fn quoted(text: &str) -> usize {
    let escapes: usize = text.bytes().map(escaped_extra).sum();
    text.len() + escapes + 2
}

fn escaped_extra(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0A | 0x0C | 0x0D => 1,
        0x00..=0x1F => 5,
        _ => 0,
    }
}

/// The length of a number as JSON.
fn written(number: &Number) -> usize {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, number).expect("counting bytes cannot fail");
    length.0
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_pays_exactly_what_its_json_takes() {
        let values = [
            json!(null),
            json!([]),
            json!({}),
            json!([[], {}, [1, -2, 3.5, 1e300, u64::MAX]]),
            json!({"a": "tab\tquote\"\u{1}é\u{7f}", "b": {"c": [true, false]}}),
        ];
        for value in values {
            let mut budget = Budget::new();
            assert_eq!(budget.copy(&value, 0), Ok(value.clone()));
            let paid = RESULT_BYTES_MAX as u64 - budget.result_bytes;
            assert_eq!(paid, serde_json::to_string(&value).unwrap().len() as u64, "{value}");
        }
    }

    #[test]
    fn what_is_used_up_ends_the_evaluation() {
        let mut budget = Budget::new();
        assert_eq!(budget.step(STEPS_MAX), Ok(()));
        assert_eq!(budget.step(1), Err(EvalError::TooLong { limit: STEPS_MAX }));
        let mut budget = Budget::new();
        assert_eq!(budget.step(STEPS_MAX + 1), Err(EvalError::TooLong { limit: STEPS_MAX }));
        assert_eq!(budget.step(1), Err(EvalError::TooLong { limit: STEPS_MAX }));
        let too_large = budget.copy(&json!("x".repeat(RESULT_BYTES_MAX)), 0);
        assert_eq!(too_large, Err(EvalError::TooLarge { limit: RESULT_BYTES_MAX }));
    }

    #[test]
    fn a_result_is_nested_only_so_deep() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let deepest = nested(RESULT_DEPTH_MAX);
        assert_eq!(Budget::new().copy(&deepest, 0), Ok(deepest));
        let deeper = Budget::new().copy(&nested(RESULT_DEPTH_MAX + 1), 0);
        assert_eq!(deeper, Err(EvalError::TooDeep { limit: RESULT_DEPTH_MAX }));
    }
}
