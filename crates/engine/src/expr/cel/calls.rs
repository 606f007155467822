//! Calls and what stands between brackets: functions, macros, the two forms that do not evaluate
//! their argument as a value (`has`, `default`), lists and maps. Part of the parser.

use super::super::error::CompileError;
use super::ast::{Each, Expr, Kind, Macro, Root};
use super::functions::Function;
use super::lexer;
use super::parser::{Parser, Part, is_literal};

impl Parser<'_> {
    /// `target.name(`, the bracket taken.
    pub(super) fn method(&mut self, at: usize, name: &str, target: Expr) -> Part {
        match Macro::of(name) {
            Some(what) => self.each(at, name, what, target),
            None => {
                let mut arguments = vec![target];
                self.list_until(")", &mut arguments)?;
                self.call(at, name, arguments)
            }
        }
    }

    fn each(&mut self, at: usize, name: &str, what: Macro, range: Expr) -> Part {
        let variable_at = self.offset();
        let expected = format!("a name for the element: `list.{name}(x, …)`");
        let variable = self.name(&expected)?;
        if Root::ALL.iter().any(|root| root.name() == variable) || is_literal(&variable) {
            return self.fail(variable_at, format!("`{variable}` has a meaning of its own here"));
        }
        if lexer::is_reserved(&variable) {
            return self.fail(variable_at, format!("`{variable}` is a reserved word"));
        }
        self.expect(",")?;
        self.locals.push(variable);
        let mut body = self.expr()?;
        let mut filter = None;
        if what == Macro::Map && self.take(",") {
            filter = Some(std::mem::replace(&mut body, self.expr()?));
        }
        self.locals.pop();
        self.expect(")")?;
        self.node(at, Kind::Each(Box::new(Each { what, range, filter, body })))
    }

    fn call(&mut self, at: usize, name: &str, mut arguments: Vec<Expr>) -> Part {
        let given = arguments.len();
        let counted = |count: &str| {
            let message = format!("`{name}` takes {count}, not {given}");
            CompileError::at(self.source, at, message)
        };
        if name == "default" {
            let (Some(fallback), Some(value), None) =
                (arguments.pop(), arguments.pop(), arguments.pop())
            else {
                return Err(counted("a value and a fallback"));
            };
            return self.node(at, Kind::Default(Box::new((value, fallback))));
        }
        let Some(function) = Function::of(name) else {
            let hint = match name {
                "matches" => "; compare with contains, startsWith or endsWith",
                "has" => "; write `has(a.b)`",
                _ => "",
            };
            return self.fail(at, format!("unknown function `{name}`{hint}"));
        };
        let (least, most) = function.arity();
        if given < least || given > most {
            let count = match (least, most) {
                (1, 1) => "1 argument".to_owned(),
                (least, most) if least == most => format!("{least} arguments"),
                (least, most) => format!("{least} to {most} arguments"),
            };
            return Err(counted(&count));
        }
        self.node(at, Kind::Call(function, arguments))
    }

    /// `name(`, the bracket taken.
    pub(super) fn global(&mut self, at: usize, name: &str) -> Part {
        if Macro::of(name).is_some() {
            let message = format!("`{name}` is called on a list: `list.{name}(x, …)`");
            return self.fail(at, message);
        }
        let mut arguments = Vec::new();
        self.list_until(")", &mut arguments)?;
        if name != "has" {
            return self.call(at, name, arguments);
        }
        match (arguments.pop(), arguments.is_empty()) {
            (Some(part), true) if matches!(part.kind, Kind::Field(..) | Kind::Slot(_)) => {
                self.node(at, Kind::Has(Box::new(part)))
            }
            _ => self.fail(at, "`has` takes one field: `has(data.articles)`"),
        }
    }

    /// Parts between commas up to a closing bracket, which is taken.
    pub(super) fn list_until(
        &mut self,
        close: &str,
        parts: &mut Vec<Expr>,
    ) -> Result<(), CompileError> {
        let first = parts.len();
        while !self.take(close) {
            if parts.len() > first {
                self.expect_either(",", close)?;
                if close == "]" && self.take(close) {
                    break;
                }
            }
            parts.push(self.expr()?);
        }
        Ok(())
    }

    pub(super) fn entries(&mut self) -> Result<Vec<(Expr, Expr)>, CompileError> {
        let mut entries = Vec::new();
        while !self.take("}") {
            if !entries.is_empty() {
                self.expect_either(",", "}")?;
                if self.take("}") {
                    break;
                }
            }
            let key = self.expr()?;
            self.expect(":")?;
            entries.push((key, self.expr()?));
        }
        Ok(entries)
    }
}
