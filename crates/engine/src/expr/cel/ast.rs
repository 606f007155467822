//! A compiled CEL expression as a tree. Names are resolved, calls checked and depths bounded: what
//! the parser lets through, the evaluator can walk without a look-up or a check of its own.

use super::functions::Function;

/// One part of an expression, with the offset that messages point at.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) at: usize,
    /// 1 for a leaf, else one more than the deepest part.
    pub(super) depth: u32,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Type(Type),
    Root(Root),
    /// A part of `data` or `steps` that is fetched alone: an index into the program's slots.
    Slot(usize),
    /// A variable of an enclosing macro, counted from the outermost.
    Local(usize, String),
    Field(Box<Expr>, String),
    Index(Box<(Expr, Expr)>),
    /// Whether the part named by a [`Kind::Field`], [`Kind::Index`] or [`Kind::Slot`] is there.
    Has(Box<Expr>),
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Binary(Operator, Box<(Expr, Expr)>),
    Conditional(Box<(Expr, Expr, Expr)>),
    Default(Box<(Expr, Expr)>),
    Call(Function, Vec<Expr>),
    Each(Box<Each>),
}

/// A macro over the elements of a list or the keys of a map.
#[derive(Debug)]
pub(super) struct Each {
    pub(super) what: Macro,
    pub(super) range: Expr,
    /// The filter of a `map` with three arguments.
    pub(super) filter: Option<Expr>,
    pub(super) body: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Macro {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Macro {
    pub(super) fn of(name: &str) -> Option<Macro> {
        match name {
            "all" => Some(Macro::All),
            "exists" => Some(Macro::Exists),
            "exists_one" | "existsOne" => Some(Macro::ExistsOne),
            "filter" => Some(Macro::Filter),
            "map" => Some(Macro::Map),
            _ => None,
        }
    }
}

/// A variable of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Data,
    Steps,
    Request,
    Item,
    Index,
    Output,
}

impl Root {
    pub(super) const ALL: [Root; 6] =
        [Root::Data, Root::Steps, Root::Request, Root::Item, Root::Index, Root::Output];

    pub(super) fn name(self) -> &'static str {
        match self {
            Root::Data => "data",
            Root::Steps => "steps",
            Root::Request => "request",
            Root::Item => "item",
            Root::Index => "index",
            Root::Output => "output",
        }
    }
}

/// A part of `data` or `steps` that is fetched alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) of_steps: bool,
    pub(super) key: String,
    /// For a step, the field of its object, so that the object need not be put together.
    pub(super) field: Option<String>,
}

/// The type of a value, as `type(x)` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    List,
    Map,
    Meta,
}

impl Type {
    pub(super) const ALL: [Type; 9] = [
        Type::Null,
        Type::Bool,
        Type::Int,
        Type::Uint,
        Type::Double,
        Type::Text,
        Type::List,
        Type::Map,
        Type::Meta,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Null => "null_type",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::Text => "string",
            Type::List => "list",
            Type::Map => "map",
            Type::Meta => "type",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

impl Operator {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
        }
    }

    /// The operator of a mark and how tightly it binds.
    pub(super) fn of(mark: &str) -> Option<(Operator, u8)> {
        let found = match mark {
            "+" => (Operator::Add, ADDITION),
            "-" => (Operator::Subtract, ADDITION),
            "*" => (Operator::Multiply, MULTIPLICATION),
            "/" => (Operator::Divide, MULTIPLICATION),
            "%" => (Operator::Remainder, MULTIPLICATION),
            "==" => (Operator::Equal, RELATION),
            "!=" => (Operator::NotEqual, RELATION),
            "<" => (Operator::Less, RELATION),
            "<=" => (Operator::LessOrEqual, RELATION),
            ">" => (Operator::Greater, RELATION),
            ">=" => (Operator::GreaterOrEqual, RELATION),
            "in" => (Operator::In, RELATION),
            _ => return None,
        };
        Some(found)
    }
}

pub(super) const RELATION: u8 = 1;
const ADDITION: u8 = 2;
const MULTIPLICATION: u8 = 3;

impl Kind {
    /// The depth of the deepest direct part; 0 for a leaf.
    pub(super) fn inner_depth(&self) -> u32 {
        let deepest = |parts: &[Expr]| parts.iter().map(|part| part.depth).max().unwrap_or(0);
        match self {
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Uint(_)
            | Kind::Double(_)
            | Kind::Text(_)
            | Kind::Type(_)
            | Kind::Root(_)
            | Kind::Slot(_)
            | Kind::Local(..) => 0,
            Kind::Field(of, _) => of.depth,
            Kind::Has(part) | Kind::Not(part) | Kind::Negate(part) => part.depth,
            Kind::Index(pair) | Kind::Binary(_, pair) | Kind::Default(pair) => {
                pair.0.depth.max(pair.1.depth)
            }
            Kind::List(parts) | Kind::And(parts) | Kind::Or(parts) | Kind::Call(_, parts) => {
                deepest(parts)
            }
            Kind::Map(entries) => {
                entries.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0)
            }
            Kind::Conditional(parts) => parts.0.depth.max(parts.1.depth).max(parts.2.depth),
            Kind::Each(each) => {
                let filter = each.filter.as_ref().map_or(0, |filter| filter.depth);
                each.range.depth.max(each.body.depth).max(filter)
            }
        }
    }
}
