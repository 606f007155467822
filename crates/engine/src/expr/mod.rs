//! Expressions: the conditions and mappings of a template.
//!
//! Owns how they are written, compiled and evaluated, and the limits of both. A compiled
//! expression is a pure function of its [`Scope`]: no I/O, no clock, no randomness, and maps are
//! walked in the order of their keys, so the same scope gives the same bytes everywhere. It must
//! not know what an execution or a step is: the caller brings documents and values.
//!
//! Two languages, both described for users in `docs/expressions.md`:
//! - **JSONPath** (RFC 9535) in mappings: `"$.sources[*].url"`. Parsed and evaluated by
//!   `serde_json_path`, behind a bound on its work that is computed before each evaluation
//!   (module `jsonpath`).
//! - **CEL** in conditions and mappings: `"=size(data.articles)"`. Parsed and evaluated here
//!   (module `cel`), on the shared JSON documents themselves: nothing is converted or copied but
//!   the result, every step and every allocated byte is counted, and the depth of the parser is
//!   bounded. The `cel` crate offers none of that (no interrupt, no step or size limit, maps
//!   iterated in `HashMap` order, a parser whose stack use grows with the source), so it serves as
//!   the oracle of the tests instead: what it accepts and computes, this module computes alike.
//!
//! # Limits
//! Source length, nesting, steps, allocated bytes, size and depth of the result: the constants
//! below. A limit that is met when publishing is a [`CompileError`]; one that is met when
//! evaluating is an [`EvalError`] with the code `expression.limit`, which no operator can absorb.

mod budget;
mod cel;
mod condition;
mod error;
mod jsonpath;
mod mapping;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

pub use condition::Condition;
pub use error::{CompileError, EvalError, EvalErrorAt, Position};
pub use mapping::{Mapping, MappingRoot};

/// The longest source of one expression.
pub const SOURCE_BYTES_MAX: usize = 4 * 1024;
/// How deep the tree of one CEL expression may be: `1 + 1 + 1` has three levels.
pub const EXPRESSION_DEPTH_MAX: u32 = 64;
/// How deep brackets, calls and conditionals of one CEL expression may stand within each other.
/// Within it, parsing and evaluating take about 128 KiB of stack (512 KiB in unoptimized code).
pub const EXPRESSION_BRACKETS_MAX: u32 = 32;
/// How deep brackets may stand within each other in one JSONPath.
pub const JSONPATH_BRACKETS_MAX: usize = 8;
/// How deep objects and arrays of a mapping may stand within each other.
pub const MAPPING_DEPTH_MAX: usize = 16;
/// How many values (fields, elements, objects and arrays) a mapping may have.
pub const MAPPING_VALUES_MAX: usize = 2_000;
/// How many steps the evaluation of one condition or one whole mapping may take. A step is a part
/// of an expression evaluated, an element visited, 32 bytes of text looked at, or 4 nodes that a
/// JSONPath query could visit.
pub const STEPS_MAX: u64 = 1_000_000;
/// How many bytes one evaluation may allocate on the way to its result.
pub const SCRATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest result of one condition or one whole mapping, as compact JSON.
pub const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deep a result may be nested. A journal row wraps a result in a few levels more, and is read
/// back by a parser that refuses more than 128.
pub const RESULT_DEPTH_MAX: u32 = 64;
/// How deep lists and maps made by an expression may be nested.
pub const MADE_DEPTH_MAX: u32 = 32;
/// How deep values are compared and sorted.
pub const COMPARED_DEPTH_MAX: u32 = 192;

/// What an expression reads from.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The document visible to the step, by top-level key.
    pub data: &'a dyn Document,
    /// The steps visible to the step, by name: objects with `status`, `output`, `error`,
    /// `attempts`, `cost_usd`, `duration_ms`.
    pub steps: &'a dyn Document,
    /// The request that started the execution.
    pub request: &'a Value,
    /// The element of a map and its index: the variables `item` and `index`.
    pub item: Option<(&'a Value, u64)>,
    /// The step's own raw result: the variable `output`, in output mappings.
    pub output: Option<&'a Value>,
}

/// A JSON object whose values are shared with whoever keeps them.
pub trait Document {
    /// The value of a top-level key.
    fn value(&self, key: &str) -> Option<Cow<'_, Value>>;

    /// All top-level keys, in any order.
    fn keys(&self) -> Vec<String>;

    /// One field of the object at a key. Worth overriding where [`Document::value`] puts the object
    /// together from parts that it could lend.
    fn field(&self, key: &str, field: &str) -> Option<Cow<'_, Value>> {
        match self.value(key)? {
            Cow::Borrowed(value) => value.get(field).map(Cow::Borrowed),
            Cow::Owned(Value::Object(mut object)) => object.remove(field).map(Cow::Owned),
            Cow::Owned(_) => None,
        }
    }
}

impl Document for serde_json::Map<String, Value> {
    fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        self.get(key).map(Cow::Borrowed)
    }

    fn keys(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

impl Document for BTreeMap<String, Arc<Value>> {
    fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        self.get(key).map(|value| Cow::Borrowed(value.as_ref()))
    }

    fn keys(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// What an expression names, known without evaluating it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Top-level keys of `data`.
    pub data: BTreeSet<String>,
    /// Whether `data` is read as a whole as well.
    pub all_data: bool,
    /// Names of steps.
    pub steps: BTreeSet<String>,
    /// Whether `steps` is read as a whole as well.
    pub all_steps: bool,
    /// Whether `item` or `index` is read.
    pub element: bool,
}

impl References {
    fn extend(&mut self, other: &References) {
        self.data.extend(other.data.iter().cloned());
        self.steps.extend(other.steps.iter().cloned());
        self.all_data |= other.all_data;
        self.all_steps |= other.all_steps;
        self.element |= other.element;
    }
}
