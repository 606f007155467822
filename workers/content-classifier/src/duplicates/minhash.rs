//! MinHash signatures of word triples, and the bands by which similar ones meet.

use std::collections::HashSet;

use crate::document::{Document, StemId};

const WORDS_PER_SHINGLE: usize = 3;
/// Shorter texts resemble each other by chance.
const SHINGLES_MIN: usize = 8;
/// The opening of a text is enough to know it again.
const WORDS_READ_MAX: usize = 400;
/// Bands × rows decide what meets: texts that share half of their shingles meet with a probability
/// of 1 − (1 − 0.5³)³² = 0.986, those that share a tenth with 0.03.
pub const BANDS: usize = 32;
const ROWS: usize = 3;
/// A text that holds this share of another's shingles holds the other.
const CONTAINMENT_MIN: f64 = 0.7;

/// The fingerprint of a text.
#[derive(Debug)]
pub struct Signature {
    minima: [u32; BANDS * ROWS],
    /// Sorted, for exact comparison where two signatures meet.
    shingles: Vec<u64>,
}

impl Signature {
    /// `None` for a text that is too short to be known again.
    pub fn of(document: &Document) -> Option<Self> {
        let end = WORDS_READ_MAX.min(document.body.len());
        let stems: Vec<StemId> = document.body[..end].iter().map(|token| token.stem).collect();
        let distinct: HashSet<u64> = stems.windows(WORDS_PER_SHINGLE).map(hash).collect();
        if distinct.len() < SHINGLES_MIN {
            return None;
        }
        let mut shingles: Vec<u64> = distinct.into_iter().collect();
        shingles.sort_unstable();
        Some(Self { minima: minima(&shingles), shingles })
    }

    /// The key under which texts alike in this band meet.
    pub fn band(&self, band: usize) -> u64 {
        let rows = &self.minima[band * ROWS..(band + 1) * ROWS];
        rows.iter().fold(band as u64, |key, minimum| mix(key ^ u64::from(*minimum)))
    }

    /// The share of all shingles that both have (Jaccard).
    pub fn resemblance(&self, other: &Self) -> f64 {
        let shared = self.shared(other);
        shared as f64 / (self.shingles.len() + other.shingles.len() - shared) as f64
    }

    /// Whether nearly all of the other text stands in this one.
    pub fn holds(&self, other: &Self) -> bool {
        self.shared(other) as f64 >= CONTAINMENT_MIN * other.shingles.len() as f64
    }

    fn shared(&self, other: &Self) -> usize {
        let (mut a, mut b, mut shared) = (0, 0, 0);
        while a < self.shingles.len() && b < other.shingles.len() {
            match self.shingles[a].cmp(&other.shingles[b]) {
                std::cmp::Ordering::Less => a += 1,
                std::cmp::Ordering::Greater => b += 1,
                std::cmp::Ordering::Equal => {
                    (a, b, shared) = (a + 1, b + 1, shared + 1);
                }
            }
        }
        shared
    }
}

fn hash(stems: &[StemId]) -> u64 {
    stems.iter().fold(0x9e37_79b9_7f4a_7c15, |key, stem| mix(key ^ u64::from(*stem)))
}

/// The smallest value of each of the hash functions `a·x + b`, of which the upper half is used.
fn minima(shingles: &[u64]) -> [u32; BANDS * ROWS] {
    let mut minima = [u32::MAX; BANDS * ROWS];
    for (function, minimum) in minima.iter_mut().enumerate() {
        let factor = mix(2 * function as u64 + 1) | 1;
        let offset = mix(2 * function as u64 + 2);
        for shingle in shingles {
            let hashed = (shingle.wrapping_mul(factor).wrapping_add(offset) >> 32) as u32;
            *minimum = hashed.min(*minimum);
        }
    }
    minima
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014): spreads every bit over the word.
fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use crate::document::Vocabulary;

    fn signatures(texts: &[String]) -> Vec<Option<Signature>> {
        let mut vocabulary = Vocabulary::default();
        let read = |text: &String| {
            Signature::of(&Document::read(&Article::of("", text, ""), &mut vocabulary))
        };
        texts.iter().map(read).collect()
    }

    fn words(range: std::ops::Range<u32>) -> String {
        range.map(|n| format!("word{n} ")).collect()
    }

    #[test]
    fn resemblance_is_the_share_of_common_shingles() {
        let texts = [words(0..102), words(0..102), words(50..152), words(200..302)];
        let made: Vec<_> = signatures(&texts).into_iter().flatten().collect();
        assert_eq!(made[0].resemblance(&made[1]), 1.0);
        assert!((made[0].resemblance(&made[2]) - 50.0 / 150.0).abs() < 1e-9);
        assert_eq!(made[0].resemblance(&made[3]), 0.0);
    }

    #[test]
    fn similar_texts_meet_in_some_band_and_others_in_none() {
        let texts = [words(0..100), words(10..100), words(500..600)];
        let made: Vec<_> = signatures(&texts).into_iter().flatten().collect();
        let meets = |a: &Signature, b: &Signature| (0..BANDS).any(|n| a.band(n) == b.band(n));
        assert!(meets(&made[0], &made[1]));
        assert!(!meets(&made[0], &made[2]));
    }

    #[test]
    fn short_texts_have_no_signature() {
        assert!(signatures(&["only five words stand here".to_owned()])[0].is_none());
    }
}
