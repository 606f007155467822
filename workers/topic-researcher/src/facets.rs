//! Owns the facets: from which sides a topic of a category is worth looking at. A question about a
//! medicine and one about a football club are not asked alike.

use std::sync::OnceLock;

const TABLE: &str = include_str!("../data/facets.txt");

/// One side of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facet {
    /// `{}` stands for the topic.
    pub(crate) title: &'static str,
    /// What a query for it adds to the topic.
    pub(crate) words: &'static str,
    pub(crate) keywords: Vec<&'static str>,
}

/// The facets of a category. A category of several words ("climate and energy") has those of the
/// first section that is named in it; an unknown one has the general facets.
pub(crate) fn of(category: Option<&str>) -> &'static [Facet] {
    let category = category.unwrap_or_default();
    let named = |section: &&Section| {
        section.categories.iter().any(|name| {
            *name == category || category.split([' ', '&', ',', '-']).any(|word| word == *name)
        })
    };
    let general = |section: &&Section| section.categories.is_empty();
    let sections = sections();
    let found = sections.iter().find(named).or_else(|| sections.iter().find(general));
    found.map_or(&[], |section| section.facets.as_slice())
}

struct Section {
    categories: Vec<&'static str>,
    facets: Vec<Facet>,
}

fn sections() -> &'static [Section] {
    static PARSED: OnceLock<Vec<Section>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut sections: Vec<Section> = Vec::new();
        for line in TABLE.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(names) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                sections.push(Section { categories: list(names), facets: Vec::new() });
            } else if let (Some(section), Some(facet)) = (sections.last_mut(), facet(line)) {
                section.facets.push(facet);
            }
        }
        sections
    })
}

fn facet(line: &'static str) -> Option<Facet> {
    let mut parts = line.split('|').map(str::trim);
    let (title, words, keywords) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Facet { title, words, keywords: list(keywords) })
}

fn list(text: &'static str) -> Vec<&'static str> {
    text.split(';').map(str::trim).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DEPTH_MAX: usize = 5;

    #[test]
    fn every_line_of_the_table_is_a_facet_and_every_section_has_enough() {
        let lines = TABLE.lines().filter(|line| line.contains('|')).count();
        // The line that explains the form is a comment with bars.
        let comments = TABLE.lines().filter(|l| l.starts_with('#') && l.contains('|')).count();
        let facets: Vec<&Facet> = sections().iter().flat_map(|section| &section.facets).collect();
        assert_eq!(facets.len(), lines - comments);
        for facet in &facets {
            assert_eq!(facet.title.matches("{}").count(), 1, "{}", facet.title);
            assert!(facet.keywords.len() >= 3 && !facet.words.is_empty(), "{}", facet.title);
        }
        for section in sections() {
            assert!(section.facets.len() >= DEPTH_MAX, "{:?}", section.categories);
            let titles: BTreeSet<&str> = section.facets.iter().map(|facet| facet.title).collect();
            assert_eq!(titles.len(), section.facets.len());
        }
    }

    #[test]
    fn every_category_of_the_catalogue_has_facets_of_its_own() {
        let general = of(None);
        for feed in crate::library::catalogue(false).feeds() {
            assert_ne!(of(Some(&feed.category)), general, "{}", feed.category);
        }
    }

    #[test]
    fn categories_of_several_words_find_their_section() {
        assert_eq!(of(Some("climate and energy")), of(Some("climate")));
        assert_eq!(of(Some("agriculture and food")), of(Some("food")));
        assert_eq!(of(Some("health and medicine")), of(Some("health")));
        assert_eq!(of(Some("knitting")), of(None));
        assert_ne!(of(Some("sport")), of(Some("health")));
    }
}
