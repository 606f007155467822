//! CEL: the parts of the Common Expression Language that make sense on JSON, compiled and evaluated
//! within limits.
//!
//! Kept from the specification: operators and their precedence, literals (ints, uints, doubles,
//! strings), `has`, the macros `all`, `exists`, `exists_one`, `filter` and `map`, the absorption of
//! errors by a decisive part of `&&`, `||`, `all` and `exists`, conversions, `size`, `contains`,
//! `startsWith`, `endsWith`, `type`. An expression that the `cel` crate accepts and computes on
//! JSON gives the same result here (a property test compares the two).
//!
//! Left out: bytes, timestamps and durations, regular expressions, messages, optionals, map keys
//! other than strings, and names that shadow a root.
//!
//! Wider than the specification, where it would answer with an error: numbers of different types
//! mix in arithmetic; `has(a.b.c)` is false when `a.b` is absent; a function may be called as
//! `f(x, y)` and as `x.f(y)`; `default(value, fallback)`.

mod ast;
mod calls;
mod compare;
mod eval;
mod functions;
mod lexer;
mod lists;
mod number;
mod parser;
mod result;
mod texts;
mod value;

use serde_json::Value;

use super::budget::Budget;
use super::error::{CompileError, EvalError, Position};
use super::{References, SOURCE_BYTES_MAX, Scope};
use ast::{Expr, Kind, Operator, Slot, Type};
use eval::{Fetched, Machine};
use value::Val;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program {
    source: String,
    expr: Expr,
    slots: Vec<Slot>,
    references: References,
}

impl Program {
    /// Compiles an expression. `output_known`: whether it may name `output`.
    pub(super) fn compile(source: &str, output_known: bool) -> Result<Program, CompileError> {
        if source.len() > SOURCE_BYTES_MAX {
            let message = format!("the expression is longer than {SOURCE_BYTES_MAX} bytes");
            return Err(CompileError::whole(message));
        }
        let parsed = parser::parse(source, output_known)?;
        Ok(Program {
            source: source.to_owned(),
            expr: parsed.expr,
            slots: parsed.slots,
            references: parsed.references,
        })
    }

    /// Compiles an expression that must be true or false; it may not name `output`.
    pub(super) fn compile_test(source: &str) -> Result<Program, CompileError> {
        let program = Program::compile(source, false)?;
        match always(&program.expr) {
            Some(other) if other != Type::Bool => {
                let message =
                    format!("a condition is true or false; this is of type {}", other.name());
                Err(CompileError::at(source, program.expr.at, message))
            }
            Some(_) | None => Ok(program),
        }
    }

    pub(super) fn references(&self) -> &References {
        &self.references
    }

    /// The value as JSON, `depth` levels below the top of a result.
    pub(super) fn eval(
        &self,
        scope: &Scope<'_>,
        budget: &mut Budget,
        depth: u32,
    ) -> Result<Value, EvalError> {
        let fetched = Fetched::new(self.slots.len());
        let value = self.machine(scope, &fetched, budget).eval(&self.expr)?;
        result::to_json(&value, budget, depth)
    }

    /// The value of a condition.
    pub(super) fn test(&self, scope: &Scope<'_>, budget: &mut Budget) -> Result<bool, EvalError> {
        let fetched = Fetched::new(self.slots.len());
        match self.machine(scope, &fetched, budget).eval(&self.expr)? {
            Val::Bool(value) => Ok(value),
            other => {
                let at = Position::of(&self.source, self.expr.at);
                let found = other.type_of().name();
                let message =
                    format!("a condition is true or false, not of type {found} (at {at})");
                Err(EvalError::Type { message })
            }
        }
    }

    fn machine<'a: 'b, 'b, 'm>(
        &'b self,
        scope: &'b Scope<'a>,
        fetched: &'b Fetched<'a>,
        budget: &'m mut Budget,
    ) -> Machine<'a, 'b, 'm> {
        let (source, slots) = (&self.source, &self.slots);
        Machine { source, slots, scope, fetched, locals: Vec::new(), budget }
    }
}

/// The type that an expression has whatever it reads, where that is plain to see.
fn always(expr: &Expr) -> Option<Type> {
    match &expr.kind {
        Kind::Null => Some(Type::Null),
        Kind::Int(_) => Some(Type::Int),
        Kind::Uint(_) => Some(Type::Uint),
        Kind::Double(_) => Some(Type::Double),
        Kind::Text(_) => Some(Type::Text),
        Kind::Type(_) => Some(Type::Meta),
        Kind::List(_) => Some(Type::List),
        Kind::Map(_) => Some(Type::Map),
        Kind::Call(function, _) => function.result(),
        Kind::Each(each) => match each.what {
            ast::Macro::Filter | ast::Macro::Map => Some(Type::List),
            ast::Macro::All | ast::Macro::Exists | ast::Macro::ExistsOne => Some(Type::Bool),
        },
        Kind::Binary(operator, _) => match operator {
            Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                Some(Type::Double)
            }
            Operator::Add => None,
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::In => Some(Type::Bool),
        },
        Kind::Bool(_) | Kind::Has(_) | Kind::Not(_) | Kind::And(_) | Kind::Or(_) => {
            Some(Type::Bool)
        }
        Kind::Negate(part) => always(part),
        Kind::Conditional(parts) => always(&parts.1).filter(|then| always(&parts.2) == Some(*then)),
        Kind::Root(_)
        | Kind::Slot(_)
        | Kind::Local(..)
        | Kind::Field(..)
        | Kind::Index(_)
        | Kind::Default(_) => None,
    }
}
