//! The shape of a JSONPath, read from its text: which names it begins with, whether it is singular,
//! and what its work depends on. The parser of `serde_json_path` has accepted the text before; its
//! own tree is private. What that parser must not be given is refused before parsing ([`check`]).

use super::super::JSONPATH_BRACKETS_MAX;
use super::super::error::CompileError;

#[derive(Debug)]
pub(super) struct Query {
    /// Begins with `$`, not with `@`.
    pub(super) absolute: bool,
    pub(super) segments: Vec<Segment>,
}

#[derive(Debug)]
pub(super) enum Segment {
    Name(String),
    Index(i64),
    Many(Selectors),
}

/// A segment that may select any number of nodes.
#[derive(Debug)]
pub(super) struct Selectors {
    pub(super) count: usize,
    pub(super) descends: bool,
    pub(super) filters: Vec<Filter>,
}

#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) queries: Vec<Query>,
}

impl Query {
    pub(super) fn is_singular(&self) -> bool {
        self.segments.iter().all(|segment| !matches!(segment, Segment::Many(_)))
    }

    /// The queries within filters that begin at the root again.
    pub(super) fn absolute_queries<'q>(&'q self, found: &mut Vec<&'q Query>) {
        for segment in &self.segments {
            let Segment::Many(selectors) = segment else { continue };
            for query in selectors.filters.iter().flat_map(|filter| &filter.queries) {
                if query.absolute {
                    found.push(query);
                }
                query.absolute_queries(found);
            }
        }
    }
}

/// How names and indices are written, for a message.
pub(super) fn written(segments: &[Segment]) -> String {
    let mut path = "$".to_owned();
    for segment in segments {
        match segment {
            Segment::Name(name) if is_member_name(name) => path.extend([".", name]),
            Segment::Name(name) => {
                path.push_str(&format!("[{}]", serde_json::Value::from(&**name)))
            }
            Segment::Index(index) => path.push_str(&format!("[{index}]")),
            Segment::Many(_) => path.push_str("[…]"),
        }
    }
    path
}

fn is_member_name(name: &str) -> bool {
    name.starts_with(begins_name) && name.chars().all(continues_name)
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn continues_name(c: char) -> bool {
    begins_name(c) || c.is_ascii_digit()
}

/// Refuses what the parser must not be given: brackets that stand too deep within each other, on
/// which it recurses, and a string that is not closed, whose `\u` at the end makes it panic.
pub(super) fn check(source: &str) -> Result<(), CompileError> {
    let mut open = 0_usize;
    let mut scanner = Scanner { source, at: 0 };
    while let Some(next) = scanner.peek() {
        let start = scanner.at;
        if matches!(next, '"' | '\'') {
            if scanner.text().is_none() {
                return Err(CompileError::at(
                    source,
                    start,
                    "not a JSONPath: a string is not closed",
                ));
            }
            continue;
        }
        if matches!(next, '(' | '[') {
            open += 1;
        } else if matches!(next, ')' | ']') {
            open = open.saturating_sub(1);
        }
        if open > JSONPATH_BRACKETS_MAX {
            let message = format!("brackets are nested deeper than {JSONPATH_BRACKETS_MAX} levels");
            return Err(CompileError::at(source, start, message));
        }
        scanner.at += next.len_utf8();
    }
    Ok(())
}

/// The shape of a path and the offset at which its first segment ends.
pub(super) fn query(source: &str) -> Result<(Query, usize), CompileError> {
    let mut scanner = Scanner { source, at: 1 };
    let mut segments = Vec::new();
    let mut first_end = 1;
    while let Some(segment) = scanner.segment()? {
        segments.push(segment);
        if segments.len() == 1 {
            first_end = scanner.at;
        }
    }
    Ok((Query { absolute: true, segments }, first_end))
}

struct Scanner<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Scanner<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let len = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn skip_blank(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    /// The next segment, or `None` at the end of the query.
    fn segment(&mut self) -> Result<Option<Segment>, CompileError> {
        let start = self.at;
        self.skip_blank();
        let descends = self.take("..");
        if !descends && !self.take(".") {
            if self.peek() == Some('[') {
                return self.brackets(false).map(Some);
            }
            self.at = start;
            return Ok(None);
        }
        if self.peek() == Some('[') {
            return self.brackets(descends).map(Some);
        }
        if self.take("*") {
            return Ok(Some(Segment::Many(Selectors { descends, ..Selectors::plain(1) })));
        }
        let name = self.take_while(continues_name).to_owned();
        Ok(Some(if descends {
            Segment::Many(Selectors { descends, ..Selectors::plain(1) })
        } else {
            Segment::Name(name)
        }))
    }

    fn brackets(&mut self, descends: bool) -> Result<Segment, CompileError> {
        self.take("[");
        let mut selectors = Selectors { descends, ..Selectors::plain(0) };
        let mut only = None;
        loop {
            self.skip_blank();
            only = match self.peek() {
                Some('"' | '\'') => self.text().map(Segment::Name),
                Some('?') => {
                    self.at += 1;
                    selectors.filters.push(self.filter()?);
                    None
                }
                _ => {
                    let text = self.take_while(|c| !matches!(c, ',' | ']')).trim();
                    text.parse().ok().map(Segment::Index)
                }
            }
            .filter(|_| selectors.count == 0 && only.is_none());
            selectors.count += 1;
            self.skip_blank();
            if !self.take(",") {
                break;
            }
        }
        self.take("]");
        match only {
            Some(segment) if selectors.count == 1 && !descends => Ok(segment),
            Some(_) | None => Ok(Segment::Many(selectors)),
        }
    }

    /// The expression of a filter, up to the comma or bracket that ends its selector.
    fn filter(&mut self) -> Result<Filter, CompileError> {
        let mut filter = Filter::default();
        let mut open = 0_usize;
        while let Some(next) = self.peek() {
            match next {
                '"' | '\'' => {
                    self.text();
                }
                '@' | '$' => {
                    self.at += 1;
                    let mut segments = Vec::new();
                    while let Some(segment) = self.segment()? {
                        segments.push(segment);
                    }
                    filter.queries.push(Query { absolute: next == '$', segments });
                }
                ',' | ']' if open == 0 => break,
                '(' | ')' => {
                    open = if next == '(' { open + 1 } else { open.saturating_sub(1) };
                    self.at += 1;
                }
                'a'..='z' => {
                    let start = self.at;
                    let name = self.take_while(continues_name);
                    if matches!(name, "match" | "search") {
                        let message = format!(
                            "`{name}` is not available: its pattern would be compiled for every \
                             node; use a CEL expression with contains, startsWith or endsWith"
                        );
                        return Err(CompileError::at(self.source, start, message));
                    }
                }
                _ => self.at += next.len_utf8(),
            }
        }
        Ok(filter)
    }

    /// A string literal, unescaped; `None` when it is not closed. What follows a backslash never
    /// closes it.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        let quote = self.peek()?;
        self.at += quote.len_utf8();
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            if next == quote {
                return Some(text);
            }
            if next == '\\' { text.extend(self.escape()) } else { text.push(next) }
        }
        None
    }

    fn escape(&mut self) -> Option<char> {
        let kind = self.peek()?;
        self.at += kind.len_utf8();
        match kind {
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => {
                let high = self.unit()?;
                let low = if (0xD800..0xDC00).contains(&high) && self.take("\\u") {
                    self.unit()
                } else {
                    None
                };
                char::decode_utf16([Some(high), low].into_iter().flatten()).next()?.ok()
            }
            other => Some(other),
        }
    }

    fn unit(&mut self) -> Option<u16> {
        let unit = u16::from_str_radix(self.rest().get(..4)?, 16).ok()?;
        self.at += 4;
        Some(unit)
    }
}
