//! Makes text from feeds safe to read and to compare: markup taken out, invisible and
//! direction-changing characters removed. It must not escape: what a format needs escaped is the
//! business of that format's writer.

/// How many combining marks may follow one character; the rest of a stack is dropped.
const COMBINING_RUN_MAX: u32 = 3;

/// One line of visible text: white space collapsed, control characters, bidirectional controls and
/// zero-width characters removed. Joiners stay, Persian and Indic scripts need them.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        if c.is_whitespace() || matches!(c, '\u{0}'..='\u{1f}') {
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
            }
            continue;
        }
        marks = if is_combining(c) { marks + 1 } else { 0 };
        if !is_hidden(c) && marks <= COMBINING_RUN_MAX {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Like [`line()`], but blank lines still separate paragraphs (as `"\n\n"`).
pub fn paragraphs(text: &str) -> String {
    let unified = text.replace("\r\n", "\n").replace('\u{2029}', "\n\n");
    let mut out = String::with_capacity(text.len());
    let mut paragraph = String::new();
    for source_line in unified.split('\n').chain([""]) {
        if !source_line.trim().is_empty() {
            paragraph.push_str(source_line);
            paragraph.push(' ');
            continue;
        }
        let cleaned = line(&paragraph);
        paragraph.clear();
        if !cleaned.is_empty() {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(&cleaned);
        }
    }
    out
}

/// Plain paragraphs of what may be HTML: tags removed where they open a known element, the content
/// of `script`, `style` and comments dropped, block elements made paragraphs, character references
/// decoded once.
pub fn plain(text: &str) -> String {
    paragraphs(&decode_references(&without_tags(text)))
}

/// Plain text on one line: [`plain`] for titles and names.
pub fn plain_line(text: &str) -> String {
    line(&decode_references(&without_tags(text)))
}

/// At most `chars_max` characters, cut at a word and marked with an ellipsis where something was
/// cut.
pub fn shorten(text: &str, chars_max: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(chars_max) else {
        return text.to_owned();
    };
    let kept = text.char_indices().nth(chars_max.saturating_sub(1)).map_or(0, |(at, _)| at);
    let at_word = if text[cut..].starts_with(char::is_whitespace) {
        kept
    } else {
        text[..kept].rfind(char::is_whitespace).unwrap_or(kept)
    };
    format!("{}…", text[..at_word].trim_end_matches(|c: char| !c.is_alphanumeric()))
}

fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}')
}

/// Elements whose end means a new paragraph.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "tr",
    "ul",
];

/// Other elements that feeds carry. A `<` before any other name is text (`a<b`, `Vec<T>`).
const INLINES: &[&str] = &[
    "a", "abbr", "acronym", "audio", "b", "big", "body", "button", "center", "cite", "code", "del",
    "details", "dfn", "em", "embed", "font", "head", "html", "i", "iframe", "img", "input", "ins",
    "kbd", "label", "link", "mark", "math", "meta", "noscript", "object", "option", "picture", "q",
    "s", "samp", "script", "select", "small", "source", "span", "strike", "strong", "style", "sub",
    "summary", "sup", "svg", "tbody", "template", "textarea", "tfoot", "thead", "time", "title",
    "tt", "u", "var", "video", "wbr",
];

/// Elements whose content is not for reading.
const DROPPED: &[&str] = &["script", "style", "template", "textarea", "iframe", "title", "svg"];

fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let tag = &rest[open..];
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(element) = element_name(tag) else {
            out.push('<');
            rest = &tag[1..];
            continue;
        };
        let after = tag_end(tag).map_or("", |end| &tag[end..]);
        rest = if DROPPED.contains(&element.as_str()) && !tag.starts_with("</") {
            after_closing(after, &element)
        } else {
            after
        };
        out.push_str(if BLOCKS.contains(&element.as_str()) { "\n\n" } else { "" });
    }
    out.push_str(rest);
    out
}

/// The name of the known element whose tag `tag` begins with, in lower case.
fn element_name(tag: &str) -> Option<String> {
    let after = tag[1..].strip_prefix('/').unwrap_or(&tag[1..]);
    let name: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    let tail = &after[name.len()..];
    let attributes = tail.trim_start();
    let separated = tail.len() > attributes.len();
    // "a<b && c" is a comparison: an attribute begins with a letter.
    let closed = attributes.starts_with(['>', '/'])
        || attributes.is_empty()
        || (separated && attributes.starts_with(|c: char| c.is_ascii_alphabetic()));
    let known = BLOCKS.contains(&name.as_str()) || INLINES.contains(&name.as_str());
    (closed && known).then_some(name)
}

/// Where the tag ends, minding quoted attribute values.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') if tag[..at].trim_end().ends_with('=') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    // An unbalanced quote must not swallow the rest of the text.
    tag.find('>').map(|at| at + 1)
}

fn after_closing<'a>(text: &'a str, element: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = text[from..].find("</") {
        let name_at = from + at + 2;
        let name = text.get(name_at..name_at + element.len());
        if name.is_some_and(|name| name.eq_ignore_ascii_case(element)) {
            let tail = &text[name_at..];
            return tail.find('>').map_or("", |end| &tail[end + 1..]);
        }
        from = name_at;
    }
    ""
}

/// The longest reference looked for, `&` and `;` included.
const REFERENCE_BYTES_MAX: usize = 12;

fn decode_references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let end = tail.bytes().take(REFERENCE_BYTES_MAX).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, decode_reference(&tail[1..end])?))) {
            Some((end, c)) => {
                out.push(c);
                rest = &tail[end + 1..];
            }
            None => {
                out.push('&');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn decode_reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "hellip" => '…',
        "bull" | "middot" => '·',
        "euro" => '€',
        "pound" => '£',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "deg" => '°',
        "times" => '×',
        "eacute" => 'é',
        "egrave" => 'è',
        "agrave" => 'à',
        "ccedil" => 'ç',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "auml" => 'ä',
        "szlig" => 'ß',
        "ntilde" => 'ñ',
        _ => return None,
    };
    Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bidirectional_controls_and_hidden_characters_go() {
        assert_eq!(line("pay\u{202e}gnp.exe\u{202c} now\u{200b}\u{feff}"), "paygnp.exe now");
        assert_eq!(line("a\u{0}b\u{7f}c\u{9b}d"), "a bcd");
        assert_eq!(line("a\u{e0041}b"), "ab");
    }

    #[test]
    fn joiners_stay_and_stacked_marks_are_cut() {
        assert_eq!(line("می\u{200c}خواهم"), "می\u{200c}خواهم");
        let stacked = format!("a{}", "\u{301}".repeat(40));
        assert_eq!(line(&stacked).chars().count(), 1 + COMBINING_RUN_MAX as usize);
    }

    #[test]
    fn white_space_collapses_and_paragraphs_survive() {
        assert_eq!(line("  a \n\t b  "), "a b");
        assert_eq!(paragraphs("one\ntwo\r\n\r\n\n  three "), "one two\n\nthree");
    }

    #[test]
    fn markup_becomes_paragraphs_and_scripts_vanish() {
        let html = "<p>First &amp; <b>bold</b></p><script>alert('x < y')</script>\
            <div title=\"a>b\">Second</div>";
        assert_eq!(plain(html), "First & bold\n\nSecond");
        assert_eq!(plain("before<!-- <b>hidden</b> -->after"), "beforeafter");
        assert_eq!(plain("cut <img src=x onerror=alert(1)"), "cut");
    }

    #[test]
    fn comparisons_and_generics_are_text() {
        assert_eq!(plain("if a<b && c>d then Vec<String>"), "if a<b && c>d then Vec<String>");
        assert_eq!(plain_line("5 < 6"), "5 < 6");
    }

    #[test]
    fn references_are_decoded_once() {
        assert_eq!(plain("&amp;lt;script&amp;gt;"), "&lt;script&gt;");
        assert_eq!(plain("caf&eacute; &#8217;n&#x2019; &bogus; &"), "café ’n’ &bogus; &");
        assert_eq!(plain("&#x110000;&#xD800;"), "&#x110000;&#xD800;");
    }

    #[test]
    fn an_unbalanced_quote_swallows_no_text() {
        assert_eq!(plain("<a href=\"x>link</a> and more"), "link and more");
    }

    #[test]
    fn shortening_cuts_at_words() {
        assert_eq!(shorten("short", 10), "short");
        assert_eq!(shorten("several words, here", 16), "several words…");
        assert_eq!(shorten("ééééé", 3), "éé…");
    }
}
