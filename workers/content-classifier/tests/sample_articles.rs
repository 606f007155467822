//! Measures the classifier on the labelled sample articles of `workers/sample-feeds`, which it
//! never reads otherwise: precision of the ranking, categories, languages, duplicates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use content_classifier::analysis::{self, Scored};
use content_classifier::contract::AnalyzeRequest;
use serde_json::{Value, json};

/// What a reader of the first ten results may expect.
const PRECISION_AT_10_MIN: f64 = 0.7;
/// Below this an article is as good as unrelated to every topic.
const MIN_RELEVANCE: f64 = 0.1;

/// The articles as the fetcher would give them, and the labels. `None` outside the repository.
fn samples() -> Option<(Vec<Value>, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample-feeds");
    let labels = std::fs::read_to_string(folder.join("labels.json")).ok()?;
    let mut files: Vec<_> = std::fs::read_dir(folder.join("articles"))
        .ok()?
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    files.sort();
    let mut articles = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("an article file can be read");
        let listed: Vec<Value> = serde_json::from_str(&text).expect("article files are lists");
        articles.extend(listed.iter().map(as_fetched));
    }
    Some((articles, serde_json::from_str(&labels).expect("labels are JSON")))
}

fn as_fetched(article: &Value) -> Value {
    json!({
        "id": article["id"], "title": article["title"], "summary": article["text"],
        "published_at": article["published_at"], "feed_url": article["feed"],
        "url": format!("https://sample.invalid/{}", article["id"].as_str().unwrap_or_default()),
    })
}

fn analyze(topic: &str, articles: &[Value]) -> (AnalyzeRequest, Vec<Scored>) {
    let input = json!({"topic": topic, "articles": articles});
    let request = serde_json::from_value(input).expect("the samples have the shape of a request");
    let scored = analysis::analyze(&request);
    (request, scored)
}

fn ranked(request: &AnalyzeRequest, scored: &[Scored]) -> Vec<(String, f64)> {
    let mut places: Vec<&Scored> = scored.iter().filter(|s| !s.is_duplicate()).collect();
    places.sort_by(|a, b| b.relevance.total_cmp(&a.relevance).then(a.index.cmp(&b.index)));
    let named = |s: &&Scored| (request.articles[s.index].id.clone(), s.relevance);
    places.iter().map(named).collect()
}

#[test]
fn the_first_ten_results_are_what_readers_labelled() {
    let Some((articles, labels)) = samples() else { return };
    for label in labels["topics"].as_array().expect("labels list topics") {
        let topic = label["topic"].as_str().expect("a topic is text");
        let ids = label["relevant"].as_array().expect("labels list ids");
        let relevant: BTreeSet<&str> = ids.iter().filter_map(Value::as_str).collect();
        let (request, scored) = analyze(topic, &articles);
        let ranked = ranked(&request, &scored);
        let hits = |first: usize| {
            let named = ranked.iter().take(first).filter(|(id, _)| relevant.contains(id.as_str()));
            named.count() as f64
        };
        let precision = hits(10) / 10.0;
        let recall = hits(relevant.len()) / relevant.len() as f64;
        println!("{topic}: precision at 10 {precision:.2}, at {} {recall:.2}", relevant.len());
        for (place, (id, relevance)) in ranked.iter().take(2 * relevant.len()).enumerate() {
            let mark = if relevant.contains(id.as_str()) { "+" } else { " " };
            println!("  {place:2} {mark} {relevance:.3} {id}");
        }
        assert!(precision >= PRECISION_AT_10_MIN, "{topic}: {precision}");
        assert!(recall >= 0.6, "{topic}: {recall}");
    }
}

#[test]
fn an_unrelated_topic_finds_next_to_nothing() {
    let Some((articles, _)) = samples() else { return };
    let (_, scored) = analyze("medieval tapestry weaving", &articles);
    let found = scored.iter().filter(|s| s.relevance >= MIN_RELEVANCE).count();
    assert!(found <= articles.len() / 50, "{found}");
}

#[test]
fn languages_are_those_of_the_articles() {
    let Some((articles, _)) = samples() else { return };
    let (request, scored) = analyze("news", &articles);
    for article in &scored {
        let id = &request.articles[article.index].id;
        let expected = id.split('-').next().filter(|part| matches!(*part, "de" | "fr" | "es"));
        assert_eq!(article.language, expected.unwrap_or("en"), "{id}");
    }
}

#[test]
fn most_articles_of_a_feed_share_its_category() {
    let Some((articles, _)) = samples() else { return };
    let (request, scored) = analyze("news", &articles);
    let mut by_prefix: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for article in &scored {
        let id = &request.articles[article.index].id;
        let prefix = id.split('-').next().unwrap_or_default();
        *by_prefix.entry(prefix).or_default().entry(article.category).or_default() += 1;
    }
    for (prefix, expected) in EXPECTED {
        let found = &by_prefix[prefix];
        let right: usize = expected.iter().filter_map(|category| found.get(category)).sum();
        let all: usize = found.values().sum();
        println!("{prefix}: {right} of {all} {found:?}");
        assert!(right * 2 > all, "{prefix}: {found:?}");
    }
}

/// The subject of each file of articles, by the beginning of its ids.
const EXPECTED: &[(&str, &[&str])] = &[
    ("agri", &["food and agriculture"]),
    ("ai", &["artificial intelligence"]),
    ("climate", &["climate", "energy"]),
    ("cyber", &["security"]),
    ("econ", &["finance and economy", "business"]),
    ("edu", &["education"]),
    ("health", &["health"]),
    ("soft", &["software engineering"]),
    ("space", &["space"]),
    ("sport", &["sport"]),
];

#[test]
fn distinct_articles_are_no_duplicates_and_edited_copies_are() {
    let Some((mut articles, _)) = samples() else { return };
    let (_, scored) = analyze("news", &articles);
    assert!(scored.iter().all(|article| !article.is_duplicate()));
    let originals = articles.len();
    for original in (0..originals).step_by(7) {
        let mut copy = articles[original].clone();
        let text = copy["summary"].as_str().expect("an article has a text").to_owned();
        let edited = format!("{} Read more on our pages.", text.replacen("the ", "that ", 2));
        copy["id"] = json!(format!("copy-{original}"));
        copy["url"] = json!(format!("https://copies.invalid/{original}"));
        copy["title"] = json!(format!("As reported elsewhere, part {original}"));
        copy["summary"] = json!(edited);
        copy["published_at"] = json!("2026-12-31T00:00:00Z");
        articles.push(copy);
    }
    let (_, scored) = analyze("news", &articles);
    for (copy, original) in (originals..).zip((0..originals).step_by(7)) {
        assert_eq!(scored[copy].repeats, Some(original), "{}", articles[original]["id"]);
    }
    assert!(scored[..originals].iter().all(|article| !article.is_duplicate()));
}
