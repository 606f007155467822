//! The suffix-stripping algorithm of M. F. Porter ("An algorithm for suffix stripping", Program 14,
//! 1980), with the author's two later corrections (`logi` and `bli`). It must stay deterministic:
//! index and query are stemmed apart.

/// The stem of a folded word. What is not a plain ASCII word of three letters or more is returned
/// unchanged.
pub fn english(word: &str) -> String {
    if word.len() < 3 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut stem = Stem { letters: word.as_bytes().to_vec() };
    stem.plural();
    stem.past_and_progressive();
    stem.final_y();
    stem.replace_longest(LONG_SUFFIXES, 0);
    stem.replace_longest(MEDIUM_SUFFIXES, 0);
    stem.drop_longest();
    stem.final_e();
    stem.double_l();
    String::from_utf8(stem.letters).expect("ASCII letters in, ASCII letters out")
}

const LONG_SUFFIXES: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

const MEDIUM_SUFFIXES: &[(&str, &str)] = &[
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

const DROPPED_SUFFIXES: &[&str] = &[
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
];

struct Stem {
    letters: Vec<u8>,
}

impl Stem {
    fn plural(&mut self) {
        if self.ends("sses") || self.ends("ies") {
            self.cut(2);
        } else if self.ends("s") && !self.ends("ss") {
            self.cut(1);
        }
    }

    fn past_and_progressive(&mut self) {
        if self.ends("eed") {
            if self.measure(3) > 0 {
                self.cut(1);
            }
            return;
        }
        let suffix = match () {
            () if self.ends("ed") && self.has_vowel(2) => 2,
            () if self.ends("ing") && self.has_vowel(3) => 3,
            () => return,
        };
        self.cut(suffix);
        if self.ends("at") || self.ends("bl") || self.ends("iz") {
            self.letters.push(b'e');
        } else if self.double_consonant()
            && !matches!(self.letters.last(), Some(b'l' | b's' | b'z'))
        {
            self.cut(1);
        } else if self.measure(0) == 1 && self.short_syllable(0) {
            self.letters.push(b'e');
        }
    }

    fn final_y(&mut self) {
        if self.ends("y") && self.has_vowel(1) {
            self.replace(1, "i");
        }
    }

    fn replace_longest(&mut self, rules: &[(&str, &str)], measure_above: usize) {
        let longest = rules
            .iter()
            .filter(|(suffix, _)| self.ends(suffix))
            .max_by_key(|(suffix, _)| suffix.len());
        if let Some((suffix, replacement)) = longest
            && self.measure(suffix.len()) > measure_above
        {
            self.replace(suffix.len(), replacement);
        }
    }

    fn drop_longest(&mut self) {
        let longest = DROPPED_SUFFIXES.iter().filter(|s| self.ends(s)).max_by_key(|s| s.len());
        let Some(suffix) = longest else { return };
        let kept = self.letters.len() - suffix.len();
        let allowed =
            *suffix != "ion" || (kept > 0 && matches!(self.letters[kept - 1], b's' | b't'));
        if allowed && self.measure(suffix.len()) > 1 {
            self.cut(suffix.len());
        }
    }

    fn final_e(&mut self) {
        if !self.ends("e") {
            return;
        }
        let measure = self.measure(1);
        if measure > 1 || (measure == 1 && !self.short_syllable(1)) {
            self.cut(1);
        }
    }

    fn double_l(&mut self) {
        if self.ends("ll") && self.measure(0) > 1 {
            self.cut(1);
        }
    }

    fn ends(&self, suffix: &str) -> bool {
        self.letters.ends_with(suffix.as_bytes())
    }

    fn cut(&mut self, count: usize) {
        self.letters.truncate(self.letters.len() - count);
    }

    fn replace(&mut self, count: usize, replacement: &str) {
        self.cut(count);
        self.letters.extend_from_slice(replacement.as_bytes());
    }

    fn is_consonant(&self, at: usize) -> bool {
        match self.letters[at] {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => at == 0 || !self.is_consonant(at - 1),
            _ => true,
        }
    }

    /// How many vowel-consonant sequences the word has without its last `suffix` letters: Porter's
    /// m.
    fn measure(&self, suffix: usize) -> usize {
        let kept = self.letters.len() - suffix;
        let consonants: Vec<bool> = (0..kept).map(|at| self.is_consonant(at)).collect();
        consonants.windows(2).filter(|pair| !pair[0] && pair[1]).count()
    }

    fn has_vowel(&self, suffix: usize) -> bool {
        (0..self.letters.len() - suffix).any(|at| !self.is_consonant(at))
    }

    fn double_consonant(&self) -> bool {
        let count = self.letters.len();
        count >= 2
            && self.letters[count - 1] == self.letters[count - 2]
            && self.is_consonant(count - 1)
    }

    /// Consonant, vowel, consonant other than w, x, y before the last `suffix` letters: Porter's
    /// *o.
    fn short_syllable(&self, suffix: usize) -> bool {
        let kept = self.letters.len() - suffix;
        kept >= 3
            && self.is_consonant(kept - 1)
            && !self.is_consonant(kept - 2)
            && self.is_consonant(kept - 3)
            && !matches!(self.letters[kept - 1], b'w' | b'x' | b'y')
    }
}

#[cfg(test)]
mod tests {
    use super::english;

    #[test]
    fn follows_the_published_examples() {
        for (word, stem) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("motoring", "motor"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("sized", "size"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("hissing", "hiss"),
            ("failing", "fail"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("conditional", "condit"),
            ("rational", "ration"),
            ("digitizer", "digit"),
            ("operator", "oper"),
            ("feudalism", "feudal"),
            ("decisiveness", "decis"),
            ("hopefulness", "hope"),
            ("triplicate", "triplic"),
            ("formative", "form"),
            ("electrical", "electr"),
            ("goodness", "good"),
            ("revival", "reviv"),
            ("allowance", "allow"),
            ("inference", "infer"),
            ("airliner", "airlin"),
            ("adjustable", "adjust"),
            ("replacement", "replac"),
            ("adoption", "adopt"),
            ("effective", "effect"),
            ("probate", "probat"),
            ("rate", "rate"),
            ("cease", "ceas"),
            ("controll", "control"),
            ("roll", "roll"),
        ] {
            assert_eq!(english(word), stem, "{word}");
        }
    }

    #[test]
    fn joins_the_forms_of_one_word() {
        assert_eq!(english("regulation"), english("regulations"));
        assert_eq!(english("trained"), english("training"));
        assert_eq!(english("technologies"), english("technology"));
        assert_ne!(english("policy"), english("police"));
    }

    #[test]
    fn leaves_everything_else_alone() {
        for word in ["ai", "3.5", "c++", "zürich", "u.s", "人工", ""] {
            assert_eq!(english(word), word);
        }
    }
}
