//! Owns the inverted index: which feeds contain a phrase, in which of their fields, how often. It
//! must not know what a match is worth.

use std::collections::BTreeMap;

use crate::feed::Feed;
use crate::words::stems;

/// The parts of a feed that are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Title,
    Keywords,
    Category,
    Description,
}

pub(crate) const FIELDS: [Field; 4] =
    [Field::Title, Field::Keywords, Field::Category, Field::Description];

impl Field {
    /// As a reason names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Field::Title => "title",
            Field::Keywords => "keywords",
            Field::Category => "category",
            Field::Description => "description",
        }
    }
}

/// How often a phrase stands in each field of one feed. A keyword is a unit: a phrase that is only
/// a part of it counts as that part ("college" in "college football" is one half).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frequency {
    pub(crate) feed: usize,
    pub(crate) by_field: [f64; FIELDS.len()],
}

#[derive(Debug)]
pub(crate) struct Index {
    /// The stems of each feed and field, in order. An empty one separates keywords, so that no
    /// phrase reaches from one into the next.
    feeds: Vec<[Vec<String>; FIELDS.len()]>,
    postings: BTreeMap<String, Vec<usize>>,
    average_stems: [f64; FIELDS.len()],
}

impl Index {
    pub(crate) fn build(feeds: &[Feed]) -> Index {
        let feeds: Vec<_> = feeds.iter().map(fields).collect();
        let mut postings: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut total_stems = [0_usize; FIELDS.len()];
        for (at, fields) in feeds.iter().enumerate() {
            for (field, stems) in fields.iter().enumerate() {
                total_stems[field] += length(stems);
                for stem in stems.iter().filter(|stem| !stem.is_empty()) {
                    let feeds_with = postings.entry(stem.clone()).or_default();
                    if feeds_with.last() != Some(&at) {
                        feeds_with.push(at);
                    }
                }
            }
        }
        let count = feeds.len().max(1) as f64;
        let average_stems = total_stems.map(|total| (total as f64 / count).max(1.0));
        Index { feeds, postings, average_stems }
    }

    /// How many feeds there are.
    pub(crate) fn count(&self) -> usize {
        self.feeds.len()
    }

    /// The feeds that contain the phrase, in their order.
    pub(crate) fn find(&self, phrase: &[String]) -> Vec<Frequency> {
        let lists: Option<Vec<&Vec<usize>>> =
            phrase.iter().map(|stem| self.postings.get(stem)).collect();
        let Some(rarest) = lists.and_then(|lists| lists.into_iter().min_by_key(|list| list.len()))
        else {
            return Vec::new();
        };
        rarest
            .iter()
            .map(|&feed| {
                let fields = &self.feeds[feed];
                let by_field = FIELDS.map(|field| match field {
                    Field::Keywords => units(&fields[field as usize], phrase),
                    _ => occurrences(&fields[field as usize], phrase),
                });
                Frequency { feed, by_field }
            })
            .filter(|frequency| frequency.by_field.iter().any(|&count| count > 0.0))
            .collect()
    }

    /// How long a field is beside the average of all feeds.
    pub(crate) fn relative_length(&self, feed: usize, field: usize) -> f64 {
        length(&self.feeds[feed][field]) as f64 / self.average_stems[field]
    }
}

fn fields(feed: &Feed) -> [Vec<String>; FIELDS.len()] {
    let mut keywords = Vec::new();
    for keyword in &feed.keywords {
        keywords.extend(stems(keyword));
        keywords.push(String::new());
    }
    FIELDS.map(|field| match field {
        Field::Title => stems(&feed.title),
        Field::Keywords => std::mem::take(&mut keywords),
        Field::Category => stems(&feed.category),
        Field::Description => stems(&feed.description),
    })
}

fn occurrences(stems: &[String], phrase: &[String]) -> f64 {
    stems.windows(phrase.len().max(1)).filter(|window| *window == phrase).count() as f64
}

fn units(keywords: &[String], phrase: &[String]) -> f64 {
    keywords
        .split(|stem| stem.is_empty())
        .filter(|keyword| !keyword.is_empty())
        .map(|keyword| occurrences(keyword, phrase) * phrase.len() as f64 / keyword.len() as f64)
        .sum()
}

fn length(stems: &[String]) -> usize {
    stems.iter().filter(|stem| !stem.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let feed = |title: &str, keywords: &[&str], description: &str| Feed {
            url: format!("https://a.org/{title}"),
            title: title.into(),
            site_url: "https://a.org".into(),
            category: "science".into(),
            language: "en".into(),
            keywords: keywords.iter().map(|&word| word.to_owned()).collect(),
            description: description.into(),
            source: None,
            lists: 1,
        };
        Index::build(&[
            feed("Wind Today", &["wind power", "plants"], "About wind power, for farms with wind."),
            feed("Green Homes", &["power", "wind", "heat pumps"], "Homes without gas."),
        ])
    }

    fn find(phrase: &str) -> Vec<(usize, [f64; 4])> {
        index().find(&stems(phrase)).into_iter().map(|f| (f.feed, f.by_field)).collect()
    }

    #[test]
    fn words_are_counted_by_field() {
        assert_eq!(find("wind"), [(0, [1.0, 0.5, 0.0, 2.0]), (1, [0.0, 1.0, 0.0, 0.0])]);
        assert_eq!(find("sciences"), [(0, [0.0, 0.0, 1.0, 0.0]), (1, [0.0, 0.0, 1.0, 0.0])]);
    }

    #[test]
    fn a_phrase_does_not_reach_from_one_keyword_into_the_next() {
        assert_eq!(find("wind power"), [(0, [0.0, 1.0, 0.0, 1.0])]);
        assert_eq!(find("power plants"), []);
        assert_eq!(find("power wind"), []);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(find("tidal"), []);
        assert_eq!(find("wind tidal"), []);
        assert_eq!(index().find(&[]), []);
    }

    #[test]
    fn lengths_are_relative_to_the_average() {
        let index = index();
        assert_eq!(index.count(), 2);
        assert_eq!(index.relative_length(0, 0), 1.0);
        assert!(index.relative_length(0, 3) > index.relative_length(1, 3));
    }
}
