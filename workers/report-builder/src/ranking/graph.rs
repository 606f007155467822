//! The graph of similar texts, sentences or whole articles: cosine of idf vectors, found over an
//! inverted index.

use std::collections::{BTreeMap, HashMap};

/// Weaker similarities are chance.
const EDGE_MIN: f64 = 0.06;
/// A term in more than this share of the sentences joins everything with everything.
const TERM_SHARE_MAX: f64 = 0.2;
/// The share rule needs some sentences to mean anything.
const TERM_SENTENCES_FREE: usize = 12;
const DAMPING: f64 = 0.85;
const ROUNDS: usize = 30;
/// How likely a walk sets out at a sentence that resembles none.
const START: f64 = 0.1;

#[derive(Debug)]
pub struct Graph {
    /// For each text its neighbours and their similarity, by number.
    edges: Vec<BTreeMap<usize, f64>>,
}

impl Graph {
    /// Compares texts by their distinct terms.
    pub fn of(texts: &[&[String]]) -> Self {
        let mut postings: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, terms) in texts.iter().enumerate() {
            for term in *terms {
                postings.entry(term).or_default().push(index);
            }
        }
        let count = texts.len() as f64;
        let idf = |holders: usize| (1.0 + count / holders as f64).ln();
        let norms: Vec<f64> = texts
            .iter()
            .map(|terms| {
                let squares = terms.iter().map(|term| idf(postings[term.as_str()].len()).powi(2));
                squares.sum::<f64>().sqrt()
            })
            .collect();
        let common = (count * TERM_SHARE_MAX) as usize;
        let common = common.max(TERM_SENTENCES_FREE);
        let edges = texts.iter().enumerate().map(|(index, terms)| {
            let mut products: BTreeMap<usize, f64> = BTreeMap::new();
            for term in *terms {
                let holders = &postings[term.as_str()];
                if holders.len() > common {
                    continue;
                }
                let weight = idf(holders.len()).powi(2);
                for holder in holders.iter().filter(|holder| **holder != index) {
                    *products.entry(*holder).or_default() += weight;
                }
            }
            let similar = products
                .into_iter()
                .map(|(other, product)| (other, product / (norms[index] * norms[other])));
            similar.filter(|(_, similarity)| *similarity >= EDGE_MIN).collect()
        });
        Self { edges: edges.collect() }
    }

    pub fn similarity(&self, a: usize, b: usize) -> f64 {
        if a == b { 1.0 } else { self.edges[a].get(&b).copied().unwrap_or_default() }
    }

    pub fn neighbours(&self, index: usize) -> impl Iterator<Item = (usize, f64)> {
        self.edges[index].iter().map(|(other, similarity)| (*other, *similarity))
    }

    /// How often a random walk along similarities comes by, relative to the most visited sentence.
    /// It sets out anew at sentences in proportion to how much they resemble others: few articles
    /// fall into small islands, among which an even start would make no difference.
    pub fn centrality(&self) -> Vec<f64> {
        let count = self.edges.len();
        if count == 0 {
            return Vec::new();
        }
        let totals: Vec<f64> = self.edges.iter().map(|edges| edges.values().sum()).collect();
        let whole: f64 = totals.iter().map(|total| START + total).sum();
        let starts: Vec<f64> = totals.iter().map(|total| (START + total) / whole).collect();
        let mut visits = starts.clone();
        for _ in 0..ROUNDS {
            let mut next: Vec<f64> = starts.iter().map(|start| (1.0 - DAMPING) * start).collect();
            for (index, edges) in self.edges.iter().enumerate() {
                for (other, similarity) in edges {
                    next[*other] += DAMPING * visits[index] * similarity / totals[index];
                }
            }
            visits = next;
        }
        let most = visits.iter().copied().fold(0.0, f64::max);
        visits.iter().map(|visit| visit / most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(texts: &[&[&str]]) -> Graph {
        let owned = |terms: &&[&str]| terms.iter().map(|term| (*term).to_owned()).collect();
        let texts: Vec<Vec<String>> = texts.iter().map(owned).collect();
        Graph::of(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn texts_that_share_rare_terms_are_close() {
        let graph = graph(&[
            &["drought", "harvest", "wheat"],
            &["drought", "harvest", "region"],
            &["bridge", "river"],
        ]);
        assert!(graph.similarity(0, 1) > 0.3);
        assert_eq!(graph.similarity(0, 2), 0.0);
        assert_eq!(graph.similarity(1, 0), graph.similarity(0, 1));
        let centrality = graph.centrality();
        assert!(centrality[0] > centrality[2]);
        assert!(centrality.iter().all(|c| (0.0..=1.0).contains(c)));
    }

    #[test]
    fn empty_texts_do_no_harm() {
        let graph = graph(&[&[], &[]]);
        assert_eq!(graph.similarity(0, 1), 0.0);
        assert_eq!(graph.centrality(), [1.0, 1.0]);
        assert!(self::graph(&[]).centrality().is_empty());
    }
}
