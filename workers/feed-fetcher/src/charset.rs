//! Owns the way from bytes to text: which encoding a document is in. The order is that of RFC 7303
//! (byte order mark, HTTP header, XML declaration), made lenient where headers lie. Pure.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a document an XML declaration may end.
const DECLARATION_BYTES_MAX: usize = 512;

/// The text of a document, without byte order mark and XML declaration (whose encoding no longer
/// holds). `http_charset` is the `charset` of the HTTP header. What cannot be decoded becomes
/// U+FFFD.
pub fn decode(bytes: &[u8], http_charset: Option<&str>) -> String {
    if let Some((encoding, mark_length)) = Encoding::for_bom(bytes) {
        return body_of(encoding.decode_without_bom_handling(&bytes[mark_length..]).0);
    }
    if let Some(encoding) = utf_16_by_pattern(bytes) {
        return body_of(encoding.decode_without_bom_handling(bytes).0);
    }
    // Read as single bytes so far, so it is no UTF-16, whatever it is called.
    let single = |label: Option<&str>| {
        let label = label?.trim();
        Encoding::for_label(label.as_bytes()).filter(|e| *e != UTF_16LE && *e != UTF_16BE)
    };
    let declared = single(declared_encoding(bytes).as_deref());
    let announced = single(http_charset);
    let is_utf_8 = std::str::from_utf8(bytes).is_ok();
    // Text in another encoding is hardly ever valid UTF-8 by accident: trust the bytes and the
    // author more than a server's default header.
    if is_utf_8 && !bytes.is_ascii() && declared.is_none_or(|encoding| encoding == UTF_8) {
        return body_of(UTF_8.decode_without_bom_handling(bytes).0);
    }
    let fallback = if is_utf_8 { UTF_8 } else { WINDOWS_1252 };
    for encoding in [announced, declared, Some(fallback)].into_iter().flatten() {
        let (text, malformed) = encoding.decode_without_bom_handling(bytes);
        if !malformed {
            return body_of(text);
        }
    }
    let best = declared.or(announced).unwrap_or(UTF_8);
    body_of(best.decode_without_bom_handling(bytes).0)
}

/// The `charset` parameter of a `Content-Type` header.
pub fn charset_of(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// UTF-16 without a mark shows by the zero beside its first `<` or `{`.
fn utf_16_by_pattern(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [0, b'<' | b'{', 0, _, ..] => Some(UTF_16BE),
        [b'<' | b'{', 0, _, 0, ..] => Some(UTF_16LE),
        _ => None,
    }
}

/// The encoding that the XML declaration names, which is ASCII in every encoding that gets here.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let head = &bytes[start..bytes.len().min(start + DECLARATION_BYTES_MAX)];
    let head = head.strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let text = String::from_utf8_lossy(&head[..end]).into_owned();
    let (_, value) = text.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next().map(str::to_owned)
}

fn body_of(text: Cow<'_, str>) -> String {
    let body = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == '\0');
    let body = match body.strip_prefix("<?xml").and_then(|rest| rest.find("?>")) {
        Some(end) => &body["<?xml".len() + end + 2..],
        None => body,
    };
    body.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(encoding: &str, text: &str) -> String {
        format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n<a>{text}</a>")
    }

    fn encoded(encoding: &'static Encoding, text: &str) -> Vec<u8> {
        encoding.encode(text).0.into_owned()
    }

    fn utf_16(text: &str, big: bool, mark: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn the_declaration_decides_without_a_header() {
        for (label, encoding, text) in [
            ("ISO-8859-1", WINDOWS_1252, "Förderung für Glasfaser"),
            ("windows-1252", WINDOWS_1252, "“smart” – 5 €"),
            ("iso-8859-15", encoding_rs::ISO_8859_15, "5 €"),
            ("iso-8859-2", encoding_rs::ISO_8859_2, "Zażółć gęślą jaźń"),
            ("koi8-r", encoding_rs::KOI8_R, "Новости дня"),
            ("windows-1251", encoding_rs::WINDOWS_1251, "Новости дня"),
            ("Shift_JIS", encoding_rs::SHIFT_JIS, "日本語のニュース"),
            ("EUC-JP", encoding_rs::EUC_JP, "日本語のニュース"),
            ("ISO-2022-JP", encoding_rs::ISO_2022_JP, "日本語のニュース"),
            ("gb18030", encoding_rs::GB18030, "中文新闻"),
            ("big5", encoding_rs::BIG5, "中文新聞"),
            ("euc-kr", encoding_rs::EUC_KR, "한국어 뉴스"),
            ("utf-8", UTF_8, "naïve ☃"),
        ] {
            let bytes = encoded(encoding, &xml(label, text));
            assert_eq!(decode(&bytes, None), format!("<a>{text}</a>"), "{label}");
        }
    }

    #[test]
    fn utf_16_is_read_with_and_without_a_mark() {
        for (big, mark) in [(true, true), (true, false), (false, true), (false, false)] {
            let bytes = utf_16(&xml("utf-16", "Ñandú 😀"), big, mark);
            assert_eq!(decode(&bytes, None), "<a>Ñandú 😀</a>", "big {big} mark {mark}");
            assert_eq!(
                decode(&bytes, Some("utf-8")),
                "<a>Ñandú 😀</a>",
                "whatever the header says"
            );
        }
    }

    #[test]
    fn the_header_decides_over_the_declaration_unless_the_bytes_contradict() {
        let latin = encoded(WINDOWS_1252, "<a>café</a>");
        assert_eq!(decode(&latin, Some("iso-8859-1")), "<a>café</a>");
        assert_eq!(decode(&latin, Some("utf-8")), "<a>café</a>");
        assert_eq!(decode(&latin, None), "<a>café</a>");
        assert_eq!(decode("<a>café</a>".as_bytes(), Some("iso-8859-1")), "<a>café</a>");
        let russian = encoded(encoding_rs::WINDOWS_1251, "<a>Новости</a>");
        assert_eq!(decode(&russian, Some("windows-1251")), "<a>Новости</a>");
        let declared_wrong = encoded(encoding_rs::WINDOWS_1251, &xml("utf-8", "Новости"));
        assert_eq!(decode(&declared_wrong, Some("windows-1251")), "<a>Новости</a>");
    }

    #[test]
    fn marks_blanks_and_wrong_names_do_no_harm() {
        assert_eq!(decode("\u{feff}<a>é</a>".as_bytes(), None), "<a>é</a>");
        assert_eq!(decode(b"\n  <?xml version='1.0' encoding='utf-8'?> <a/>", None), "<a/>");
        assert_eq!(decode(xml("utf-16", "é").as_bytes(), None), "<a>é</a>");
        assert_eq!(decode(xml("klingon", "é").as_bytes(), Some("klingon")), "<a>é</a>");
        assert_eq!(decode(b"", None), "");
        assert_eq!(decode(b"<?xml", None), "<?xml");
        assert_eq!(decode(&[0xff, 0xfe], None), "");
        assert_eq!(decode(b"<a>\xff\xfe\x81</a>", Some("utf-8")).matches("<a>").count(), 1);
    }

    #[test]
    fn the_charset_parameter_is_found() {
        assert_eq!(charset_of("text/xml; charset=ISO-8859-1"), Some("ISO-8859-1"));
        assert_eq!(charset_of("text/xml;q=1; Charset=\"utf-8\""), Some("utf-8"));
        assert_eq!(charset_of("text/xml"), None);
        assert_eq!(charset_of("charset=utf-8"), None);
    }
}
