//! What moves over the period of a report: how much is published, and which keywords gain.

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::Timeline;
use crate::material::Material;

/// Fewer dated articles show no movement.
const DATED_MIN: usize = 8;
const RISING_MAX: usize = 6;
const LEADING_MAX: usize = 6;
const LEADING_MIN: usize = 2;
/// The pace changes where one half takes less than this part of the other's time.
const PACE_FACTOR: f64 = 0.6;
/// A keyword rises when so many more articles name it in the later half …
const RISE_MIN: usize = 2;
/// … and at least so many times as many.
const RISE_FACTOR: usize = 2;

/// Movement over the period.
#[derive(Debug, Clone, PartialEq)]
pub struct Trends {
    pub timeline: Timeline,
    /// Articles with a date.
    pub dated: usize,
    /// Where the earlier half of the articles ends, Unix ms.
    pub middle_ms: i64,
    pub pace: Pace,
    /// The keywords of most articles.
    pub leading: Vec<(String, usize)>,
    pub rising: Vec<Rising>,
}

/// Whether the later half of the articles came in less time than the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Quickening,
    Steady,
    Slowing,
}

/// A keyword that gains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rising {
    pub keyword: String,
    pub earlier: usize,
    pub later: usize,
}

impl Trends {
    /// `None` where too few articles have dates, or all have the same day.
    pub fn of(material: &Material) -> Option<Self> {
        let mut dates: Vec<i64> = material.sources.iter().filter_map(|s| s.published_ms).collect();
        if dates.len() < DATED_MIN {
            return None;
        }
        dates.sort_unstable();
        let timeline = Timeline::of(&dates)?;
        let middle_ms = dates[dates.len() / 2];
        let named = count_keywords(material, middle_ms);
        Some(Self {
            timeline,
            dated: dates.len(),
            middle_ms,
            pace: pace(dates[0], middle_ms, dates[dates.len() - 1]),
            leading: leading(&named),
            rising: rising(named),
        })
    }
}

fn pace(first_ms: i64, middle_ms: i64, last_ms: i64) -> Pace {
    let earlier = middle_ms.saturating_sub(first_ms) as f64;
    let later = last_ms.saturating_sub(middle_ms) as f64;
    if later < PACE_FACTOR * earlier {
        Pace::Quickening
    } else if earlier < PACE_FACTOR * later {
        Pace::Slowing
    } else {
        Pace::Steady
    }
}

/// How many articles name each keyword, whatever its form. Undated articles count as earlier ones.
fn count_keywords(material: &Material, middle_ms: i64) -> Vec<Rising> {
    let mut counts: BTreeMap<Vec<String>, Rising> = BTreeMap::new();
    for source in &material.sources {
        let is_later = source.published_ms.is_some_and(|published_ms| published_ms >= middle_ms);
        let mut met: BTreeSet<Vec<String>> = BTreeSet::new();
        for keyword in &source.keywords {
            let form = text::terms(keyword, text::Language::English);
            if form.is_empty() || !met.insert(form.clone()) {
                continue;
            }
            let blank = || Rising { keyword: keyword.clone(), earlier: 0, later: 0 };
            let counted = counts.entry(form).or_insert_with(blank);
            if is_later {
                counted.later += 1;
            } else {
                counted.earlier += 1;
            }
        }
    }
    counts.into_values().collect()
}

fn leading(named: &[Rising]) -> Vec<(String, usize)> {
    let counts = named.iter().map(|r| (r.keyword.clone(), r.earlier + r.later));
    let mut leading: Vec<(String, usize)> = counts.filter(|(_, n)| *n >= LEADING_MIN).collect();
    leading.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    leading.truncate(LEADING_MAX);
    leading
}

fn rising(named: Vec<Rising>) -> Vec<Rising> {
    let gains = |r: &Rising| r.later >= r.earlier + RISE_MIN && r.later >= RISE_FACTOR * r.earlier;
    let mut rising: Vec<Rising> = named.into_iter().filter(gains).collect();
    // The strongest first; the alphabet decides between equals.
    rising.sort_by_key(|r| std::cmp::Reverse((r.later - r.earlier, r.later)));
    rising.truncate(RISING_MAX);
    rising
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Article;
    use serde_json::json;

    fn material(dates: &[(&str, &str)]) -> Material {
        let article = |(n, (day, keyword)): (usize, &(&str, &str))| {
            serde_json::from_value::<Article>(json!({
                "id": n.to_string(), "title": format!("T{n}"), "keywords": [keyword],
                "published_at": format!("2026-11-{day}T10:00:00Z")
            }))
            .unwrap()
        };
        Material::of(&dates.iter().enumerate().map(article).collect::<Vec<_>>())
    }

    #[test]
    fn keywords_that_gain_are_named() {
        let trends = Trends::of(&material(&[
            ("01", "grid"),
            ("02", "coal"),
            ("03", "coal"),
            ("04", "grid"),
            ("08", "Solar power"),
            ("09", "Solar power"),
            ("10", "grid"),
            ("11", "Solar power"),
        ]))
        .unwrap();
        assert_eq!(trends.rising.len(), 1);
        assert_eq!(trends.rising[0].keyword.to_lowercase(), "solar power");
        assert_eq!((trends.rising[0].earlier, trends.rising[0].later), (0, 3));
        assert_eq!(trends.leading[0], ("Solar power".to_owned(), 3));
        assert_eq!(trends.pace, Pace::Quickening);
    }

    #[test]
    fn too_little_shows_no_movement() {
        assert_eq!(Trends::of(&material(&[("01", "a"), ("09", "b")])), None);
        assert_eq!(Trends::of(&material(&[("01", "a"); 12])), None);
    }
}
