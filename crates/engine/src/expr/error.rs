//! What can be wrong with an expression: when it is compiled, and when it is evaluated.
//! Codes are stable and belong to the API; texts are for a person.

use thiserror::Error;

/// A place in the source of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes from the start of the source.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset; one past the end stands for the end.
    pub(super) fn of(source: &str, offset: usize) -> Position {
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &source[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            offset,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 1 {
            write!(f, "line {}, ", self.line)?;
        }
        write!(f, "column {}", self.column)
    }
}

/// Why an expression was refused when its template was published.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}{}", at(.position.as_ref()))]
pub struct CompileError {
    /// What is wrong, for a person.
    pub message: String,
    /// Where in the expression; `None` when it concerns the whole value.
    pub position: Option<Position>,
}

impl CompileError {
    pub(super) fn whole(message: impl Into<String>) -> CompileError {
        CompileError { message: message.into(), position: None }
    }

    pub(super) fn at(source: &str, offset: usize, message: impl Into<String>) -> CompileError {
        let position = Some(Position::of(source, offset));
        CompileError { message: message.into(), position }
    }

    /// The same error in a source that has `bytes` more in front, on the first line.
    pub(super) fn shifted(mut self, bytes: usize) -> CompileError {
        if let Some(position) = &mut self.position {
            position.offset += bytes;
            if position.line == 1 {
                position.column += bytes;
            }
        }
        self
    }
}

fn at(position: Option<&Position>) -> String {
    position.map_or_else(String::new, |position| format!(" (at {position})"))
}

/// Why an expression has no value in this scope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvalError {
    /// Something that the expression reads is not there.
    #[error("there is no value at `{path}`")]
    Missing {
        /// The shortest part of what was asked for that is absent.
        path: String,
    },
    /// A value is of a type that cannot be used there.
    #[error("{message}")]
    Type {
        /// What was met, and where.
        message: String,
    },
    /// More steps than an evaluation may take.
    #[error("the evaluation takes more than {limit} steps")]
    TooLong {
        /// The limit, in steps.
        limit: u64,
    },
    /// A result, or what is made on the way to it, is larger than allowed.
    #[error("the evaluation makes more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Lists and maps within each other deeper than allowed.
    #[error("the value is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit, in levels.
        limit: u32,
    },
    /// The operation has no result: a division by zero, an overflow, a text that is no number.
    #[error("{message}")]
    Failed {
        /// What failed, and where.
        message: String,
    },
}

impl EvalError {
    /// The stable code of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            EvalError::Missing { .. } => "expression.missing_value",
            EvalError::Type { .. } => "expression.type",
            EvalError::TooLong { .. } | EvalError::TooLarge { .. } | EvalError::TooDeep { .. } => {
                "expression.limit"
            }
            EvalError::Failed { .. } => "expression.failed",
        }
    }

    /// A limit ends the evaluation at once; the other errors are values that `||`, `&&` and
    /// `default` may put aside.
    pub(super) fn is_limit(&self) -> bool {
        match self {
            EvalError::TooLong { .. } | EvalError::TooLarge { .. } | EvalError::TooDeep { .. } => {
                true
            }
            EvalError::Missing { .. } | EvalError::Type { .. } | EvalError::Failed { .. } => false,
        }
    }
}

/// An evaluation error with the field of the mapping that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{error}", field(.pointer))]
pub struct EvalErrorAt {
    /// JSON pointer within the mapping; empty for the mapping as a whole.
    pub pointer: String,
    /// What went wrong there.
    #[source]
    pub error: EvalError,
}

impl EvalErrorAt {
    /// The stable code of this kind of error.
    pub fn code(&self) -> &'static str {
        self.error.code()
    }
}

fn field(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!("{pointer}: ") }
}
