//! Splits text into words and folds them to a form that compares well. It must not drop or judge
//! words.

/// One word and where it begins, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    pub text: &'a str,
    pub start: usize,
}

/// The words of `text`. Hyphens separate; apostrophes, decimal points and the dots of initialisms
/// ("U.S.") do not. Scripts written without spaces (Chinese, Japanese) give overlapping pairs of
/// characters, the usual unit for searching them.
pub fn words(text: &str) -> Words<'_> {
    Words { text, at: 0 }
}

/// Lower case, without diacritics, typographic apostrophes made plain, the possessive `'s` removed.
pub fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for c in word.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else {
            c.to_lowercase().for_each(|lower| push_base(&mut folded, lower));
        }
    }
    if let Some(stripped) = folded.strip_suffix("'s") {
        folded.truncate(stripped.len());
    }
    folded
}

pub struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let offset = rest.find(char::is_alphanumeric)?;
            let start = self.at + offset;
            let first = self.text[start..].chars().next().expect("find returned its position");
            if is_unspaced(first) {
                if let Some(pair) = self.unspaced_pair(start, first) {
                    return Some(pair);
                }
                continue;
            }
            let end = word_end(self.text, start);
            self.at = end;
            return Some(Word { text: &self.text[start..end], start });
        }
    }
}

impl<'a> Words<'a> {
    /// The pair of characters at `start`, or the lone character of a run of one. `None` after the
    /// last pair of a run.
    fn unspaced_pair(&mut self, start: usize, first: char) -> Option<Word<'a>> {
        let second_at = start + first.len_utf8();
        let second = self.text[second_at..].chars().next().filter(|c| is_unspaced(*c));
        let continues_run = self.text[..start].chars().next_back().is_some_and(is_unspaced);
        self.at = second_at;
        match second {
            Some(second) => {
                Some(Word { text: &self.text[start..second_at + second.len_utf8()], start })
            }
            None if continues_run => None,
            None => Some(Word { text: &self.text[start..second_at], start }),
        }
    }
}

fn word_end(text: &str, start: usize) -> usize {
    let mut end = start;
    let mut chars = text[start..].char_indices().peekable();
    let mut previous = ' ';
    while let Some((offset, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        let belongs = (c.is_alphanumeric() && !is_unspaced(c))
            || next.is_some_and(|next| joins(text, start + offset, previous, c, next));
        if !belongs {
            break;
        }
        end = start + offset + c.len_utf8();
        previous = c;
    }
    end + language_name_suffix(&text[start..end], &text[end..])
}

/// Whether `c`, between two characters of a word, belongs to the word.
fn joins(text: &str, at: usize, previous: char, c: char, next: char) -> bool {
    match c {
        '\'' | '\u{2019}' => previous.is_alphabetic() && next.is_alphabetic(),
        ',' => previous.is_ascii_digit() && next.is_ascii_digit(),
        '.' if previous.is_ascii_digit() => next.is_ascii_digit(),
        '.' => {
            next.is_alphabetic()
                && is_initial(text, at)
                && is_initial(text, at + 1 + next.len_utf8())
        }
        // Combining marks, where a text is not composed.
        '\u{300}'..='\u{36f}' => true,
        _ => false,
    }
}

/// Whether the character before `at` is a single letter: the text before it is the start, a dot or
/// no letter.
fn is_initial(text: &str, at: usize) -> bool {
    let mut before = text[..at].chars().rev();
    let letter = before.next().is_some_and(char::is_alphabetic);
    let alone = before.next().is_none_or(|c| !c.is_alphanumeric());
    let ends = text[at..].chars().next().is_none_or(|c| !c.is_alphanumeric());
    letter && alone && ends
}

/// `C++`, `C#` and `F#` are names.
fn language_name_suffix(word: &str, rest: &str) -> usize {
    let single_letter = word.len() == 1 && word.as_bytes()[0].is_ascii_alphabetic();
    match rest.as_bytes() {
        [b'+', b'+', ..] if single_letter => 2,
        [b'#', ..] if single_letter => 1,
        _ => 0,
    }
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// The Latin letters that European news uses, without their marks. Other scripts stay as they are.
fn push_base(folded: &mut String, c: char) {
    let base = match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' | 'ĉ' | 'ċ' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' | 'ģ' => "g",
        'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
        'ķ' => "k",
        'ł' | 'ľ' | 'ļ' | 'ĺ' => "l",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'þ' => "th",
        '\u{2019}' => "'",
        '\u{300}'..='\u{36f}' => "",
        other => return folded.push(other),
    };
    folded.push_str(base);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        words(text).map(|word| word.text).collect()
    }

    #[test]
    fn splits_at_spaces_hyphens_and_punctuation() {
        assert_eq!(
            split("AI-powered, state-of-the-art (really)!"),
            ["AI", "powered", "state", "of", "the", "art", "really"]
        );
    }

    #[test]
    fn keeps_decimals_apostrophes_initialisms_and_language_names() {
        assert_eq!(
            split("The U.S. didn't raise 3.5% of $1,200 for C++ or C#."),
            ["The", "U.S", "didn't", "raise", "3.5", "of", "1,200", "for", "C++", "or", "C#"]
        );
        assert_eq!(split("It ended.Then"), ["It", "ended", "Then"]);
        assert_eq!(split("10,000.5 v2.0."), ["10,000.5", "v2.0"]);
    }

    #[test]
    fn positions_point_into_the_text() {
        let text = "Über «große» Städte";
        assert!(words(text).all(|word| text[word.start..].starts_with(word.text)));
        assert_eq!(words(text).count(), 3);
    }

    #[test]
    fn unspaced_scripts_give_pairs() {
        assert_eq!(split("人工智能 AI"), ["人工", "工智", "智能", "AI"]);
        assert_eq!(split("猫"), ["猫"]);
        assert_eq!(split("AI人工"), ["AI", "人工"]);
    }

    #[test]
    fn folding_compares_across_case_marks_and_possessives() {
        assert_eq!(fold("OpenAI’s"), "openai");
        assert_eq!(fold("São"), "sao");
        assert_eq!(fold("Straße"), "strasse");
        assert_eq!(fold("ИИ"), "ии");
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(split(""), Vec::<&str>::new());
        assert_eq!(split(" … — !"), Vec::<&str>::new());
    }
}
