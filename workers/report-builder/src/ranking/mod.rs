//! Chooses the sentences that stand for many: extractive summarisation by a random walk over the
//! graph of similar sentences (Erkan, Radev, "LexRank", 2004), features of place and title, and
//! maximal marginal relevance against repetition (Carbonell, Goldstein, 1998).
//!
//! ```text
//! weight = (0.34·centrality + 0.26·lead + 0.18·title overlap + 0.22·relevance of the article) ·
//! form lead   = 1 / (1 + 0.6·place in the article) form   = a factor below 1 for questions,
//! quotations, bare pronouns and the like: see `candidates`
//! ```

mod candidates;
mod graph;

pub use candidates::Sentence;

use crate::material::Source;
use graph::Graph;

/// More similar sentences say the same.
const SIMILARITY_MAX: f64 = 0.45;
/// Articles that share so much tell one story.
const STORY_SIMILARITY_MIN: f64 = 0.2;
/// Shorter quotations are given the sentence that follows, so that a reader knows what they are
/// about …
const PASSAGE_CHARS_MIN: usize = 120;
/// … unless both together are longer than this.
const PASSAGE_CHARS_MAX: usize = 330;
/// How much weight counts against novelty.
const MMR_WEIGHT: f64 = 0.72;

/// All sentences of a report that may be quoted, weighed.
#[derive(Debug)]
pub struct Ranking {
    pub sentences: Vec<Sentence>,
    weights: Vec<f64>,
    /// Which sentences resemble each other.
    graph: Graph,
    /// Which articles resemble each other.
    stories: Graph,
}

/// A quotation: a sentence, or two that follow each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    pub text: String,
    /// The sentences in it.
    pub sentences: Vec<usize>,
}

/// What to choose.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    pub sentences_max: usize,
    /// How many sentences may come from one article.
    pub per_source_max: usize,
}

impl Ranking {
    pub fn of(topic: &str, sources: &[Source]) -> Self {
        let sentences = candidates::of(sources);
        let graph = Graph::of(&sentences.iter().map(|s| s.terms.as_slice()).collect::<Vec<_>>());
        let stories: Vec<Vec<String>> = sources.iter().map(story_terms).collect();
        let stories = Graph::of(&stories.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let topic: Vec<String> = text::terms(topic, text::Language::English);
        let centrality = graph.centrality();
        let weights = sentences
            .iter()
            .zip(centrality)
            .map(|(sentence, centrality)| {
                let lead = 1.0 / (1.0 + 0.6 * sentence.place as f64);
                let relevance = sources[sentence.source].relevance.unwrap_or(0.5);
                let mut title = sentence.title_overlap;
                if topic.iter().any(|term| sentence.terms.contains(term)) {
                    title = (title + 0.3).min(1.0);
                }
                let sum = 0.34 * centrality + 0.26 * lead + 0.18 * title + 0.22 * relevance;
                sum * sentence.form
            })
            .collect();
        Self { sentences, weights, graph, stories }
    }

    /// The best sentences of those that `usable` admits, none of which repeats another or one of
    /// `said`. In the order of choice: the most important first.
    pub fn choose(
        &self,
        choice: Choice,
        said: &[usize],
        usable: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut pool: Vec<usize> = (0..self.sentences.len())
            .filter(|index| usable(*index) && !said.contains(index))
            .collect();
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < choice.sentences_max {
            let of_source = |source: usize| {
                chosen.iter().filter(|c| self.sentences[**c].source == source).count()
            };
            let open =
                |index: &usize| of_source(self.sentences[*index].source) < choice.per_source_max;
            let repeats = |index: usize| {
                let others = said.iter().chain(&chosen);
                others.map(|other| self.likeness(index, *other)).fold(0.0, f64::max)
            };
            let best = pool
                .iter()
                .copied()
                .filter(open)
                .map(|index| (index, repeats(index)))
                .filter(|(_, repeats)| *repeats < SIMILARITY_MAX)
                .map(|(index, repeats)| {
                    (index, MMR_WEIGHT * self.weights[index] - (1.0 - MMR_WEIGHT) * repeats)
                })
                // Of equals the first: sentences stand in the order of their sources.
                .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            let Some((index, _)) = best else { break };
            chosen.push(index);
            pool.retain(|other| *other != index);
        }
        chosen
    }

    /// How much two sentences say the same. Those of two articles on one story do, whatever their
    /// words.
    fn likeness(&self, a: usize, b: usize) -> f64 {
        let (source_a, source_b) = (self.sentences[a].source, self.sentences[b].source);
        let of_story = self.stories.similarity(source_a, source_b);
        if source_a != source_b && of_story >= STORY_SIMILARITY_MIN {
            return 1.0;
        }
        self.graph.similarity(a, b)
    }

    /// An article and the others that tell the same story, closest first.
    pub fn support(&self, source: usize, sources_max: usize) -> Vec<usize> {
        let mut others: Vec<(usize, f64)> = self
            .stories
            .neighbours(source)
            .filter(|(_, similarity)| *similarity >= STORY_SIMILARITY_MIN)
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let others = others.into_iter().map(|(other, _)| other);
        std::iter::once(source).chain(others).take(sources_max).collect()
    }

    /// The sentence, and the one that follows it where it is short.
    pub fn passage(&self, index: usize) -> Passage {
        let sentence = &self.sentences[index];
        let alone = Passage { text: sentence.text.clone(), sentences: vec![index] };
        let chars = sentence.text.chars().count();
        let next = self.sentences.get(index + 1).filter(|next| {
            next.source == sentence.source
                && next.place == sentence.place + 1
                && chars < PASSAGE_CHARS_MIN
                && chars + next.text.chars().count() <= PASSAGE_CHARS_MAX
        });
        match next {
            Some(next) => Passage {
                text: format!("{} {}", sentence.text, next.text),
                sentences: vec![index, index + 1],
            },
            None => alone,
        }
    }

    /// The best sentence of one article that was not said yet.
    pub fn best_of(&self, source: usize, said: &[usize]) -> Option<usize> {
        (0..self.sentences.len())
            .filter(|index| self.sentences[*index].source == source && !said.contains(index))
            .max_by(|a, b| self.weights[*a].total_cmp(&self.weights[*b]).then(b.cmp(a)))
    }
}

fn story_terms(source: &Source) -> Vec<String> {
    let language = text::Language::from_code(source.language.as_deref().unwrap_or("en"));
    let mut terms = text::terms(&source.title, language);
    terms.extend(text::terms(&source.body, language));
    terms.sort_unstable();
    terms.dedup();
    terms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use crate::material::Material;
    use serde_json::json;

    fn sources(texts: &[(&str, &str)]) -> Vec<Source> {
        let articles = texts.iter().enumerate().map(|(n, (title, text))| {
            serde_json::from_value::<Article>(
                json!({"id": format!("a{n}"), "title": title, "summary": text, "relevance": 0.8}),
            )
            .unwrap()
        });
        Material::of(&articles.collect::<Vec<_>>()).sources
    }

    fn harvest() -> Vec<Source> {
        sources(&[
            (
                "Wheat harvest falls",
                "The wheat harvest of the region fell by a third after the long drought this \
                 summer. Farmers had asked for water in June. Bread will cost more, bakers warned \
                 on Friday.",
            ),
            (
                "Drought cuts harvest",
                "After the long drought the wheat harvest in the region is a third smaller than \
                 usual. Farmers had wanted water from the river in June; bread will cost more now, \
                 the bakers of the town warned.",
            ),
            (
                "Bridge opens",
                "The new bridge over the river opened to traffic on Monday after four years of \
                 work. Its cost rose to ninety million, the auditors found in a report.",
            ),
        ])
    }

    #[test]
    fn what_several_articles_say_leads_and_is_said_once() {
        let ranking = Ranking::of("harvest", &harvest());
        let choice = Choice { sentences_max: 3, per_source_max: 1 };
        let chosen = ranking.choose(choice, &[], |_| true);
        let said: Vec<&str> = chosen.iter().map(|c| ranking.sentences[*c].text.as_str()).collect();
        assert!(said[0].contains("wheat harvest"), "{said:?}");
        assert_eq!(
            said.iter().filter(|text| text.contains("wheat harvest")).count(),
            1,
            "{said:?}"
        );
    }

    #[test]
    fn support_names_the_other_articles_on_the_story() {
        let ranking = Ranking::of("harvest", &harvest());
        assert_eq!(ranking.support(0, 4), [0, 1]);
        assert_eq!(ranking.support(2, 4), [2]);
    }

    #[test]
    fn short_quotations_are_given_what_follows() {
        let ranking = Ranking::of("harvest", &harvest());
        let of = |needle: &str| {
            let index = ranking.sentences.iter().position(|s| s.text.contains(needle)).unwrap();
            ranking.passage(index)
        };
        assert!(of("The new bridge").text.ends_with("found in a report."));
        assert_eq!(of("Its cost").sentences.len(), 1);
    }

    #[test]
    fn choices_respect_their_limits_and_what_was_said() {
        let ranking = Ranking::of("harvest", &harvest());
        let choice = Choice { sentences_max: 10, per_source_max: 1 };
        let first = ranking.choose(choice, &[], |_| true);
        assert!(first.len() <= 3);
        let second = ranking.choose(choice, &first, |_| true);
        assert!(second.iter().all(|index| !first.contains(index)));
        assert!(ranking.choose(choice, &[], |_| false).is_empty());
    }

    #[test]
    fn nothing_to_rank_is_no_error() {
        let ranking = Ranking::of("harvest", &[]);
        let choice = Choice { sentences_max: 5, per_source_max: 1 };
        assert!(ranking.choose(choice, &[], |_| true).is_empty());
    }
}
