//! Text to tokens, by the lexical rules of the CEL specification. Left out on purpose: bytes
//! literals and backtick names, which have no use on JSON.

use super::super::error::CompileError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// The magnitude: a minus in front belongs to the parser, so that the least integer is written.
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    /// An operator, a bracket or the keyword `in`.
    Mark(&'static str),
    End,
}

impl Token {
    /// How a message names this token.
    pub(super) fn describe(&self) -> String {
        match self {
            Token::Name(name) => format!("`{name}`"),
            Token::Int(_) | Token::Uint(_) | Token::Double(_) => "a number".to_owned(),
            Token::Text(_) => "a string".to_owned(),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::End => "the end of the expression".to_owned(),
        }
    }
}

/// Longer marks stand before their prefixes.
const MARKS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

/// Names that the specification keeps for host languages.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The tokens with the offset of each; the last is [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, CompileError> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.token()?;
        let ended = token == Token::End;
        tokens.push((start, token));
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn fail<T>(&self, offset: usize, message: impl Into<String>) -> Result<T, CompileError> {
        Err(CompileError::at(self.source, offset, message))
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{c}');
            let trimmed = rest.trim_start_matches(blank);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn token(&mut self) -> Result<Token, CompileError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if let Some(text) = self.text()? {
            return Ok(Token::Text(text));
        }
        let second_is_digit = rest[first.len_utf8()..].starts_with(|c: char| c.is_ascii_digit());
        if first.is_ascii_digit() || (first == '.' && second_is_digit) {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            return Ok(if name == "in" { Token::Mark("in") } else { Token::Name(name.to_owned()) });
        }
        if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            self.at += mark.len();
            return Ok(Token::Mark(mark));
        }
        let hint = match first {
            '=' => "; compare with `==`",
            '&' => "; use `&&`",
            '|' => "; use `||`",
            '`' => "; write a key that is no name as `[\"the key\"]`",
            _ => "",
        };
        self.fail(self.at, format!("unexpected character {first:?}{hint}"))
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let len = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn number(&mut self) -> Result<Token, CompileError> {
        let start = self.at;
        let rest = self.rest();
        let token = if let Some(hex) = rest.strip_prefix("0x") {
            let len = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
            self.at += 2 + len;
            u64::from_str_radix(&hex[..len], 16).ok().map(Token::Int)
        } else {
            self.at += decimal_len(rest);
            let digits = &self.source[start..self.at];
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                digits.parse().ok().map(Token::Int)
            } else {
                digits.parse().ok().filter(|value: &f64| value.is_finite()).map(Token::Double)
            }
        };
        let token = match token {
            Some(Token::Int(value)) if self.rest().starts_with(['u', 'U']) => {
                self.at += 1;
                Some(Token::Uint(value))
            }
            token => token,
        };
        let end = self.at;
        let tail = self.take_while(|c| c.is_alphanumeric() || c == '_');
        match token {
            Some(token) if tail.is_empty() => Ok(token),
            Some(_) => {
                let text = &self.source[start..self.at];
                self.fail(start, format!("`{text}` is neither a number nor a name"))
            }
            None => {
                let text = &self.source[start..end];
                self.fail(start, format!("the number {text} is out of range"))
            }
        }
    }

    /// A string literal, if one starts here.
    fn text(&mut self) -> Result<Option<String>, CompileError> {
        let start = self.at;
        let rest = self.rest();
        let letters = rest.bytes().take(2).take_while(|byte| b"rRbB".contains(byte)).count();
        if !rest[letters..].starts_with(['"', '\'']) {
            return Ok(None);
        }
        let (raw, bytes) = match rest[..letters].to_ascii_lowercase().as_str() {
            "" => (false, false),
            "r" => (true, false),
            "b" | "br" | "rb" => (false, true),
            _ => return Ok(None),
        };
        if bytes {
            return self.fail(start, "bytes are not supported: values here are JSON");
        }
        self.at += letters;
        let quoted = self.rest();
        let quote = if quoted.starts_with("\"\"\"") || quoted.starts_with("'''") {
            &quoted[..3]
        } else {
            &quoted[..1]
        };
        self.at += quote.len();
        let mut text = String::new();
        while !self.rest().starts_with(quote) {
            let Some(next) = self.rest().chars().next() else {
                return self.fail(start, format!("the string is not closed: expected {quote}"));
            };
            if matches!(next, '\n' | '\r') && quote.len() == 1 {
                let message = "the string is not closed on its line; use \\n, or three quotes";
                return self.fail(start, message);
            }
            if next == '\\' && !raw {
                text.push(self.escape()?);
            } else {
                self.at += next.len_utf8();
                self.push_literal(next, &mut text);
            }
        }
        self.at += quote.len();
        Ok(Some(text))
    }

    /// Line ends within a literal are `\n`, whatever the file that the template came from uses.
    fn push_literal(&mut self, next: char, text: &mut String) {
        if next == '\r' {
            if self.rest().starts_with('\n') {
                self.at += 1;
            }
            text.push('\n');
        } else {
            text.push(next);
        }
    }

    fn escape(&mut self) -> Result<char, CompileError> {
        let start = self.at;
        self.at += 1;
        let kind = self.rest().chars().next();
        self.at += kind.map_or(0, char::len_utf8);
        let escaped = match kind {
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\u{b}'),
            Some(c @ ('\\' | '"' | '\'' | '`' | '?')) => Some(c),
            Some('x' | 'X') => self.code(2, 16),
            Some('u') => self.code(4, 16),
            Some('U') => self.code(8, 16),
            Some('0'..='3') => {
                self.at -= 1;
                self.code(3, 8)
            }
            _ => None,
        };
        match escaped {
            Some(escaped) => Ok(escaped),
            None => self.fail(start, "unknown escape in a string; write a backslash as `\\\\`"),
        }
    }

    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let text = self.rest().get(..digits)?;
        if !text.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        self.at += digits;
        char::from_u32(u32::from_str_radix(text, radix).ok()?)
    }
}

/// The length of `12`, `1.5`, `.5`, `1e3` or `1.5e-3` at the start of the text.
fn decimal_len(text: &str) -> usize {
    let digits =
        |from: usize| text[from..].bytes().take_while(|byte| byte.is_ascii_digit()).count();
    let mut len = digits(0);
    if text[len..].starts_with('.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
    }
    if text[len..].starts_with(['e', 'E']) {
        let sign = usize::from(text[len + 1..].starts_with(['+', '-']));
        let exponent = digits(len + 1 + sign);
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    len
}
