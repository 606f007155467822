//! What the tests of expressions share: a scope over plain JSON, and one-line evaluation.
#![allow(dead_code)] // each test binary uses a part of it

use std::borrow::Cow;

use engine::expr::{
    CompileError, Condition, Document, EvalError, EvalErrorAt, Mapping, MappingRoot, Scope,
};
use serde_json::{Map, Value, json};

/// Everything that an expression can read from.
pub struct World {
    pub data: Map<String, Value>,
    pub steps: Map<String, Value>,
    pub request: Value,
    pub item: Option<(Value, u64)>,
    pub output: Option<Value>,
}

impl World {
    pub fn new(data: Value) -> World {
        let Value::Object(data) = data else { panic!("data is an object") };
        World { data, steps: Map::new(), request: json!({}), item: None, output: None }
    }

    pub fn scope(&self) -> Scope<'_> {
        Scope {
            data: &self.data,
            steps: &self.steps,
            request: &self.request,
            item: self.item.as_ref().map(|(item, index)| (item, *index)),
            output: self.output.as_ref(),
        }
    }

    pub fn eval(&self, mapping: Value, root: MappingRoot) -> Result<Value, EvalErrorAt> {
        let mapping = Mapping::compile(&mapping, root).unwrap_or_else(|errors| {
            panic!("{mapping}: {}", first(&errors));
        });
        mapping.eval(&self.scope())
    }

    /// The value of a CEL expression or a JSONPath in an input mapping.
    pub fn value(&self, source: &str) -> Result<Value, EvalError> {
        self.eval(json!(source), MappingRoot::Data).map_err(|error| error.error)
    }

    pub fn holds(&self, condition: Value) -> Result<bool, EvalError> {
        let condition = Condition::compile(&condition).unwrap_or_else(|errors| {
            panic!("{condition}: {}", first(&errors));
        });
        condition.eval(&self.scope())
    }
}

/// What the tables of tests read from.
pub fn table_world() -> World {
    let mut world = World::new(json!({
        "n": 3, "f": 3.0, "half": 2.5, "big": u64::MAX, "neg": -7, "zero": 0,
        "name": "Ada", "empty": [], "nothing": null, "yes": true,
        "list": [3, 1, 2],
        "words": ["b", "a", "b"],
        "articles": [
            {"id": "a", "score": 0.5, "url": "u1", "tags": ["x", "y"], "m": {"k": 2}},
            {"id": "b", "score": 0.9, "url": "u2", "tags": [], "m": {"k": 1}},
            {"id": "c", "score": 0.5, "url": "u1", "tags": ["z"]},
        ],
        "map": {"zeta": 1, "alpha": 2, "mid": 3},
        "a-key": {"b c": 1},
    }));
    world.steps = serde_json::from_value(json!({
        "fetch": {"status": "succeeded", "attempts": 2, "output": {"items": [1, 2]}, "error": null},
    }))
    .unwrap();
    world.request = json!({"topic": "AI", "max_articles": 10});
    world.item = Some((json!({"url": "i"}), 4));
    world
}

fn first(errors: &[(String, CompileError)]) -> String {
    errors.first().map(|(pointer, error)| format!("{pointer} {error}")).unwrap_or_default()
}

/// So many cases of a property; a failure is printed with its smallest input, and not filed.
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() }
}

/// The only mistake of an input mapping, or of a condition, of one expression.
pub fn mistake(source: &str) -> CompileError {
    let mut errors = Mapping::compile(&json!(source), MappingRoot::Data)
        .err()
        .unwrap_or_else(|| panic!("{source} compiles"));
    assert_eq!(errors.len(), 1, "{source}: {errors:?}");
    errors.remove(0).1
}

/// A document that counts how often each key is asked for, and lends nothing that it can make.
pub struct Watched {
    pub inner: Map<String, Value>,
    pub asked: std::cell::RefCell<Vec<String>>,
}

impl Watched {
    pub fn new(inner: Value) -> Watched {
        let Value::Object(inner) = inner else { panic!("a document is an object") };
        Watched { inner, asked: Default::default() }
    }
}

impl Document for Watched {
    fn value(&self, key: &str) -> Option<Cow<'_, Value>> {
        self.asked.borrow_mut().push(key.to_owned());
        self.inner.get(key).cloned().map(Cow::Owned)
    }

    fn keys(&self) -> Vec<String> {
        self.asked.borrow_mut().push("*".to_owned());
        self.inner.keys().cloned().collect()
    }

    fn field(&self, key: &str, field: &str) -> Option<Cow<'_, Value>> {
        self.asked.borrow_mut().push(format!("{key}/{field}"));
        self.inner.get(key)?.get(field).map(Cow::Borrowed)
    }
}
