//! Owns what a topic looks like: its words, the addresses that stand among them, and how it reads
//! in a title. Pure.

/// A title quotes no more of a topic.
const TITLE_CHARS_MAX: usize = 80;

/// A topic taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Without addresses.
    pub(crate) words: String,
    /// The addresses, in their order.
    pub(crate) urls: Vec<String>,
}

impl Topic {
    pub(crate) fn read(text: &str) -> Topic {
        let (urls, words): (Vec<&str>, Vec<&str>) =
            text.split_whitespace().partition(|word| is_address(word));
        let bare = |word: &str| {
            let start = word.find("http").unwrap_or(0);
            word[start..].trim_end_matches(['.', ',', ';', ')', ']', '>', '"', '\'']).to_owned()
        };
        Topic { words: words.join(" "), urls: urls.into_iter().map(bare).collect() }
    }

    /// As a title begins: shortened at a word, first letter upper case.
    pub(crate) fn heading(&self) -> String {
        let words = if self.words.is_empty() { self.urls.join(" ") } else { self.words.clone() };
        let shortened = shortened(&words, TITLE_CHARS_MAX);
        let mut chars = shortened.chars();
        match chars.next() {
            Some(first) => first.to_uppercase().chain(chars).collect(),
            None => String::new(),
        }
    }
}

/// At most `chars_max` characters, cut after a word, with an ellipsis where something was cut.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(chars_max) else { return text.to_owned() };
    let whole = text[..cut].rfind(' ').filter(|&space| space > 0).unwrap_or(cut);
    format!("{}…", text[..whole].trim_end())
}

fn is_address(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '[', '<', '"', '\'']).to_ascii_lowercase();
    word.starts_with("https://") || word.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_the_words() {
        let topic = Topic::read("news of (https://a.org/x?y=1), and <http://b.org>.");
        assert_eq!(topic.words, "news of and");
        assert_eq!(topic.urls, ["https://a.org/x?y=1", "http://b.org"]);
        let topic = Topic::read("  plain\n topic ");
        assert_eq!((topic.words.as_str(), topic.urls.len()), ("plain topic", 0));
    }

    #[test]
    fn headings_begin_with_a_capital_and_end_at_a_word() {
        assert_eq!(Topic::read("über Städte").heading(), "Über Städte");
        assert_eq!(Topic::read("https://a.org/").heading(), "Https://a.org/");
        let long = Topic::read(&"wind turbines ".repeat(20)).heading();
        assert!(long.ends_with("wind…") || long.ends_with("turbines…"), "{long}");
        assert!(long.chars().count() <= TITLE_CHARS_MAX + 1);
    }

    #[test]
    fn a_single_long_word_is_cut_within() {
        assert_eq!(shortened("äbcdef", 3), "äbc…");
        assert_eq!(shortened("abc", 3), "abc");
    }
}
