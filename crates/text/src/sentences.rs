//! Splits prose into sentences: abbreviations, initials, decimals, quotations and ellipses do not
//! end one. It works on the plain text that [`crate::clean`] makes and returns slices of it.

/// The sentences of a text, trimmed, in order. Paragraph breaks (`"\n\n"`) always end one.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for paragraph in text.split("\n\n") {
        split_paragraph(paragraph, &mut found);
    }
    found
}

fn split_paragraph<'a>(paragraph: &'a str, found: &mut Vec<&'a str>) {
    let mut start = 0;
    let mut scan = 0;
    while let Some(offset) = paragraph[scan..].find(is_terminator) {
        let stop = Stop::at(paragraph, start, scan + offset);
        scan = stop.end;
        if stop.ends_sentence() {
            push_trimmed(found, &paragraph[start..stop.end]);
            start = stop.end;
        }
    }
    push_trimmed(found, &paragraph[start..]);
}

fn push_trimmed<'a>(found: &mut Vec<&'a str>, sentence: &'a str) {
    let sentence = sentence.trim();
    if sentence.contains(char::is_alphanumeric) {
        found.push(sentence);
    }
}

/// A run of terminators with the closing quotation marks after it, and what stands around it.
struct Stop<'a> {
    marks: &'a str,
    before: &'a str,
    after: &'a str,
    end: usize,
}

impl<'a> Stop<'a> {
    fn at(paragraph: &'a str, start: usize, mark_at: usize) -> Self {
        let marks_end = run_end(paragraph, mark_at, is_terminator);
        let end = run_end(paragraph, marks_end, is_closing);
        Self {
            marks: &paragraph[mark_at..marks_end],
            before: &paragraph[start..mark_at],
            after: &paragraph[end..],
            end,
        }
    }

    fn ends_sentence(&self) -> bool {
        if self.marks.contains(['。', '！', '？']) {
            return true;
        }
        if !self.after.is_empty() && !self.after.starts_with(char::is_whitespace) {
            return false;
        }
        let next = self.after.trim_start().trim_start_matches(is_opening);
        let Some(first) = next.chars().next() else {
            return true;
        };
        if first.is_lowercase() {
            return false;
        }
        self.marks != "." || self.full_stop_ends(next)
    }

    fn full_stop_ends(&self, next: &str) -> bool {
        let token = self.before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let token = token.trim_start_matches(is_opening);
        let folded = token.to_lowercase();
        let next_word: String = next.chars().take_while(|c| c.is_alphanumeric()).collect();
        let next_is_number = next_word.starts_with(|c: char| c.is_ascii_digit());
        if listed(NEVER_LAST, &folded) || (next_is_number && listed(BEFORE_NUMBERS, &folded)) {
            return false;
        }
        if token.bytes().all(|b| b.is_ascii_digit()) {
            let is_list_marker = self.before.trim() == token;
            return !is_list_marker && !listed(GERMAN_MONTHS, &next_word.to_lowercase());
        }
        let is_initial = token.chars().count() == 1 && token.chars().all(char::is_uppercase);
        let is_ambiguous = is_initial || listed(SOMETIMES_LAST, &folded) || is_initialism(token);
        !is_ambiguous || listed(STARTERS, &next_word.to_lowercase())
    }
}

fn run_end(text: &str, from: usize, belongs: fn(char) -> bool) -> usize {
    text[from..].find(|c| !belongs(c)).map_or(text.len(), |offset| from + offset)
}

/// Letters with dots between them: "U.S", "Ph.D", "a.m".
fn is_initialism(token: &str) -> bool {
    token.contains('.')
        && token.split('.').all(|part| {
            (1..=2).contains(&part.chars().count()) && part.chars().all(char::is_alphabetic)
        })
}

fn listed(list: &str, word: &str) -> bool {
    !word.is_empty() && list.split_ascii_whitespace().any(|entry| entry == word)
}

fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '”' | '’' | '»' | '“' | '」' | '』' | '）')
}

fn is_opening(c: char) -> bool {
    matches!(c, '"' | '\'' | '(' | '[' | '“' | '‘' | '«' | '„' | '¿' | '¡' | '「' | '『')
}

/// Titles and connectives: a name or an example follows.
const NEVER_LAST: &str = "
mr mrs ms dr prof sen rep gov gen col lt sgt capt cmdr maj adm rev hon pres supt st mt ft messrs mme
mlle herr fr vs v e.g i.e cf viz approx ca esp incl z.b d.h u.a bzw vgl sog p.ej dres sra srta ing
";

/// Abbreviations when a number follows; as words they may end a sentence.
const BEFORE_NUMBERS: &str = "
no nos nr fig figs vol p pp art sec ch eq est jan feb mar apr jun jul aug sep sept oct nov dec núm
";

const SOMETIMES_LAST: &str = "
inc corp ltd co cos llc plc bros jr sr etc al dept univ assn ave blvd rd mio mrd gmbh est min max
jan feb mar apr jun jul aug sep sept oct nov dec usw
";

const GERMAN_MONTHS: &str = "
januar februar märz april mai juni juli august september oktober november dezember jahrhundert
";

/// Words that begin sentences far more often than they follow an abbreviation inside one.
const STARTERS: &str = "
the a an in it but and he she they we i you this that these those for at on when while after before
as if however its his her their our there what why how some many most no not yet meanwhile still
also although because by from with since last now then once under more such one two all other
";

#[cfg(test)]
mod tests {
    use super::sentences;

    #[test]
    fn plain_sentences() {
        assert_eq!(
            sentences("It works. Does it? Yes! Good"),
            ["It works.", "Does it?", "Yes!", "Good"]
        );
    }

    #[test]
    fn abbreviations_and_initials_do_not_end_a_sentence() {
        for text in [
            "Dr. Smith and Mr. J. K. Jones met Sen. Warren.",
            "Costs fell, e.g. Chips got cheaper vs. Memory.",
            "Acme Inc. Chief Executive Jane Roe said so.",
            "The U.S. Senate passed it.",
            "See Fig. 3 and No. 5 of vol. 2.",
            "It opened on Jan. 5 at 9 a.m. Eastern time.",
        ] {
            assert_eq!(sentences(text), [text]);
        }
    }

    #[test]
    fn abbreviations_may_end_one_before_a_usual_beginning() {
        assert_eq!(
            sentences("It was bought by Acme Inc. The price is secret."),
            ["It was bought by Acme Inc.", "The price is secret."]
        );
        assert_eq!(sentences("They moved to the U.S. In 2020 they left.").len(), 2);
    }

    #[test]
    fn decimals_versions_and_addresses_stay_whole() {
        let text = "Version 3.5 of node.js costs $1.2 million at example.com today.";
        assert_eq!(sentences(text), [text]);
        assert_eq!(sentences("It rose in 2024. Prices fell.").len(), 2);
        assert_eq!(sentences("Am 3. Mai begann es. Dann kam mehr.").len(), 2);
        assert_eq!(sentences("1. First point").len(), 1);
    }

    #[test]
    fn quotations_close_with_their_sentence() {
        assert_eq!(
            sentences("“It works.” She smiled. (It did.) Then \"why?\" he asked."),
            ["“It works.”", "She smiled.", "(It did.)", "Then \"why?\" he asked."]
        );
    }

    #[test]
    fn ellipses_continue_before_lower_case() {
        let text = "Well... maybe. And… Then?!";
        assert_eq!(sentences(text), ["Well... maybe.", "And…", "Then?!"]);
    }

    #[test]
    fn paragraphs_and_other_scripts() {
        assert_eq!(sentences("A heading\n\nThe text."), ["A heading", "The text."]);
        assert_eq!(sentences("今日は。元気？"), ["今日は。", "元気？"]);
        assert_eq!(sentences("¿Qué pasa? ¡Nada! Bien.").len(), 3);
        assert!(sentences(" ... \n\n !").is_empty());
    }
}
