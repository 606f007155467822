//! Learns from the articles that match the topic what else they speak of, and scores every article
//! by that (pseudo-relevance feedback). It helps with topics that the table of related terms does
//! not know; on its own it can raise no article above [`super::CONTEXT_WEIGHT`].

use text::background;

use super::Lengths;
use crate::document::{Document, StemId, Vocabulary};

/// Articles with a lower base score teach nothing.
const TEACHER_SCORE_MIN: f64 = 0.5;
const TEACHERS_MAX: usize = 10;
/// Fewer articles than this share words by chance.
const TEACHERS_MIN: usize = 4;
const TERMS_MAX: usize = 12;
/// A term must stand in this share of the teachers …
const TEACHER_SHARE_MIN: f64 = 0.4;
/// … and be so many times as common there as among the other articles and in general prose.
const LIFT_MIN: f64 = 4.0;

struct Term {
    stem: StemId,
    weight: f64,
}

/// How far each article speaks of what the best articles speak of, 0..1.
pub fn context(
    base: &[f64],
    documents: &[Document],
    vocabulary: &Vocabulary,
    lengths: &Lengths,
) -> Vec<f64> {
    let terms = learn(base, documents, vocabulary);
    let total: f64 = terms.iter().map(|term| term.weight).sum();
    if total == 0.0 {
        return vec![0.0; documents.len()];
    }
    let mut weight_of = vec![None; vocabulary.stems()];
    for (index, term) in terms.iter().enumerate() {
        weight_of[term.stem as usize] = Some(index);
    }
    documents
        .iter()
        .map(|document| {
            let mut counts = vec![0.0; terms.len()];
            for token in document.title.iter().chain(&document.body) {
                if let Some(index) = weight_of[token.stem as usize] {
                    counts[index] += 1.0;
                }
            }
            let divisor = lengths.normaliser(document);
            let saturated = counts.iter().map(|count| count / (count + super::K1 * divisor));
            terms.iter().zip(saturated).map(|(term, sat)| term.weight * sat).sum::<f64>() / total
        })
        .collect()
}

fn learn(base: &[f64], documents: &[Document], vocabulary: &Vocabulary) -> Vec<Term> {
    let mut teachers: Vec<usize> =
        (0..base.len()).filter(|index| base[*index] >= TEACHER_SCORE_MIN).collect();
    teachers.sort_by(|a, b| base[*b].total_cmp(&base[*a]).then(a.cmp(b)));
    teachers.truncate(TEACHERS_MAX);
    if teachers.len() < TEACHERS_MIN {
        return Vec::new();
    }
    let in_teachers = document_counts(teachers.iter().map(|&i| &documents[i]), vocabulary);
    let everywhere = document_counts(documents.iter(), vocabulary);
    let mut terms: Vec<Term> = Vec::new();
    for (stem, (&taught, &overall)) in in_teachers.iter().zip(&everywhere).enumerate() {
        let share = f64::from(taught) / teachers.len() as f64;
        if share < TEACHER_SHARE_MIN {
            continue;
        }
        let stem = StemId::try_from(stem).expect("stems are numbered by StemId");
        let others = f64::from(overall - taught) / (documents.len() - teachers.len()).max(1) as f64;
        let usual = others.max(background::document_share(vocabulary.stem_text(stem)));
        if share / usual >= LIFT_MIN {
            terms.push(Term { stem, weight: share * (share / usual).ln() });
        }
    }
    terms.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.stem.cmp(&b.stem)));
    terms.truncate(TERMS_MAX);
    terms
}

/// How many documents hold each stem, stop words and lone digits and letters left out.
fn document_counts<'d>(
    documents: impl Iterator<Item = &'d Document>,
    vocabulary: &Vocabulary,
) -> Vec<u32> {
    let mut counts = vec![0; vocabulary.stems()];
    let mut last_seen = vec![0_u32; vocabulary.stems()];
    for (number, document) in (1..).zip(documents) {
        for token in document.title.iter().chain(&document.body).filter(|token| !token.stop) {
            let stem = token.stem as usize;
            if token.length > 1 && last_seen[stem] != number {
                last_seen[stem] = number;
                counts[stem] += 1;
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;

    #[test]
    fn neighbours_of_the_topic_are_learnt() {
        let mut vocabulary = Vocabulary::default();
        let mut texts: Vec<(String, f64)> = (0..6)
            .map(|n| (format!("Beekeeping report {n}: hives and varroa mites in the apiary"), 0.8))
            .collect();
        texts.extend((0..20).map(|n| (format!("Council meeting number {n} about roads"), 0.0)));
        texts.push(("Varroa mites found in hives".to_owned(), 0.0));
        let documents: Vec<_> = texts
            .iter()
            .map(|(text, _)| Document::read(&Article::of(text, "", ""), &mut vocabulary))
            .collect();
        let base: Vec<f64> = texts.iter().map(|(_, score)| *score).collect();
        let scores = context(&base, &documents, &vocabulary, &Lengths::of(&documents));
        assert!(scores[26] > 0.2, "{}", scores[26]);
        assert!(scores[10] < 0.05, "{}", scores[10]);
    }

    #[test]
    fn few_articles_teach_nothing() {
        let mut vocabulary = Vocabulary::default();
        let documents =
            vec![Document::read(&Article::of("Hives and mites", "", ""), &mut vocabulary)];
        let scores = context(&[0.9], &documents, &vocabulary, &Lengths::of(&documents));
        assert_eq!(scores, [0.0]);
    }
}
