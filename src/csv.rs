//! Tables as CSV (RFC 4180), safe to open in a spreadsheet: a text that a spreadsheet would take
//! for a formula gets an apostrophe in front.

/// What a text begins with that spreadsheets calculate.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// A text.
    Text(&'a str),
    /// A number or a flag, written as it is.
    Plain(String),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }
}

macro_rules! plain {
    ($($type:ty),+) => {
        $(impl From<$type> for Cell<'_> {
            fn from(value: $type) -> Self {
                Self::Plain(value.to_string())
            }
        })+
    };
}

plain!(u64, i64, f64, bool);

/// Adds a line.
pub fn write_row(out: &mut String, cells: &[Cell<'_>]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match cell {
            Cell::Empty => {}
            Cell::Plain(value) => out.push_str(value),
            Cell::Text(text) => write_text(out, text),
        }
    }
    out.push_str("\r\n");
}

fn write_text(out: &mut String, text: &str) {
    let is_formula = text.starts_with(FORMULA);
    let special = |c: char| matches!(c, '"' | ',' | '\r' | '\n');
    let padded = text.starts_with(' ') || text.ends_with(' ');
    if !is_formula && !padded && !text.contains(special) {
        out.push_str(text);
        return;
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[Cell<'_>]) -> String {
        let mut out = String::new();
        write_row(&mut out, cells);
        out
    }

    #[test]
    fn values_stand_between_commas_and_lines_end_as_the_rfc_says() {
        let cells = [
            "rivers".into(),
            Cell::from(7_u64),
            Cell::from(0.25),
            Cell::from(true),
            Cell::from(None),
        ];
        assert_eq!(line(&cells), "rivers,7,0.25,true,\r\n");
        assert_eq!(line(&[Cell::Plain("-1".to_owned())]), "-1\r\n", "a number is no formula");
    }

    #[test]
    fn what_would_break_a_line_is_quoted() {
        for (text, expected) in [
            ("a,b", "\"a,b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            (" padded", "\" padded\""),
            ("", ""),
        ] {
            assert_eq!(line(&[text.into()]), format!("{expected}\r\n"));
        }
    }

    #[test]
    fn formulas_become_texts() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"] {
            assert_eq!(line(&[text.into()]), format!("\"'{text}\"\r\n"));
        }
        assert_eq!(line(&["=\"x\"".into()]), "\"'=\"\"x\"\"\"\r\n");
    }
}
