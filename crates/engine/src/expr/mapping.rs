//! Mappings: what a step is sent, and what goes from its output into `data`.

use serde_json::{Map, Value};

use super::budget::Budget;
use super::cel::Program;
use super::error::{CompileError, EvalError, EvalErrorAt};
use super::jsonpath::Path;
use super::{MAPPING_DEPTH_MAX, MAPPING_VALUES_MAX, References, Scope};

/// What `$` stands for in the JSONPaths of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappingRoot {
    /// `data`: in input mappings, and in transforms.
    Data,
    /// The step's own raw result: in output mappings, which also know the variable `output`.
    Output,
}

/// A compiled mapping.
#[derive(Debug)]
pub struct Mapping {
    source: Value,
    root: Part,
    references: References,
}

#[derive(Debug)]
enum Part {
    Literal(Value),
    Path(Box<Path>),
    Expression(Box<Program>),
    Array(Vec<Part>),
    Object(Vec<(String, Part)>),
}

impl Mapping {
    /// Compiles any JSON value. All mistakes are reported, each with a JSON pointer within
    /// `source`.
    pub fn compile(
        source: &Value,
        root: MappingRoot,
    ) -> Result<Mapping, Vec<(String, CompileError)>> {
        let mut compiler =
            Compiler { root, values: 0, references: References::default(), errors: Vec::new() };
        let part = compiler.part(source, "", 0);
        if !compiler.errors.is_empty() {
            return Err(compiler.errors);
        }
        Ok(Mapping { source: source.clone(), root: part, references: compiler.references })
    }

    /// The value that the mapping has in a scope.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, EvalErrorAt> {
        self.root.eval(scope, &mut Budget::new(), 0)
    }

    /// What the mapping was compiled from.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// What the expressions of the mapping name.
    pub fn references(&self) -> &References {
        &self.references
    }
}

struct Compiler {
    root: MappingRoot,
    values: usize,
    references: References,
    errors: Vec<(String, CompileError)>,
}

impl Compiler {
    fn part(&mut self, source: &Value, at: &str, depth: usize) -> Part {
        self.values += 1;
        if self.values == MAPPING_VALUES_MAX + 1 {
            self.refuse(at, format!("a mapping has at most {MAPPING_VALUES_MAX} values"));
        }
        if self.values > MAPPING_VALUES_MAX {
            return Part::Literal(Value::Null);
        }
        match source {
            Value::Null | Value::Bool(_) | Value::Number(_) => Part::Literal(source.clone()),
            Value::String(text) => self.text(text, at),
            Value::Array(_) | Value::Object(_) if depth >= MAPPING_DEPTH_MAX => {
                self.refuse(at, format!("nested deeper than {MAPPING_DEPTH_MAX} levels"));
                Part::Literal(Value::Null)
            }
            Value::Array(items) => Part::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.part(item, &format!("{at}/{index}"), depth + 1))
                    .collect(),
            ),
            Value::Object(fields) => Part::Object(
                fields
                    .iter()
                    .map(|(key, value)| {
                        (key.clone(), self.part(value, &pointer(at, key), depth + 1))
                    })
                    .collect(),
            ),
        }
    }

    fn text(&mut self, text: &str, at: &str) -> Part {
        if let Some(literal) = text.strip_prefix('=').filter(|rest| rest.starts_with('=')) {
            return Part::Literal(literal.into());
        }
        if let Some(literal) = text.strip_prefix('$').filter(|rest| rest.starts_with('$')) {
            return Part::Literal(literal.into());
        }
        let compiled = if let Some(expression) = text.strip_prefix('=') {
            self.expression(expression).map_err(|error| error.shifted(1))
        } else if text.starts_with('$') {
            self.path(text)
        } else {
            return Part::Literal(text.into());
        };
        compiled.unwrap_or_else(|error| {
            self.errors.push((at.to_owned(), error));
            Part::Literal(Value::Null)
        })
    }

    fn expression(&mut self, source: &str) -> Result<Part, CompileError> {
        let program = Program::compile(source, self.root == MappingRoot::Output)?;
        self.references.extend(program.references());
        Ok(Part::Expression(Box::new(program)))
    }

    fn path(&mut self, source: &str) -> Result<Part, CompileError> {
        let path = Path::compile(source, self.root)?;
        self.references.extend(&path.references());
        Ok(Part::Path(Box::new(path)))
    }

    fn refuse(&mut self, at: &str, message: String) {
        self.errors.push((at.to_owned(), CompileError::whole(message)));
    }
}

impl Part {
    fn eval(
        &self,
        scope: &Scope<'_>,
        budget: &mut Budget,
        depth: u32,
    ) -> Result<Value, EvalErrorAt> {
        let here = |error: EvalError| EvalErrorAt { pointer: String::new(), error };
        match self {
            Part::Literal(value) => budget.copy(value, depth).map_err(here),
            Part::Path(path) => path.eval(scope, budget, depth).map_err(here),
            Part::Expression(program) => program.eval(scope, budget, depth).map_err(here),
            Part::Array(parts) => {
                budget.result_container(depth, parts.len()).map_err(here)?;
                let mut items = Vec::with_capacity(parts.len());
                for (index, part) in parts.iter().enumerate() {
                    let item = part.eval(scope, budget, depth + 1);
                    items.push(item.map_err(|error| below(&index.to_string(), error))?);
                }
                Ok(Value::Array(items))
            }
            Part::Object(parts) => {
                budget.result_container(depth, parts.len()).map_err(here)?;
                let mut fields = Map::new();
                for (key, part) in parts {
                    let name = budget.result_key(key).map_err(here)?;
                    let value = part.eval(scope, budget, depth + 1);
                    fields.insert(name, value.map_err(|error| below(key, error))?);
                }
                Ok(Value::Object(fields))
            }
        }
    }
}

/// The error of a part, seen from the object or array around it.
fn below(key: &str, error: EvalErrorAt) -> EvalErrorAt {
    EvalErrorAt { pointer: pointer("", key) + &error.pointer, ..error }
}

/// A JSON pointer (RFC 6901) to a key of what another pointer names.
pub(super) fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}
