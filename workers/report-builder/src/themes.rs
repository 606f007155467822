//! Groups the sources of a report into themes: the angles that the research found, where they fit
//! the articles, else the categories of the classifier.

use std::collections::{BTreeMap, BTreeSet};

use text::{Language, clean};

use crate::contract::Angle;
use crate::material::{GENERAL, Material, Source};
use crate::prose;

/// Articles on one side of the topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    pub title: String,
    /// Places among the sources, in their order.
    pub sources: Vec<usize>,
}

/// The theme of what fits nowhere.
pub const OTHER: &str = "Other coverage";

const TITLE_CHARS_MAX: usize = 90;
/// A term of an angle in the title, among the keywords, in the text of an article.
const TITLE_POINTS: f64 = 3.0;
const KEYWORD_POINTS: f64 = 2.0;
const BODY_POINTS: f64 = 1.0;
/// Fewer points are chance: about one telling term in the title, or a common and a rarer one.
const POINTS_MIN: f64 = 2.0;
/// What a term of this rarity (−ln of its share of general articles) counts in full.
const RARITY_FULL: f64 = 4.0;
/// From so many articles on a category of one is no theme.
const LONERS_FROM: usize = 8;
/// Angles are used where at least so many of them hold two articles …
const ANGLES_USED_MIN: usize = 2;
/// … and together this share of all.
const COVERED_MIN: f64 = 0.5;

/// The themes, largest first, [`OTHER`] last. Every source stands in exactly one.
pub fn group(topic: &str, material: &Material, angles: &[Angle]) -> Vec<Theme> {
    by_angles(topic, material, angles).unwrap_or_else(|| by_categories(material))
}

fn by_categories(material: &Material) -> Vec<Theme> {
    let members_min = if material.sources.len() >= LONERS_FROM { 2 } else { 1 };
    let mut themes = Vec::new();
    let mut other: Vec<usize> = Vec::new();
    for (category, count) in material.categories() {
        let members =
            places(&material.sources, |source| source.category.as_deref() == Some(category));
        if category == GENERAL || count < members_min {
            other.extend(members);
        } else {
            themes.push(Theme { title: prose::capitalised(category), sources: members });
        }
    }
    other.extend(places(&material.sources, |source| source.category.is_none()));
    if !other.is_empty() {
        other.sort_unstable();
        let title = if themes.is_empty() { "Coverage" } else { OTHER };
        themes.push(Theme { title: title.to_owned(), sources: other });
    }
    themes
}

fn places(sources: &[Source], of_theme: impl Fn(&Source) -> bool) -> Vec<usize> {
    (0..sources.len()).filter(|place| of_theme(&sources[*place])).collect()
}

fn by_angles(topic: &str, material: &Material, angles: &[Angle]) -> Option<Vec<Theme>> {
    let topic: BTreeSet<String> = text::terms(topic, Language::English).into_iter().collect();
    let angles: Vec<(String, BTreeSet<String>)> =
        angles.iter().filter_map(|angle| read_angle(angle, &topic)).collect();
    let mut spread: BTreeMap<&str, f64> = BTreeMap::new();
    for term in angles.iter().flat_map(|(_, terms)| terms) {
        *spread.entry(term).or_default() += 1.0;
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); angles.len()];
    let mut other = Vec::new();
    for (place, source) in material.sources.iter().enumerate() {
        let points = TermPoints::of(source);
        // A term that many angles share tells little about each, and so does a common word.
        let worth = |term: &String| rarity(term) / RARITY_FULL / spread[term.as_str()];
        let score = |terms: &BTreeSet<String>| -> f64 {
            terms.iter().map(|term| points.of_term(term) * worth(term)).sum()
        };
        let best = (0..angles.len())
            .map(|angle| (angle, score(&angles[angle].1)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        match best {
            Some((angle, points)) if points >= POINTS_MIN => members[angle].push(place),
            _ => other.push(place),
        }
    }
    let covered: usize = members.iter().map(Vec::len).sum();
    let used = members.iter().filter(|places| places.len() >= 2).count();
    let enough = covered as f64 >= COVERED_MIN * material.sources.len() as f64;
    if used < ANGLES_USED_MIN || !enough {
        return None;
    }
    let mut themes: Vec<Theme> = angles
        .into_iter()
        .zip(members)
        .filter(|(_, sources)| !sources.is_empty())
        .map(|((title, _), sources)| Theme { title, sources })
        .collect();
    themes.sort_by_key(|theme| std::cmp::Reverse(theme.sources.len()));
    if !other.is_empty() {
        themes.push(Theme { title: OTHER.to_owned(), sources: other });
    }
    Some(themes)
}

/// The heading of an angle and the terms that set it apart from the topic.
fn read_angle(angle: &Angle, topic: &BTreeSet<String>) -> Option<(String, BTreeSet<String>)> {
    let title = clean::plain_line(&angle.title);
    let texts = [title.as_str(), angle.query.as_str()];
    let texts = texts.into_iter().chain(angle.keywords.iter().map(String::as_str));
    let terms: BTreeSet<String> = texts
        .flat_map(|text| text::terms(&text::clean::line(text), Language::English))
        .filter(|term| !topic.contains(term))
        .collect();
    let heading = prose::capitalised(&clean::shorten(&title, TITLE_CHARS_MAX));
    (!heading.is_empty() && !terms.is_empty()).then_some((heading, terms))
}

fn rarity(term: &str) -> f64 {
    -text::background::document_share(term).ln()
}

/// What each term of an article is worth.
struct TermPoints {
    points: BTreeMap<String, f64>,
}

impl TermPoints {
    fn of(source: &Source) -> Self {
        let mut points: BTreeMap<String, f64> = BTreeMap::new();
        let mut add = |text: &str, worth: f64| {
            for term in text::terms(text, Language::English) {
                let known = points.entry(term).or_default();
                *known = known.max(worth);
            }
        };
        add(&source.body, BODY_POINTS);
        source.keywords.iter().for_each(|keyword| add(keyword, KEYWORD_POINTS));
        add(&source.title, TITLE_POINTS);
        Self { points }
    }

    fn of_term(&self, term: &str) -> f64 {
        self.points.get(term).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use serde_json::json;

    fn material(articles: &[(&str, &str)]) -> Material {
        let read = |(title, category): &(&str, &str)| {
            let category = (!category.is_empty()).then_some(category);
            serde_json::from_value::<Article>(
                json!({"id": title, "title": title, "category": category}),
            )
            .unwrap()
        };
        Material::of(&articles.iter().map(read).collect::<Vec<_>>())
    }

    fn angle(title: &str, keywords: &[&str]) -> Angle {
        let keywords = keywords.iter().map(|keyword| (*keyword).to_owned()).collect();
        Angle { title: title.to_owned(), keywords, ..Angle::default() }
    }

    fn titles(themes: &[Theme]) -> Vec<&str> {
        themes.iter().map(|theme| theme.title.as_str()).collect()
    }

    #[test]
    fn categories_are_themes_largest_first() {
        let material = material(&[
            ("a", "energy"),
            ("b", "general"),
            ("c", "energy"),
            ("d", "politics"),
            ("e", ""),
        ]);
        let themes = group("power", &material, &[]);
        assert_eq!(titles(&themes), ["Energy", "Politics", OTHER]);
        assert_eq!(themes.iter().map(|t| t.sources.len()).sum::<usize>(), 5);
    }

    #[test]
    fn angles_that_fit_the_articles_are_themes() {
        let material = material(&[
            ("Turbines at sea", "energy"),
            ("More turbines", "energy"),
            ("Batteries for homes", "energy"),
            ("A battery for the grid", "energy"),
            ("Something else", "energy"),
        ]);
        let angles = [angle("wind at sea", &["turbine"]), angle("storage", &["battery"])];
        let themes = group("energy", &material, &angles);
        assert_eq!(titles(&themes), ["Wind at sea", "Storage", OTHER]);
        assert_eq!(themes[1].sources.len(), 2);
    }

    #[test]
    fn angles_that_do_not_fit_are_left() {
        let material = material(&[("Turbines at sea", "energy"), ("Grid", "energy")]);
        let angles = [angle("nuclear", &["reactor"]), angle("coal", &["mine"])];
        assert_eq!(titles(&group("energy", &material, &angles)), ["Energy"]);
    }

    #[test]
    fn without_categories_there_is_one_theme() {
        assert_eq!(titles(&group("x", &material(&[("a", ""), ("b", "")]), &[])), ["Coverage"]);
        assert!(group("x", &material(&[]), &[]).is_empty());
    }
}
