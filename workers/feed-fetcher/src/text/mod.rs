//! Owns the way from HTML to plain text. It is no HTML parser: it knows tags, comments, scripts and
//! characters written by name or number, never fails, and reads each byte once.

mod entities;

/// Plain text, blocks separated by a line break.
pub fn blocks(html: &str) -> String {
    let text = strip(html);
    // Twice escaped markup comes out as markup: once more, then.
    if text.starts_with('<') && text.ends_with('>') && looks_like_html(&text) {
        return strip(&text);
    }
    text
}

/// Plain text on one line.
pub fn one_line(html: &str) -> String {
    collapse(&blocks(html))
}

/// A title: decoded as HTML only when it looks like it, so that `a < b` stays what it is.
pub fn title(text: &str) -> String {
    if looks_like_html(text) { one_line(text) } else { collapse(text) }
}

/// White space runs become one space; control characters go.
pub fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    out
}

/// At most `chars_max` characters, cut between words where that loses little, with an ellipsis.
pub fn clip(text: &str, chars_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let kept = &text[..end];
    let cut = kept.rfind(char::is_whitespace).filter(|cut| *cut * 3 > kept.len() * 2);
    format!("{}…", kept[..cut.unwrap_or(kept.len())].trim_end())
}

fn looks_like_html(text: &str) -> bool {
    let last_end = text.rfind('>').unwrap_or(0);
    let tag = text.as_bytes()[..last_end].windows(2).any(|pair| {
        pair[0] == b'<' && (pair[1].is_ascii_alphabetic() || matches!(pair[1], b'/' | b'!'))
    });
    tag || text.match_indices('&').any(|(at, _)| reference(&text[at..]).is_some())
}

/// What is known while a document is read.
#[derive(Default)]
struct Writer {
    out: String,
    space: bool,
    line: bool,
}

impl Writer {
    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.space = true;
        } else if !c.is_control() && c != '\u{ad}' && c != '\u{feff}' {
            if !self.out.is_empty() {
                if self.line {
                    self.out.push('\n');
                } else if self.space {
                    self.out.push(' ');
                }
            }
            (self.line, self.space) = (false, false);
            self.out.push(c);
        }
    }
}

fn strip(html: &str) -> String {
    let mut writer = Writer { out: String::with_capacity(html.len()), ..Writer::default() };
    // Behind the last `>` nothing can be a tag: without this, a text of opening brackets alone
    // would be searched to its end again and again.
    let tags_end = html.rfind('>').map_or(0, |end| end + 1);
    let mut rest = html;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '<' if rest.starts_with("<!--") || html.len() - rest.len() < tags_end => {
                markup(rest, &mut writer)
            }
            '&' => reference(rest).map(|(decoded, length)| {
                writer.push(decoded);
                length
            }),
            _ => None,
        };
        rest = match length {
            Some(length) => &rest[length..],
            None => {
                writer.push(c);
                &rest[c.len_utf8()..]
            }
        };
    }
    writer.out
}

/// The length of the tag or comment that begins here; `None` when it is a plain `<`.
fn markup(rest: &str, writer: &mut Writer) -> Option<usize> {
    if rest.starts_with("<!--") {
        return Some(rest.find("-->").map_or(rest.len(), |end| end + 3));
    }
    let second = rest.as_bytes().get(1)?;
    if matches!(second, b'!' | b'?') {
        return rest.find('>').map(|end| end + 1);
    }
    let name_start = if *second == b'/' { 2 } else { 1 };
    let name_length = rest[name_start..].bytes().take_while(u8::is_ascii_alphanumeric).count();
    if name_length == 0 || !rest.as_bytes()[name_start].is_ascii_alphabetic() {
        return None;
    }
    let name = rest[name_start..name_start + name_length].to_ascii_lowercase();
    let end = tag_end(rest)?;
    match name.as_str() {
        "script" | "style" | "template" | "svg" | "iframe" | "object" if name_start == 1 => {
            return Some(closing(rest, &name, end));
        }
        "td" | "th" | "option" => writer.space = true,
        _ if BLOCKS.contains(&name.as_str()) => writer.line = true,
        _ => {}
    }
    Some(end)
}

const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
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
    "summary",
    "table",
    "tr",
    "ul",
];

/// Behind the `>` that ends a tag. A quoted `>` does not count, unless the quote never closes.
fn tag_end(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    rest.find('>').map(|end| end + 1)
}

/// Behind the closing tag of `name`. Without one it swallows the rest, as in a browser.
fn closing(rest: &str, name: &str, tag_end: usize) -> usize {
    let mut from = tag_end;
    while let Some(at) = rest[from..].find("</") {
        let start = from + at + 2;
        let found = rest.get(start..start + name.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest[start..].find('>').map_or(rest.len(), |end| start + end + 1);
        }
        from = start;
    }
    rest.len()
}

/// The character that `&…;` at the start of `rest` stands for, and its length. The semicolon may be
/// missing behind a number.
fn reference(rest: &str) -> Option<(char, usize)> {
    const NAME_BYTES_MAX: usize = 10;
    let body = &rest[1..];
    if let Some(number) = body.strip_prefix('#') {
        let hex = number.starts_with(['x', 'X']);
        let digits = if hex { &number[1..] } else { number };
        let is_digit =
            |byte: &u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
        let length = digits.bytes().take_while(is_digit).count();
        let code = u32::from_str_radix(&digits[..length], if hex { 16 } else { 10 }).ok()?;
        let semicolon = usize::from(digits[length..].starts_with(';'));
        return Some((character(code), 2 + usize::from(hex) + length + semicolon));
    }
    let length = body.bytes().take(NAME_BYTES_MAX).take_while(u8::is_ascii_alphanumeric).count();
    if !body[length..].starts_with(';') {
        return None;
    }
    entities::named(&body[..length]).map(|c| (c, length + 2))
}

/// Numbers from 128 to 159 mean windows-1252, as browsers read them.
fn character(code: u32) -> char {
    if let Ok(byte @ 0x80..=0x9f) = u8::try_from(code) {
        let (text, _, _) = encoding_rs::WINDOWS_1252.decode(std::slice::from_ref(&byte));
        return text.chars().next().unwrap_or('\u{fffd}');
    }
    char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_and_blocks_become_lines() {
        assert_eq!(blocks("<p>One <b>bold</b> word.</p><p>Two</p>"), "One bold word.\nTwo");
        assert_eq!(blocks("a<br/>b<BR>c"), "a\nb\nc");
        assert_eq!(blocks("<table><tr><td>1</td><td>2</td></tr></table>"), "1 2");
        assert_eq!(one_line(" <ul><li>x</li>\n<li>y</li></ul> "), "x y");
    }

    #[test]
    fn scripts_styles_and_comments_say_nothing() {
        assert_eq!(blocks("a<script>if (a<b) {}</script>b"), "ab");
        assert_eq!(blocks("a<STYLE>p{}</STYLE >b<!-- > -->c<!DOCTYPE x>d"), "abcd");
        assert_eq!(blocks("a<script>never closed"), "a");
        assert_eq!(blocks("<p>a<!-- never closed"), "a");
    }

    #[test]
    fn characters_by_name_and_number_are_read() {
        assert_eq!(blocks("AT&amp;T &copy; &#8364;5 &#x20AC;6 &#147;q&#148;"), "AT&T © €5 €6 “q”");
        assert_eq!(blocks("a&nbsp;b&shy;c"), "a bc");
        assert_eq!(blocks("&bogus; & &; &#; &#xZ; &#65"), "&bogus; & &; &#; &#xZ; A");
        assert_eq!(blocks("&#0; &#x110000; &#xD800;"), "\u{fffd} \u{fffd} \u{fffd}");
        assert_eq!(blocks("&#xFFFFFFFFF;"), "&#xFFFFFFFFF;");
    }

    #[test]
    fn what_only_looks_like_markup_stays() {
        assert_eq!(blocks("1 < 2 and 3 > 2"), "1 < 2 and 3 > 2");
        assert_eq!(blocks("a <3 b"), "a <3 b");
        assert_eq!(blocks("end <"), "end <");
        assert_eq!(blocks("<a title='1 > 2'>x</a>"), "x");
        assert_eq!(blocks("<a title='open>x"), "x");
    }

    #[test]
    fn twice_escaped_markup_is_read_twice() {
        assert_eq!(blocks("&lt;p&gt;Hi &amp;amp; ho&lt;/p&gt;"), "Hi & ho");
        assert_eq!(blocks("the &lt;p&gt; tag"), "the <p> tag");
    }

    #[test]
    fn titles_are_decoded_only_when_they_look_like_html() {
        assert_eq!(title("Tom &amp; Jerry"), "Tom & Jerry");
        assert_eq!(title("<b>News</b>\n today"), "News today");
        assert_eq!(title("if a < b then c > d"), "if a < b then c > d");
        assert_eq!(title("Q&A; more"), "Q&A; more");
    }

    #[test]
    fn clipping_counts_characters_and_prefers_words() {
        assert_eq!(clip("short", 10), "short");
        assert_eq!(clip("exactly ten", 11), "exactly ten");
        assert_eq!(clip("one two three four", 15), "one two three…");
        assert_eq!(clip("a incomprehensibilities", 12), "a incomprehe…");
        assert_eq!(clip("ééééééééé", 4), "éééé…");
        assert_eq!(clip("abc", 0), "…");
    }

    #[test]
    fn hostile_texts_are_read_in_one_pass() {
        const BYTES: usize = 512 * 1024;
        for splinter in
            ["<", "<!", "<!>", "<a", "<a ", "<a \"", "</", "<script>", "<!--", "&", "&#1", "&amp"]
        {
            let html = splinter.repeat(BYTES / splinter.len());
            blocks(&html);
            title(&html);
            blocks(&format!("{html}>"));
            title(&format!("<p>{html}</p>"));
        }
    }

    #[test]
    fn no_input_makes_it_fail() {
        for html in [
            "<",
            "</",
            "<>",
            "</>",
            "&",
            "&#",
            "&#x",
            "<!",
            "<!-",
            "<a",
            "<a b='",
            "<é>",
            "\0",
            "<script",
            "</script>",
        ] {
            blocks(html);
            title(html);
        }
    }
}
