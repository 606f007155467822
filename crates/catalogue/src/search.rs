//! Owns the score: how much a feed is about a query, between 0 and 1.
//!
//! Within a subject every phrase is scored by BM25F (Robertson, Zaragoza: "The Probabilistic
//! Relevance Framework: BM25 and Beyond", 2009): occurrences weighted by field, tempered by the
//! field's length and saturated, then damped by how common the phrase is beside the topic's own
//! words. Phrases add up as independent evidence does: 1 − Π(1 − score). A feed's relevance is
//! mostly the average over subjects, weighted by how much they distinguish, so that a feed about
//! two of a topic's subjects stands above a feed about one; its best subject counts for the rest,
//! so that a long topic does not hide it. A subject's home category and the topic's word pairs
//! add a share of what is missing to 1.

use std::collections::BTreeMap;

use crate::feed::Feed;
use crate::index::{FIELDS, Field, Frequency, Index};
use crate::query::{Alternative, Group, Query};

const SATURATION: f64 = 2.0;
/// Of what is missing to 1, for a feed in the home category of a subject that it matches.
const HOME_SHARE: f64 = 0.25;
/// Of what is missing to 1, when all of the topic's word pairs stand in the feed.
const PAIR_SHARE: f64 = 0.15;
/// A subject that no feed knows cannot choose between feeds; it lowers all their scores by this.
const UNKNOWN_WEIGHT: f64 = 0.35;
/// Feeds below are left out.
const RELEVANCE_MIN: f64 = 0.12;
/// Feeds below this share of the best one are left out, unless a wide search is asked for.
pub(crate) const SHARE_OF_BEST_MIN: f64 = 0.35;
/// What the average over subjects counts; the best subject counts the rest.
const AVERAGE_SHARE: f64 = 0.7;
/// Phrases in no more than this share of the feeds are rare enough to count in full.
const RARE_SHARE: f64 = 0.05;
/// A word that no concept names may be about anything.
const PLAIN_WORD_WEIGHT: f64 = 0.7;

/// A feed that is about the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its place among the catalogue's feeds.
    pub feed: usize,
    /// How much it is about the query, 0..1.
    pub relevance: f64,
    /// For each subject that it matches, the phrase that counted most.
    pub matches: Vec<Match>,
}

impl Hit {
    /// What matches, for a person: up to `count` phrases, each with its place.
    pub fn found(&self, count: usize) -> String {
        let mut named: Vec<String> = Vec::new();
        for Match { phrase, field } in &self.matches {
            let name = format!("\"{phrase}\" ({field})");
            if named.len() < count && !named.contains(&name) {
                named.push(name);
            }
        }
        named.join(", ")
    }
}

/// A phrase that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The phrase as it reads.
    pub phrase: String,
    /// `title`, `keywords`, `category` or `description`.
    pub field: &'static str,
}

pub(crate) fn search(
    index: &Index,
    feeds: &[Feed],
    query: &Query,
    share_of_best_min: f64,
) -> Vec<Hit> {
    let subjects: Vec<Subject> =
        query.groups.iter().map(|group| subject(index, feeds, group)).collect();
    let total_weight: f64 = subjects.iter().map(|subject| subject.weight).sum();
    let mut hits: BTreeMap<usize, Hit> = BTreeMap::new();
    let mut best_subjects: BTreeMap<usize, f64> = BTreeMap::new();
    for subject in subjects {
        for (feed, scored) in subject.scores {
            let new = Hit { feed, relevance: 0.0, matches: Vec::new() };
            let hit = hits.entry(feed).or_insert(new);
            hit.relevance += AVERAGE_SHARE * subject.weight * scored.score / total_weight;
            hit.matches.push(scored.best);
            let best = best_subjects.entry(feed).or_default();
            *best = best.max(scored.score * subject.weight.min(1.0));
        }
    }
    for (feed, hit) in &mut hits {
        hit.relevance += (1.0 - AVERAGE_SHARE) * best_subjects[feed];
    }
    for (feed, share) in pair_shares(index, query) {
        if let Some(hit) = hits.get_mut(&feed) {
            hit.relevance += (1.0 - hit.relevance) * PAIR_SHARE * share;
        }
    }
    let mut hits: Vec<Hit> = hits.into_values().collect();
    hits.sort_by(|a, b| {
        let by_url = || feeds[a.feed].url.cmp(&feeds[b.feed].url);
        b.relevance.total_cmp(&a.relevance).then_with(by_url)
    });
    let best = hits.first().map_or(0.0, |hit| hit.relevance);
    let floor = RELEVANCE_MIN.max(best * share_of_best_min);
    hits.retain(|hit| hit.relevance >= floor);
    hits
}

struct Subject {
    weight: f64,
    scores: BTreeMap<usize, Scored>,
}

struct Scored {
    score: f64,
    best_score: f64,
    best: Match,
}

fn subject(index: &Index, feeds: &[Feed], group: &Group) -> Subject {
    let found: Vec<(&Alternative, Vec<Frequency>)> = group
        .alternatives
        .iter()
        .map(|alternative| (alternative, find(index, alternative)))
        .filter(|(_, frequencies)| !frequencies.is_empty())
        .collect();
    // Alternatives stand in the order of their weight: the first one found sets the measure.
    let Some((_, own)) = found.first() else {
        return Subject { weight: group.weight * UNKNOWN_WEIGHT, scores: BTreeMap::new() };
    };
    let own_rarity = rarity(own.len() as f64, index.count());
    let measure = own_rarity.min(rarity(index.count() as f64 * RARE_SHARE, index.count()));
    let mut scores: BTreeMap<usize, Scored> = BTreeMap::new();
    for (alternative, frequencies) in &found {
        let damping = (rarity(frequencies.len() as f64, index.count()) / measure).min(1.0);
        for frequency in frequencies {
            let score = alternative.weight * damping * saturated(index, frequency);
            add(&mut scores, frequency, score, &alternative.text);
        }
    }
    for (&feed, scored) in &mut scores {
        if group.categories.iter().any(|category| feeds[feed].is_of(category)) {
            scored.score += (1.0 - scored.score) * HOME_SHARE;
        }
    }
    let distinguishes = own_rarity / rarity(1.0, index.count());
    let kind = if group.alternatives.len() > 1 { 1.0 } else { PLAIN_WORD_WEIGHT };
    Subject { weight: group.weight * kind * (0.4 + 0.6 * distinguishes), scores }
}

/// Where an alternative stands. A related word that is no more than the name of the category says
/// nothing that the category does not say.
fn find(index: &Index, alternative: &Alternative) -> Vec<Frequency> {
    let mut found = index.find(&alternative.stems);
    if alternative.is_related() {
        for frequency in &mut found {
            frequency.by_field[Field::Category as usize] = 0.0;
        }
        found.retain(|frequency| frequency.by_field.iter().any(|&count| count > 0.0));
    }
    found
}

fn add(scores: &mut BTreeMap<usize, Scored>, found: &Frequency, score: f64, phrase: &str) {
    let best = || Match { phrase: phrase.to_owned(), field: strongest_field(found).name() };
    match scores.get_mut(&found.feed) {
        None => {
            let scored = Scored { score, best_score: score, best: best() };
            scores.insert(found.feed, scored);
        }
        Some(scored) => {
            scored.score = 1.0 - (1.0 - scored.score) * (1.0 - score);
            if score > scored.best_score {
                (scored.best_score, scored.best) = (score, best());
            }
        }
    }
}

/// The share of the topic's neighbouring words that stand side by side in each feed.
fn pair_shares(index: &Index, query: &Query) -> BTreeMap<usize, f64> {
    let mut shares: BTreeMap<usize, f64> = BTreeMap::new();
    for pair in &query.pairs {
        for frequency in index.find(pair) {
            *shares.entry(frequency.feed).or_default() += 1.0 / query.pairs.len() as f64;
        }
    }
    shares
}

/// Inverse document frequency.
fn rarity(feeds_with: f64, feeds: usize) -> f64 {
    (1.0 + (feeds as f64 - feeds_with + 0.5) / (feeds_with + 0.5)).ln()
}

fn saturated(index: &Index, found: &Frequency) -> f64 {
    let weighted: f64 = FIELDS
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let (weight, tempering) = weight_and_tempering(*field);
            let length = index.relative_length(found.feed, at);
            weight * found.by_field[at] / (1.0 - tempering + tempering * length)
        })
        .sum();
    weighted / (SATURATION + weighted)
}

/// What an occurrence counts, and how strongly the field's length tempers it. Keywords and title
/// are chosen words; a description is running text.
fn weight_and_tempering(field: Field) -> (f64, f64) {
    match field {
        Field::Title => (2.5, 0.3),
        Field::Keywords => (2.5, 0.4),
        Field::Category => (2.0, 0.0),
        Field::Description => (1.0, 0.5),
    }
}

fn strongest_field(found: &Frequency) -> Field {
    let order = [Field::Keywords, Field::Title, Field::Category, Field::Description];
    let stands = |field: &Field| found.by_field[*field as usize] > 0.0;
    order.into_iter().find(stands).unwrap_or(Field::Description)
}

#[cfg(test)]
mod tests {
    use crate::{Catalogue, Query};

    const FEEDS: &str = include_str!("../tests/feeds.json");

    fn titles(topic: &str) -> Vec<String> {
        let catalogue = Catalogue::from_json(FEEDS).unwrap();
        let hits = catalogue.search(&Query::topic(topic));
        hits.iter().map(|hit| catalogue.feeds()[hit.feed].title.clone()).collect()
    }

    #[test]
    fn the_feed_about_the_topic_stands_first() {
        assert_eq!(titles("wind turbines")[0], "Wind Weekly");
        assert_eq!(titles("Batterien")[..], [] as [&str; 0]);
        assert_eq!(titles("battery recycling")[0], "Battery Review");
    }

    #[test]
    fn a_related_word_finds_what_the_topic_does_not_name() {
        // "photovoltaics" stands in no feed of this catalogue; "solar power" does.
        assert_eq!(titles("photovoltaics")[0], "Solar Daily");
    }

    #[test]
    fn two_subjects_stand_above_one() {
        let both = titles("wind power and batteries");
        assert_eq!(both[0], "Storage and Wind");
        assert!(both.contains(&"Wind Weekly".to_owned()));
    }

    #[test]
    fn scores_stay_between_zero_and_one_and_fall() {
        let catalogue = Catalogue::from_json(FEEDS).unwrap();
        for topic in ["wind", "solar power", "wind power and batteries", "cooking with batteries"] {
            let hits = catalogue.search(&Query::topic(topic));
            assert!(!hits.is_empty(), "{topic}");
            assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.relevance)), "{topic}");
            assert!(hits.windows(2).all(|pair| pair[0].relevance >= pair[1].relevance), "{topic}");
        }
    }

    #[test]
    fn words_that_no_feed_knows_lower_the_score_but_do_not_hide_the_rest() {
        let catalogue = Catalogue::from_json(FEEDS).unwrap();
        let relevance = |topic: &str| catalogue.search(&Query::topic(topic))[0].relevance;
        assert!(relevance("wind turbines zyxwv") < relevance("wind turbines"));
        assert!(titles("qwertz zyxwv").is_empty());
        assert!(titles("").is_empty());
    }

    #[test]
    fn a_hit_says_what_it_matched_and_where() {
        let catalogue = Catalogue::from_json(FEEDS).unwrap();
        let hit = &catalogue.search(&Query::topic("photovoltaics"))[0];
        assert_eq!(hit.matches[0].phrase, "solar");
        assert_eq!(hit.matches[0].field, "keywords");
        assert_eq!(hit.found(3), "\"solar\" (keywords)");
        let hit = &catalogue.search(&Query::topic("wind and batteries for homes"))[0];
        assert_eq!(hit.found(2), "\"wind\" (keywords), \"batteries\" (keywords)");
        assert_eq!(hit.found(1), "\"wind\" (keywords)");
    }

    #[test]
    fn feeds_of_general_interest_stand_in_and_take_turns() {
        let catalogue = Catalogue::from_json(FEEDS).unwrap();
        let general: Vec<&str> = catalogue
            .general()
            .into_iter()
            .map(|at| catalogue.feeds()[at].title.as_str())
            .collect();
        assert_eq!(general, ["World Desk", "Lab Notes", "World Wire"]);
    }
}
