//! Tokens to a tree, by the grammar of the CEL specification without messages, optionals and bytes.
//! Resolves every name and checks every call, so that a mistake has a position when a template is
//! published. Recursion is bounded before it happens: by brackets, conditionals and macros while
//! parsing, and by the depth of the tree where operators only lean on each other.

use super::super::error::CompileError;
use super::super::{EXPRESSION_BRACKETS_MAX, EXPRESSION_DEPTH_MAX, References};
use super::ast::{Expr, Kind, Operator, RELATION, Root, Slot, Type};
use super::lexer::{self, Token};

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) expr: Expr,
    pub(super) slots: Vec<Slot>,
    pub(super) references: References,
}

pub(super) fn parse(source: &str, output_known: bool) -> Result<Parsed, CompileError> {
    let tokens = lexer::tokens(source)?;
    let mut parser = Parser {
        source,
        tokens,
        at: 0,
        nesting: 0,
        output_known,
        locals: Vec::new(),
        slots: Vec::new(),
        references: References::default(),
    };
    let expr = parser.expr()?;
    if *parser.peek() != Token::End {
        return parser.unexpected("an operator or the end");
    }
    for slot in &parser.slots {
        let names =
            if slot.of_steps { &mut parser.references.steps } else { &mut parser.references.data };
        names.insert(slot.key.clone());
    }
    Ok(Parsed { expr, slots: parser.slots, references: parser.references })
}

pub(super) type Part = Result<Expr, CompileError>;

pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    tokens: Vec<(usize, Token)>,
    at: usize,
    nesting: u32,
    output_known: bool,
    pub(super) locals: Vec<String>,
    slots: Vec<Slot>,
    references: References,
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Part {
        self.nesting += 1;
        if self.nesting > EXPRESSION_BRACKETS_MAX {
            let message =
                format!("brackets are nested deeper than {EXPRESSION_BRACKETS_MAX} levels");
            return self.fail(self.offset(), message);
        }
        let condition = self.or()?;
        let at = self.offset();
        let expr = if self.take("?") {
            let then = self.or()?;
            self.expect(":")?;
            let otherwise = self.expr()?;
            self.node(at, Kind::Conditional(Box::new((condition, then, otherwise))))?
        } else {
            condition
        };
        self.nesting -= 1;
        Ok(expr)
    }

    fn or(&mut self) -> Part {
        let at = self.offset();
        let mut parts = vec![self.and()?];
        while self.take("||") {
            parts.push(self.and()?);
        }
        self.join(at, parts, Kind::Or)
    }

    fn and(&mut self) -> Part {
        let at = self.offset();
        let mut parts = vec![self.binary(RELATION)?];
        while self.take("&&") {
            parts.push(self.binary(RELATION)?);
        }
        self.join(at, parts, Kind::And)
    }

    fn join(&self, at: usize, mut parts: Vec<Expr>, kind: fn(Vec<Expr>) -> Kind) -> Part {
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                self.node(at, kind(parts))
            }
        }
    }

    /// Operators that bind at least as tightly as `least`; those that bind alike, from the left.
    fn binary(&mut self, least: u8) -> Part {
        let mut left = self.unary()?;
        loop {
            let Token::Mark(mark) = self.peek() else { return Ok(left) };
            let Some((operator, binding)) = Operator::of(mark) else { return Ok(left) };
            if binding < least {
                return Ok(left);
            }
            let at = self.offset();
            self.at += 1;
            let right = self.binary(binding + 1)?;
            left = self.node(at, Kind::Binary(operator, Box::new((left, right))))?;
        }
    }

    fn unary(&mut self) -> Part {
        let at = self.offset();
        for (mark, wrap) in [("!", Kind::Not as fn(Box<Expr>) -> Kind), ("-", Kind::Negate)] {
            let mut count = 0_u32;
            while self.take(mark) {
                count += 1;
            }
            if count == 0 {
                continue;
            }
            let literal = if mark == "-" { self.negative_literal(at)? } else { None };
            let mut expr = match literal {
                Some(literal) => {
                    count -= 1;
                    self.postfix(literal)?
                }
                None => {
                    let primary = self.primary()?;
                    self.postfix(primary)?
                }
            };
            for _ in 0..count {
                expr = self.node(at, wrap(Box::new(expr)))?;
            }
            return Ok(expr);
        }
        let primary = self.primary()?;
        self.postfix(primary)
    }

    /// A minus belongs to the number after it, so that the least integer can be written.
    fn negative_literal(&mut self, at: usize) -> Result<Option<Expr>, CompileError> {
        let kind = match *self.peek() {
            Token::Int(magnitude) => match 0_i64.checked_sub_unsigned(magnitude) {
                Some(value) => Kind::Int(value),
                None => return self.fail(at, "the number is out of range of an int"),
            },
            Token::Double(magnitude) => Kind::Double(-magnitude),
            _ => return Ok(None),
        };
        self.at += 1;
        self.node(at, kind).map(Some)
    }

    fn postfix(&mut self, mut expr: Expr) -> Part {
        loop {
            let at = self.offset();
            if self.take(".") {
                let name = self.name("a field name after `.`")?;
                expr = if self.take("(") {
                    self.note_whole(&expr);
                    self.method(at, &name, expr)?
                } else {
                    self.member(at, expr, name)?
                };
            } else if self.take("[") {
                let key = self.expr()?;
                self.expect("]")?;
                expr = if let Kind::Text(name) = key.kind {
                    self.member(at, expr, name)?
                } else {
                    self.note_whole(&expr);
                    self.node(at, Kind::Index(Box::new((expr, key))))?
                };
            } else {
                self.note_whole(&expr);
                return Ok(expr);
            }
        }
    }

    /// A field of something. The first below `data` and the first two below `steps` become slots.
    fn member(&mut self, at: usize, of: Expr, name: String) -> Part {
        let Some(slot) = self.slot_of(&of, &name) else {
            return self.node(at, Kind::Field(Box::new(of), name));
        };
        let known = self.slots.iter().position(|other| *other == slot);
        let index = known.unwrap_or(self.slots.len());
        if known.is_none() {
            self.slots.push(slot);
        }
        self.node(of.at, Kind::Slot(index))
    }

    fn slot_of(&self, of: &Expr, name: &str) -> Option<Slot> {
        let slot = |of_steps, key: &str, field| Slot { of_steps, key: key.to_owned(), field };
        if let Kind::Root(Root::Data) = of.kind {
            return Some(slot(false, name, None));
        }
        if let Kind::Root(Root::Steps) = of.kind {
            return Some(slot(true, name, None));
        }
        let Kind::Slot(outer) = of.kind else { return None };
        let outer = &self.slots[outer];
        let is_step = outer.of_steps && outer.field.is_none();
        is_step.then(|| slot(true, &outer.key, Some(name.to_owned())))
    }

    /// To be called where `data` or `steps` is used otherwise than by one of its fields.
    pub(super) fn note_whole(&mut self, expr: &Expr) {
        if let Kind::Root(root) = expr.kind {
            self.references.all_data |= root == Root::Data;
            self.references.all_steps |= root == Root::Steps;
        }
    }

    fn primary(&mut self) -> Part {
        let at = self.offset();
        let kind = match self.peek().clone() {
            Token::Int(value) => match i64::try_from(value) {
                Ok(value) => Kind::Int(value),
                Err(_) => return self.fail(at, "the number is out of range of an int"),
            },
            Token::Uint(value) => Kind::Uint(value),
            Token::Double(value) => Kind::Double(value),
            Token::Text(text) => Kind::Text(text),
            Token::Name(name) => {
                self.at += 1;
                return self.named(at, name);
            }
            Token::Mark("(") => {
                self.at += 1;
                let expr = self.expr()?;
                self.expect(")")?;
                return Ok(expr);
            }
            Token::Mark("[") => {
                self.at += 1;
                let mut items = Vec::new();
                self.list_until("]", &mut items)?;
                return self.node(at, Kind::List(items));
            }
            Token::Mark("{") => {
                self.at += 1;
                let entries = self.entries()?;
                return self.node(at, Kind::Map(entries));
            }
            Token::Mark(_) | Token::End => return self.unexpected("a value"),
        };
        self.at += 1;
        self.node(at, kind)
    }

    /// A name that stands by itself, already taken.
    fn named(&mut self, at: usize, name: String) -> Part {
        if self.take("(") {
            return self.global(at, &name);
        }
        let kind = match name.as_str() {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ => match self.variable(&name) {
                Some(kind) => kind,
                None => return self.unknown_name(at, &name),
            },
        };
        self.node(at, kind)
    }

    fn variable(&mut self, name: &str) -> Option<Kind> {
        if let Some(local) = self.locals.iter().rposition(|local| local == name) {
            return Some(Kind::Local(local, name.to_owned()));
        }
        let root = Root::ALL.into_iter().find(|root| root.name() == name);
        if let Some(root) = root {
            if root == Root::Output && !self.output_known {
                return None;
            }
            self.references.element |= matches!(root, Root::Item | Root::Index);
            return Some(Kind::Root(root));
        }
        Type::ALL.into_iter().find(|known| known.name() == name).map(Kind::Type)
    }

    fn unknown_name<T>(&self, at: usize, name: &str) -> Result<T, CompileError> {
        if name == "output" {
            return self.fail(at, "`output` is known in output mappings only");
        }
        if lexer::is_reserved(name) {
            return self.fail(at, format!("`{name}` is a reserved word"));
        }
        let mut known = "data, steps, request, item and index".to_owned();
        if self.output_known {
            known.push_str(", and output");
        }
        self.fail(at, format!("unknown name `{name}`; known are {known}"))
    }

    fn peek(&self) -> &Token {
        // The last token is the end, and nothing takes it.
        &self.tokens[self.at].1
    }

    pub(super) fn offset(&self) -> usize {
        self.tokens[self.at].0
    }

    pub(super) fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(next) if *next == mark);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, mark: &str) -> Result<(), CompileError> {
        if self.take(mark) { Ok(()) } else { self.unexpected(&format!("`{mark}`")) }
    }

    pub(super) fn expect_either(&mut self, mark: &str, or: &str) -> Result<(), CompileError> {
        if self.take(mark) { Ok(()) } else { self.unexpected(&format!("`{mark}` or `{or}`")) }
    }

    pub(super) fn name(&mut self, expected: &str) -> Result<String, CompileError> {
        match self.peek().clone() {
            Token::Name(name) if !is_literal(&name) => {
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected(expected),
        }
    }

    pub(super) fn node(&self, at: usize, kind: Kind) -> Part {
        let depth = kind.inner_depth() + 1;
        if depth > EXPRESSION_DEPTH_MAX {
            let message =
                format!("the expression is nested deeper than {EXPRESSION_DEPTH_MAX} levels");
            return self.fail(at, message);
        }
        Ok(Expr { at, depth, kind })
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T, CompileError> {
        let message = format!("expected {expected}, found {}", self.peek().describe());
        self.fail(self.offset(), message)
    }

    pub(super) fn fail<T>(
        &self,
        offset: usize,
        message: impl Into<String>,
    ) -> Result<T, CompileError> {
        Err(CompileError::at(self.source, offset, message))
    }
}

pub(super) fn is_literal(name: &str) -> bool {
    matches!(name, "null" | "true" | "false")
}
