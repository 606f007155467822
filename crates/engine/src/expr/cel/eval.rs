//! Walks a compiled expression. Every part costs a step, so an evaluation ends; recursion is as
//! deep as the tree, whose depth the parser bounds.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::super::budget::Budget;
use super::super::error::{EvalError, Position};
use super::super::{Document, Scope};
use super::ast::{Each, Expr, Kind, Macro, Operator, Root, Slot};
use super::compare;
use super::number::Num;
use super::value::{List, Map, Text, Trouble, Val, push};

/// The parts of the documents that an evaluation has asked for, kept while values borrow from them.
pub(super) struct Fetched<'a> {
    slots: Vec<OnceCell<Option<Cow<'a, Value>>>>,
    data: OnceCell<BTreeMap<String, Cow<'a, Value>>>,
    steps: OnceCell<BTreeMap<String, Cow<'a, Value>>>,
}

impl Fetched<'_> {
    pub(super) fn new(slots: usize) -> Self {
        let slots = (0..slots).map(|_| OnceCell::new()).collect();
        Fetched { slots, data: OnceCell::new(), steps: OnceCell::new() }
    }
}

/// One evaluation. `'a` is the life of the scope's documents, `'b` that of the values.
pub(super) struct Machine<'a, 'b, 'm> {
    pub(super) source: &'b str,
    pub(super) slots: &'b [Slot],
    pub(super) scope: &'b Scope<'a>,
    pub(super) fetched: &'b Fetched<'a>,
    pub(super) locals: Vec<Val<'b>>,
    pub(super) budget: &'m mut Budget,
}

type Result<'b> = std::result::Result<Val<'b>, EvalError>;

impl<'a: 'b, 'b> Machine<'a, 'b, '_> {
    pub(super) fn eval(&mut self, expr: &'b Expr) -> Result<'b> {
        self.budget.step(1)?;
        match &expr.kind {
            Kind::Null => Ok(Val::Null),
            Kind::Bool(value) => Ok(Val::Bool(*value)),
            Kind::Int(value) => Ok(Val::Int(*value)),
            Kind::Uint(value) => Ok(Val::Uint(*value)),
            Kind::Double(value) => Ok(Val::Double(*value)),
            Kind::Text(text) => Ok(Val::Text(Text::Lent(text))),
            Kind::Type(known) => Ok(Val::Type(*known)),
            Kind::Root(root) => self.root(*root),
            Kind::Slot(slot) => self.slot(expr, *slot),
            Kind::Local(local, _) => Ok(self.locals[*local].clone()),
            Kind::Field(of, name) => self.field(expr, of, name),
            Kind::Index(pair) => self.index(expr, &pair.0, &pair.1),
            Kind::Has(part) => self.has(part),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Not(part) => Ok(Val::Bool(!self.bool(part, "`!`")?)),
            Kind::Negate(part) => self.negate(expr, part),
            Kind::And(parts) => self.logic(parts, false),
            Kind::Or(parts) => self.logic(parts, true),
            Kind::Binary(operator, pair) => self.binary(expr, *operator, &pair.0, &pair.1),
            Kind::Conditional(parts) => {
                let chosen = if self.bool(&parts.0, "`?`")? { &parts.1 } else { &parts.2 };
                self.eval(chosen)
            }
            Kind::Default(pair) => self.default(&pair.0, &pair.1),
            Kind::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.eval(argument)?);
                }
                let result = function.call(&values, self.budget);
                result.map_err(|trouble| self.place(expr, trouble))
            }
            Kind::Each(each) => self.each(expr, each),
        }
    }

    fn root(&mut self, root: Root) -> Result<'b> {
        let found = match root {
            Root::Data => Some(self.whole(self.scope.data, &self.fetched.data)?),
            Root::Steps => Some(self.whole(self.scope.steps, &self.fetched.steps)?),
            Root::Request => Some(Val::of(self.scope.request)),
            Root::Item => self.scope.item.map(|(item, _)| Val::of(item)),
            Root::Index => {
                let index = self.scope.item.map(|(_, index)| index);
                index.map(|index| i64::try_from(index).map_or(Val::Uint(index), Val::Int))
            }
            Root::Output => self.scope.output.map(Val::of),
        };
        found.ok_or_else(|| EvalError::Missing { path: root.name().to_owned() })
    }

    fn whole(
        &mut self,
        document: &'a dyn Document,
        kept: &'b OnceCell<BTreeMap<String, Cow<'a, Value>>>,
    ) -> Result<'b> {
        let fields = kept.get_or_init(|| {
            let fetch = |key: String| document.value(&key).map(|value| (key.clone(), value));
            document.keys().into_iter().filter_map(fetch).collect()
        });
        self.budget.step(fields.len() as u64)?;
        Ok(Val::Map(Map::Document(fields)))
    }

    fn slot(&mut self, expr: &Expr, index: usize) -> Result<'b> {
        let slot = &self.slots[index];
        let document = if slot.of_steps { self.scope.steps } else { self.scope.data };
        let value = self.fetched.slots[index].get_or_init(|| match &slot.field {
            None => document.value(&slot.key),
            Some(field) => document.field(&slot.key, field),
        });
        match value {
            Some(value) => Ok(Val::of(value)),
            None => {
                let mut path = self.path(expr);
                let whole_is_missing = || document.value(&slot.key).is_none();
                if let Some(field) = slot.field.as_deref().filter(|_| whole_is_missing()) {
                    path.truncate(path.len() - segment(field).len());
                }
                Err(EvalError::Missing { path })
            }
        }
    }

    fn field(&mut self, expr: &Expr, of: &'b Expr, name: &str) -> Result<'b> {
        let found = match self.eval(of)? {
            Val::Map(map) => map.field(name),
            // What is null has no fields yet: the field is as absent as the rest of it.
            Val::Null => None,
            other => {
                let found = other.type_of().name();
                let message = format!("a value of type {found} has no field `{name}`");
                return Err(self.place(expr, Trouble::Type(message)));
            }
        };
        found.ok_or_else(|| EvalError::Missing { path: self.path(expr) })
    }

    fn index(&mut self, expr: &Expr, of: &'b Expr, key: &'b Expr) -> Result<'b> {
        let value = self.eval(of)?;
        let key = self.eval(key)?;
        let place = Num::of(&key).and_then(Num::to_index);
        let found = match (&value, &key, place) {
            (Val::List(list), _, Some(at)) => usize::try_from(at).ok().and_then(|at| list.at(at)),
            (Val::Map(map), Val::Text(name), _) => map.field(name),
            (Val::Null, ..) => None,
            _ => {
                let (of, by) = (value.type_of().name(), key.type_of().name());
                let message = format!("a value of type {of} has no element for a key of type {by}");
                return Err(self.place(expr, Trouble::Type(message)));
            }
        };
        found.ok_or_else(|| EvalError::Missing { path: self.path(expr) })
    }

    fn has(&mut self, part: &'b Expr) -> Result<'b> {
        match self.eval(part) {
            Ok(_) => Ok(Val::Bool(true)),
            Err(EvalError::Missing { .. }) => Ok(Val::Bool(false)),
            Err(error) => Err(error),
        }
    }

    fn default(&mut self, value: &'b Expr, fallback: &'b Expr) -> Result<'b> {
        match self.eval(value) {
            Ok(Val::Null) | Err(EvalError::Missing { .. }) => self.eval(fallback),
            found => found,
        }
    }

    fn list(&mut self, parts: &'b [Expr]) -> Result<'b> {
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            let item = self.eval(part)?;
            push(&mut items, item, self.budget)?;
        }
        Val::list(items)
    }

    fn map(&mut self, parts: &'b [(Expr, Expr)]) -> Result<'b> {
        let mut entries = Vec::with_capacity(parts.len());
        for (key, value) in parts {
            let Val::Text(name) = self.eval(key)? else {
                let message = "the keys of a map are strings, as in JSON".to_owned();
                return Err(self.place(key, Trouble::Type(message)));
            };
            if entries.iter().any(|(other, _)| *other == name) {
                let message = format!("the key `{}` stands twice in a map", &*name);
                return Err(self.place(key, Trouble::Failed(message)));
            }
            self.budget.step(entries.len() as u64)?;
            entries.push((name, self.eval(value)?));
        }
        Val::map(entries, self.budget)
    }

    fn negate(&mut self, expr: &Expr, part: &'b Expr) -> Result<'b> {
        let value = self.eval(part)?;
        let negated = match Num::of(&value) {
            Some(number) => number.negate().map(Val::from),
            None => {
                let found = value.type_of().name();
                Err(Trouble::Type(format!("`-` takes a number, not {found}")))
            }
        };
        negated.map_err(|trouble| self.place(expr, trouble))
    }

    fn binary(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &'b Expr,
        right: &'b Expr,
    ) -> Result<'b> {
        let left = self.eval(left)?;
        let right = self.eval(right)?;
        let result = compare::binary(operator, &left, &right, self.budget);
        result.map_err(|trouble| self.place(expr, trouble))
    }

    /// `&&` and `||`: one decisive part decides, even where another one fails.
    fn logic(&mut self, parts: &'b [Expr], decisive: bool) -> Result<'b> {
        let sign = if decisive { "`||`" } else { "`&&`" };
        let mut failed = None;
        for part in parts {
            match self.bool(part, sign) {
                Ok(value) if value == decisive => return Ok(Val::Bool(decisive)),
                Ok(_) => {}
                Err(error) if error.is_limit() => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    fn bool(&mut self, expr: &'b Expr, by: &str) -> std::result::Result<bool, EvalError> {
        match self.eval(expr)? {
            Val::Bool(value) => Ok(value),
            other => {
                let message = format!("{by} takes a bool, not {}", other.type_of().name());
                Err(self.place(expr, Trouble::Type(message)))
            }
        }
    }

    fn each(&mut self, expr: &'b Expr, each: &'b Each) -> Result<'b> {
        let items: List<'b> = match self.eval(&each.range)? {
            Val::List(list) => list,
            Val::Map(map) => {
                let mut keys = Vec::new();
                for (key, _) in map.entries(self.budget)? {
                    push(&mut keys, Val::Text(key), self.budget)?;
                }
                match Val::list(keys)? {
                    Val::List(list) => list,
                    other => return Ok(other),
                }
            }
            other => {
                let found = other.type_of().name();
                let message = format!("only lists and maps have elements, not {found}");
                return Err(self.place(expr, Trouble::Type(message)));
            }
        };
        match each.what {
            Macro::All => self.quantify(&items, each, false),
            Macro::Exists => self.quantify(&items, each, true),
            Macro::ExistsOne => self.exists_one(&items, each),
            Macro::Filter => self.filter(&items, each),
            Macro::Map => self.transform(&items, each),
        }
    }

    fn with_element<T>(
        &mut self,
        element: Val<'b>,
        body: impl FnOnce(&mut Self) -> std::result::Result<T, EvalError>,
    ) -> std::result::Result<T, EvalError> {
        self.budget.step(1)?;
        self.locals.push(element);
        let result = body(self);
        self.locals.pop();
        result
    }

    /// `all` and `exists`: an element that decides does so even where another one fails.
    fn quantify(&mut self, items: &List<'b>, each: &'b Each, decisive: bool) -> Result<'b> {
        let mut failed = None;
        for item in items.iter() {
            match self.with_element(item, |machine| machine.bool(&each.body, "a macro")) {
                Ok(value) if value == decisive => return Ok(Val::Bool(decisive)),
                Ok(_) => {}
                Err(error) if error.is_limit() => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Val::Bool(!decisive)), Err)
    }

    fn exists_one(&mut self, items: &List<'b>, each: &'b Each) -> Result<'b> {
        let mut found = 0_usize;
        for item in items.iter() {
            let holds = self.with_element(item, |machine| machine.bool(&each.body, "a macro"))?;
            found += usize::from(holds);
        }
        Ok(Val::Bool(found == 1))
    }

    fn filter(&mut self, items: &List<'b>, each: &'b Each) -> Result<'b> {
        let mut kept = Vec::new();
        for item in items.iter() {
            let keep = |machine: &mut Self| machine.bool(&each.body, "a macro");
            if self.with_element(item.clone(), keep)? {
                push(&mut kept, item, self.budget)?;
            }
        }
        Val::list(kept)
    }

    fn transform(&mut self, items: &List<'b>, each: &'b Each) -> Result<'b> {
        let mut made = Vec::new();
        for item in items.iter() {
            let result = self.with_element(item, |machine| {
                let wanted = match &each.filter {
                    Some(filter) => machine.bool(filter, "a macro")?,
                    None => true,
                };
                if wanted { machine.eval(&each.body).map(Some) } else { Ok(None) }
            })?;
            if let Some(result) = result {
                push(&mut made, result, self.budget)?;
            }
        }
        Val::list(made)
    }

    fn place(&self, expr: &Expr, trouble: Trouble) -> EvalError {
        let at = Position::of(self.source, expr.at);
        match trouble {
            Trouble::Type(message) => EvalError::Type { message: format!("{message} (at {at})") },
            Trouble::Failed(message) => {
                EvalError::Failed { message: format!("{message} (at {at})") }
            }
            Trouble::Final(error) => error,
        }
    }

    /// How a part of a document is written, for a message.
    fn path(&self, expr: &Expr) -> String {
        match &expr.kind {
            Kind::Root(root) => root.name().to_owned(),
            Kind::Local(_, name) => name.clone(),
            Kind::Slot(slot) => {
                let slot = &self.slots[*slot];
                let root = if slot.of_steps { Root::Steps } else { Root::Data };
                let field = slot.field.as_deref().map(segment).unwrap_or_default();
                format!("{}{}{field}", root.name(), segment(&slot.key))
            }
            Kind::Field(of, name) => format!("{}{}", self.path(of), segment(name)),
            Kind::Index(pair) => match pair.1.kind {
                Kind::Int(index) => format!("{}[{index}]", self.path(&pair.0)),
                _ => format!("{}[…]", self.path(&pair.0)),
            },
            _ => "(…)".to_owned(),
        }
    }
}

/// `.name`, or `["a key"]` where the key is no name.
fn segment(name: &str) -> String {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        format!(".{name}")
    } else {
        format!("[{}]", Value::from(name))
    }
}
