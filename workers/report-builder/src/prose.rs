//! Small turns of English: counts, lists, shares.

/// "1 article", "2 articles".
pub fn count_of(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// "1,234".
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "a", "a and b", "a, b and c".
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// "29%", of a part of a whole.
pub fn percent(part: usize, whole: usize) -> String {
    format!("{}%", (100.0 * part as f64 / whole.max(1) as f64).round())
}

/// The first letter made a capital.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}

/// Ends with a full stop, unless it ends a sentence already.
pub fn sentence(text: &str) -> String {
    let text = text.trim_end();
    let ends = text.trim_end_matches(['"', '”', '’', '\'', ')', '»']);
    if ends.ends_with(['.', '!', '?', '…', '。']) { text.to_owned() } else { format!("{text}.") }
}

/// Lower case letters, digits and hyphens, for anchors and file names.
pub fn slug(text: &str, chars_max: usize) -> String {
    let mut slug = String::new();
    for word in text::words(text) {
        let word: String =
            text::fold(word.text).chars().filter(char::is_ascii_alphanumeric).collect();
        if word.is_empty() {
            continue;
        }
        if slug.len() + word.len() + 1 > chars_max {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word);
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_of_english() {
        assert_eq!(count_of(1, "article"), "1 article");
        assert_eq!(count_of(0, "article"), "0 articles");
        assert_eq!(count_of(1_234_567, "article"), "1,234,567 articles");
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(listed(&items), "a, b and c");
        assert_eq!(listed(&items[..2]), "a and b");
        assert_eq!((percent(1, 3), percent(0, 0)), ("33%".to_owned(), "0%".to_owned()));
        assert_eq!(capitalised("éclair"), "Éclair");
        assert_eq!((sentence("It is"), sentence("“It is.”")), ("It is.".into(), "“It is.”".into()));
    }

    #[test]
    fn slugs_are_safe_names() {
        assert_eq!(slug("Künstliche Intelligenz & Recht!", 40), "kunstliche-intelligenz-recht");
        assert_eq!(slug("../../etc/passwd", 40), "etc-passwd");
        assert_eq!(slug("one two three", 8), "one-two");
        assert_eq!(slug("人工智能", 40), "");
    }
}
