//! Which part of a content a request asks for (RFC 9110, section 14). It knows no storage.

/// A part of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// All of it.
    Whole,
    /// These bytes; `length` is never 0.
    Part {
        /// Where they begin.
        offset: u64,
        /// How many they are.
        length: u64,
    },
    /// None that there is.
    Unsatisfiable,
}

/// What the header `Range` asks of a content of `size` bytes. What is no single range of bytes is
/// as good as none.
pub fn asked(range: Option<&str>, size: u64) -> Span {
    let bounds = range.and_then(|text| text.trim().strip_prefix("bytes="));
    let bounds = bounds.filter(|text| !text.contains(',')).and_then(|text| text.split_once('-'));
    let Some((first, last)) = bounds else { return Span::Whole };
    match (number(first), number(last)) {
        (Some(from), Some(to)) if from > to => Span::Whole,
        (Some(from), to) if to.is_some() || blank(last) => {
            if from >= size {
                return Span::Unsatisfiable;
            }
            let end = to.map_or(size, |to| to.saturating_add(1)).min(size);
            Span::Part { offset: from, length: end - from }
        }
        (None, Some(suffix)) if blank(first) => match suffix.min(size) {
            0 => Span::Unsatisfiable,
            length => Span::Part { offset: size - length, length },
        },
        _ => Span::Whole,
    }
}

/// Whether one of the tags in `If-None-Match` is that of the content.
pub fn matches(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn blank(text: &str) -> bool {
    text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_met_and_others_are_not_asked() {
        let part = |offset, length| Span::Part { offset, length };
        for (range, size, span) in [
            (None, 10, Span::Whole),
            (Some("bytes=0-3"), 10, part(0, 4)),
            (Some("bytes=3-"), 10, part(3, 7)),
            (Some("bytes=-3"), 10, part(7, 3)),
            (Some("bytes=-30"), 10, part(0, 10)),
            (Some("bytes=9-99999999999999999999"), 10, part(9, 1)),
            (Some("bytes=0-18446744073709551615"), 10, part(0, 10)),
            (Some("bytes=10-"), 10, Span::Unsatisfiable),
            (Some("bytes=-0"), 10, Span::Unsatisfiable),
            (Some("bytes=0-0"), 0, Span::Unsatisfiable),
            (Some("bytes=-5"), 0, Span::Unsatisfiable),
            (Some("bytes=3-1"), 10, Span::Whole),
            (Some("bytes=0-1,3-4"), 10, Span::Whole),
            (Some("bytes=-"), 10, Span::Whole),
            (Some("bytes=a-b"), 10, Span::Whole),
            (Some("bytes=1-b"), 10, Span::Whole),
            (Some("bytes=--1"), 10, Span::Whole),
            (Some("lines=0-1"), 10, Span::Whole),
        ] {
            assert_eq!(asked(range, size), span, "{range:?} of {size}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(matches("\"a\", W/\"b\"", "\"b\"") && matches("*", "\"x\""));
        assert!(!matches("\"a\"", "\"b\"") && !matches("", "\"b\""));
    }
}
