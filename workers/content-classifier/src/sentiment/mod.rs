//! Scores how an article speaks of its subject, from a lexicon of valences with negation,
//! intensifiers and the weight of what follows a "but".
//!
//! ```text
//! sentence = Σ v / √((Σ v)² + 15)          v: a word's valence (−4..4) in its context
//! score    = Σ weight · sentence / (1 + Σ weight of the sentences that are not neutral)
//!            weight: 2 for the title, 1 for a sentence of the body
//! label    = positive from 0.12, negative from −0.12, neutral between
//! ```
//!
//! Languages without a lexicon are neutral with a score of 0: a guess would look like a
//! measurement.

mod lexicon;

use serde::Serialize;

use crate::document::{Document, Token, Vocabulary};
use lexicon::{Lexicon, Role};

/// The label and the score behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sentiment {
    pub label: Label,
    /// −1..1
    pub score: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    Positive,
    Neutral,
    Negative,
}

/// From this score on a text is positive, and below its negative negative.
const LABEL_SCORE_MIN: f64 = 0.12;
/// How slowly the valences of one sentence saturate.
const SATURATION: f64 = 15.0;
const TITLE_WEIGHT: f64 = 2.0;
/// How many words back a negator or an intensifier reaches.
const REACH: usize = 3;
/// What negation makes of a valence: "not good" is less bad than "good" is good.
const NEGATION: f64 = -0.7;
const BEFORE_BUT: f64 = 0.6;
const AFTER_BUT: f64 = 1.3;

impl Sentiment {
    /// A score with its label, rounded to three decimals.
    pub fn of_score(score: f64) -> Self {
        let score = (score.clamp(-1.0, 1.0) * 1000.0).round() / 1000.0;
        let label = if score >= LABEL_SCORE_MIN {
            Label::Positive
        } else if score <= -LABEL_SCORE_MIN {
            Label::Negative
        } else {
            Label::Neutral
        };
        // Adding zero turns −0 into 0.
        Self { label, score: score + 0.0 }
    }
}

/// The lexicons of the languages of one call, numbered for its vocabulary.
#[derive(Debug, Default)]
pub struct Sentiments {
    lexicons: Vec<(&'static str, Lexicon)>,
}

impl Sentiments {
    /// Numbers the lexicons that the documents need.
    pub fn new(documents: &[Document], vocabulary: &mut Vocabulary) -> Self {
        let needed = lexicon::LANGUAGES
            .iter()
            .filter(|language| documents.iter().any(|document| document.language == **language));
        let lexicons = needed.map(|&language| (language, Lexicon::new(language, vocabulary)));
        Self { lexicons: lexicons.collect() }
    }

    pub fn of(&self, document: &Document) -> Sentiment {
        let known = self.lexicons.iter().find(|(language, _)| document.language == *language);
        let Some((_, lexicon)) = known else {
            return Sentiment::of_score(0.0);
        };
        let mut sum = TITLE_WEIGHT * sentence_score(&document.title, lexicon);
        let mut weights = if sum == 0.0 { 0.0 } else { TITLE_WEIGHT };
        for sentence in split_sentences(&document.body) {
            let score = sentence_score(sentence, lexicon);
            sum += score;
            weights += if score == 0.0 { 0.0 } else { 1.0 };
        }
        Sentiment::of_score(sum / (1.0 + weights))
    }
}

fn split_sentences(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    tokens.chunk_by(|_, next| !next.opens_sentence)
}

fn sentence_score(sentence: &[Token], lexicon: &Lexicon) -> f64 {
    let mut valences = vec![None; sentence.len()];
    for found in lexicon.phrases(sentence) {
        valences[found.at] = Some(*found.value);
        // The phrase speaks for its words.
        valences[found.at + 1..found.at + found.words].fill(Some(0.0));
    }
    let but = sentence.iter().position(|token| lexicon.role(token.word) == Role::But);
    let mut sum = 0.0;
    for (at, token) in sentence.iter().enumerate() {
        let valence = match (valences[at], lexicon.role(token.word)) {
            (Some(of_phrase), _) => of_phrase,
            (None, Role::Valence(valence)) => valence,
            (None, Role::None | Role::Negator | Role::Intensifier(_) | Role::But) => continue,
        };
        let emphasis = match but {
            Some(but) if at < but => BEFORE_BUT,
            Some(_) => AFTER_BUT,
            None => 1.0,
        };
        sum += valence * emphasis * context_factor(sentence, at, lexicon);
    }
    sum / (sum * sum + SATURATION).sqrt()
}

/// What the words before place `at`, back to the last punctuation, do to the valence there.
fn context_factor(sentence: &[Token], at: usize, lexicon: &Lexicon) -> f64 {
    let mut factor = 1.0;
    let mut negated = false;
    for back in 1..=REACH.min(at) {
        if sentence[at - back + 1].opens {
            break;
        }
        match lexicon.role(sentence[at - back].word) {
            Role::Negator => negated = true,
            Role::Intensifier(strength) => factor *= strength,
            Role::But => break,
            Role::Valence(_) | Role::None => {}
        }
    }
    if negated { factor * NEGATION } else { factor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;

    fn sentiment(title: &str, body: &str) -> Sentiment {
        let mut vocabulary = Vocabulary::default();
        let documents = [Document::read(&Article::of(title, body, ""), &mut vocabulary)];
        Sentiments::new(&documents, &mut vocabulary).of(&documents[0])
    }

    fn score(text: &str) -> f64 {
        // A neutral opening makes the language plain.
        sentiment("", &format!("The report is about the following matter: {text}")).score
    }

    #[test]
    fn plain_cases() {
        let title = "Patients recover after breakthrough";
        let body = "The treatment was a great success and doctors are optimistic.";
        assert_eq!(sentiment(title, body).label, Label::Positive);
        let title = "Dozens killed as storm destroys town";
        let body = "The disaster left thousands homeless, and fears of disease are growing.";
        assert_eq!(sentiment(title, body).label, Label::Negative);
        let body = "The committee will meet on Tuesday to look at the agenda of the next year.";
        assert_eq!(sentiment("Committee meets", body).label, Label::Neutral);
    }

    #[test]
    fn negation_turns_and_punctuation_stops_it() {
        assert!(score("this is good.") > 0.0);
        assert!(score("this is not good.") < 0.0);
        assert!(score("this is not at all good.") < 0.0);
        assert!(score("the plan isn't safe.") < 0.0);
        assert!(score("no, this is good.") > 0.0);
        assert!(score("it was never a failure.") > 0.0);
    }

    #[test]
    fn intensifiers_scale() {
        assert!(score("an extremely good result.") > score("a good result."));
        assert!(score("a slightly good result.") < score("a good result."));
        assert!(score("an extremely bad result.") < score("a bad result."));
    }

    #[test]
    fn what_follows_but_weighs_more() {
        assert!(score("the food was good but the service was bad.") < 0.0);
        assert!(score("the service was bad but the food was good.") > 0.0);
    }

    #[test]
    fn inflections_are_found_and_look_alikes_are_not() {
        assert!(score("sales were soaring and margins improving.") > 0.0);
        assert!(score("officials worried about the collapses.") < 0.0);
        assert_eq!(score("the goods arrived at interest rates of today."), 0.0);
    }

    #[test]
    fn other_languages() {
        let german =
            "Der Durchbruch ist ein großer Erfolg, sagten die Forscher, und macht Hoffnung.";
        assert_eq!(sentiment("Forscher feiern Erfolg", german).label, Label::Positive);
        let french =
            "La catastrophe a fait des victimes et la crise inquiète les habitants du pays.";
        assert_eq!(sentiment("Une catastrophe", french).label, Label::Negative);
        let spanish =
            "El accidente fue una tragedia y causó la muerte de muchas personas en el país.";
        assert_eq!(sentiment("Tragedia en el norte", spanish).label, Label::Negative);
        let italian =
            "La catastrofe è stata terribile e ha distrutto molte case della nostra città.";
        assert_eq!(sentiment("Catastrofe", italian), Sentiment::of_score(0.0));
    }

    #[test]
    fn zero_is_written_without_a_sign() {
        assert_eq!(serde_json::to_string(&Sentiment::of_score(-0.0001).score).unwrap(), "0.0");
    }
}
