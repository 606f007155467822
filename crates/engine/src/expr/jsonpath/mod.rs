//! JSONPath (RFC 9535) in mappings. `serde_json_path` parses and evaluates; this module decides
//! what a query is given, so that nothing is copied but what it selects, and bounds its work.
//!
//! - A query of names and indices only is walked here. It gives the value, and a missing one is an
//!   error that names the first part that is absent.
//! - Any other query gives the array of its nodes. One that begins with a name is evaluated on that
//!   key's value alone; one whose filters read the root again, on a root of the keys that it names;
//!   only a query that begins otherwise (`$..url`, `$[*]`) needs the whole of `data`.
//! - Before an evaluation a bound on its work is computed from the query's shape and the size of
//!   what it is given, and paid for as steps ([`bound`]).
//! - Brackets are limited when the path is compiled, and `match` and `search` are refused: the
//!   library compiles their pattern anew for every node, at up to milliseconds each ([`scan`]).

mod bound;
mod scan;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::budget::Budget;
use super::error::{CompileError, EvalError};
use super::mapping::MappingRoot;
use super::{Document, References, SOURCE_BYTES_MAX, Scope};
use bound::Size;
use scan::{Query, Segment};

/// A compiled path.
#[derive(Debug)]
pub(super) struct Path {
    root: MappingRoot,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Names and indices only.
    Singular(Vec<Segment>),
    Nodes {
        path: JsonPath,
        shape: Query,
        given: Given,
    },
}

/// What a query is evaluated on.
#[derive(Debug)]
enum Given {
    /// The value of one key of `data`: the path is what remains after that name.
    Key(String),
    /// An object of these keys of `data`.
    Keys(BTreeSet<String>),
    /// The whole root.
    All,
}

impl Path {
    pub(super) fn compile(source: &str, root: MappingRoot) -> Result<Path, CompileError> {
        if source.len() > SOURCE_BYTES_MAX {
            let message = format!("the path is longer than {SOURCE_BYTES_MAX} bytes");
            return Err(CompileError::whole(message));
        }
        scan::check(source)?;
        let path = parse(source)?;
        let (mut shape, first_end) = scan::query(source)?;
        let singular = |segment: &Segment| matches!(segment, Segment::Name(_) | Segment::Index(_));
        if shape.segments.iter().all(singular) {
            return Ok(Path { root, form: Form::Singular(shape.segments) });
        }
        let given = given(&shape, root);
        let path = if let Given::Key(_) = given {
            shape.segments.remove(0);
            parse(&format!("${}", &source[first_end..]))?
        } else {
            path
        };
        Ok(Path { root, form: Form::Nodes { path, shape, given } })
    }

    pub(super) fn references(&self) -> References {
        let mut references = References::default();
        if self.root == MappingRoot::Output {
            return references;
        }
        match &self.form {
            Form::Singular(segments) => match segments.first() {
                Some(Segment::Name(name)) => {
                    references.data.insert(name.clone());
                }
                Some(Segment::Index(_) | Segment::Many(_)) | None => references.all_data = true,
            },
            Form::Nodes { given: Given::Key(name), .. } => {
                references.data.insert(name.clone());
            }
            Form::Nodes { given: Given::Keys(names), .. } => references.data.clone_from(names),
            Form::Nodes { given: Given::All, .. } => references.all_data = true,
        }
        references
    }

    /// What the path selects, `depth` levels below the top of a result.
    pub(super) fn eval(
        &self,
        scope: &Scope<'_>,
        budget: &mut Budget,
        depth: u32,
    ) -> Result<Value, EvalError> {
        match (&self.form, self.root) {
            (Form::Singular(segments), MappingRoot::Output) => {
                let found = walk(output(scope)?, segments, 0, budget)?;
                budget.copy(found, depth)
            }
            (Form::Singular(segments), MappingRoot::Data) => match segments.split_first() {
                None => copy_all(scope.data, budget, depth),
                Some((Segment::Name(name), _)) => {
                    let missing = || EvalError::Missing { path: scan::written(&segments[..1]) };
                    let value = scope.data.value(name).ok_or_else(missing)?;
                    let found = walk(&value, segments, 1, budget)?;
                    budget.copy(found, depth)
                }
                Some((Segment::Index(_) | Segment::Many(_), _)) => {
                    Err(EvalError::Missing { path: scan::written(&segments[..1]) })
                }
            },
            (Form::Nodes { path, shape, .. }, MappingRoot::Output) => {
                nodes(path, shape, output(scope)?, budget, depth)
            }
            (Form::Nodes { path, shape, given }, MappingRoot::Data) => {
                let root = match given {
                    Given::Key(name) => match scope.data.value(name) {
                        Some(value) => value,
                        None => return budget.result_array(0, depth, |_, _| Ok(Value::Null)),
                    },
                    Given::Keys(names) => Cow::Owned(part(scope.data, names.iter(), budget)?),
                    Given::All => Cow::Owned(part(scope.data, scope.data.keys().iter(), budget)?),
                };
                nodes(path, shape, &root, budget, depth)
            }
        }
    }
}

fn parse(source: &str) -> Result<JsonPath, CompileError> {
    JsonPath::parse(source).map_err(|error| {
        let offset = error.position();
        let next = source.get(offset..).and_then(|rest| rest.chars().next());
        let reason = reason(error.message(), next);
        let message = format!("not a JSONPath: {reason}; a text begins with `$$`");
        CompileError::at(source, offset, message)
    })
}

/// The parser's own words are kept where it has some.
fn reason(message: &str, next: Option<char>) -> String {
    let said = message.rsplit_once(", ").map_or(message, |(_, said)| said);
    if said.starts_with("must start with") {
        "a name begins with a letter or `_`".to_owned()
    } else if said == "parser error" {
        next.map_or_else(|| "it ends too early".to_owned(), |next| format!("unexpected {next:?}"))
    } else {
        said.to_owned()
    }
}

fn given(shape: &Query, root: MappingRoot) -> Given {
    let Some(Segment::Name(first)) = shape.segments.first() else { return Given::All };
    if root == MappingRoot::Output {
        return Given::All;
    }
    let mut roots = Vec::new();
    shape.absolute_queries(&mut roots);
    if roots.is_empty() {
        return Given::Key(first.clone());
    }
    let mut keys = BTreeSet::from([first.clone()]);
    for root in roots {
        match root.segments.first() {
            Some(Segment::Name(name)) => keys.insert(name.clone()),
            Some(Segment::Index(_) | Segment::Many(_)) | None => return Given::All,
        };
    }
    Given::Keys(keys)
}

fn output<'a>(scope: &Scope<'a>) -> Result<&'a Value, EvalError> {
    scope.output.ok_or_else(|| EvalError::Missing { path: "$".to_owned() })
}

/// Follows names and indices from the segment `from` on.
fn walk<'v>(
    mut value: &'v Value,
    segments: &[Segment],
    from: usize,
    budget: &mut Budget,
) -> Result<&'v Value, EvalError> {
    for (place, segment) in segments.iter().enumerate().skip(from) {
        budget.step(1)?;
        let next = match segment {
            Segment::Name(name) => value.as_object().and_then(|fields| fields.get(name)),
            Segment::Index(index) => value.as_array().and_then(|items| element(items, *index)),
            Segment::Many(_) => None,
        };
        let missing = || EvalError::Missing { path: scan::written(&segments[..=place]) };
        value = next.ok_or_else(missing)?;
    }
    Ok(value)
}

/// A negative index counts from the end.
fn element(items: &[Value], index: i64) -> Option<&Value> {
    let from_end = || items.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    let place = if index < 0 { from_end() } else { usize::try_from(index).ok() };
    items.get(place?)
}

fn nodes(
    path: &JsonPath,
    shape: &Query,
    root: &Value,
    budget: &mut Budget,
    depth: u32,
) -> Result<Value, EvalError> {
    let size = Size::of(root, budget)?;
    budget.step(shape.steps(&size))?;
    let nodes = path.query(root).all();
    budget.result_array(nodes.len(), depth, |budget, index| budget.copy(nodes[index], depth + 1))
}

/// `$` alone: the whole of `data`.
fn copy_all(data: &dyn Document, budget: &mut Budget, depth: u32) -> Result<Value, EvalError> {
    let mut object = serde_json::Map::new();
    let mut keys = data.keys();
    keys.sort();
    budget.result_container(depth, keys.len())?;
    for key in keys {
        if let Some(value) = data.value(&key) {
            let copy = budget.copy(&value, depth + 1)?;
            object.insert(budget.result_key(&key)?, copy);
        }
    }
    Ok(Value::Object(object))
}

/// An object of some keys of `data`, copied and paid for.
fn part<'k>(
    data: &dyn Document,
    keys: impl Iterator<Item = &'k String>,
    budget: &mut Budget,
) -> Result<Value, EvalError> {
    let mut object = serde_json::Map::new();
    for key in keys {
        if let Some(value) = data.value(key) {
            let size = Size::of(&value, budget)?;
            budget.reserve(size.bytes())?;
            object.insert(key.clone(), value.into_owned());
        }
    }
    Ok(Value::Object(object))
}
