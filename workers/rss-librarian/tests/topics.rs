//! Topics that the worker's code does not read, against the catalogues that it serves: the right
//! feeds come first, and different topics get different feeds.

use std::collections::BTreeSet;

use rss_librarian::health::HealthBook;
use rss_librarian::library::catalogue;
use rss_librarian::sources::{GENERAL, Source, SourcesInput, find};
use serde::Deserialize;

const SHARED_MAX: f64 = 0.20;
const PRECISION_AT: usize = 10;
const PRECISION_MIN: f64 = 0.90;

#[derive(Deserialize)]
struct Topics {
    topics: Vec<Topic>,
    unknown: Vec<String>,
}

#[derive(Deserialize)]
struct Topic {
    topic: String,
    /// Topics of one domain may share feeds.
    domain: String,
    /// Categories that the first feed may have.
    expected: Vec<String>,
    /// Categories that count as right among the first ten.
    accepted: Vec<String>,
    /// Titles that the first ten must hold.
    must_find: Vec<String>,
}

fn topics() -> Topics {
    serde_json::from_str(include_str!("topics.json")).expect("the topics are well-formed")
}

fn sources(topic: &str, offline: bool) -> Vec<Source> {
    let input: SourcesInput = serde_json::from_value(serde_json::json!({"topic": topic}))
        .expect("a topic alone is an input");
    find(catalogue(offline), &input, &HealthBook::default()).sources
}

fn urls(topic: &str, offline: bool) -> BTreeSet<String> {
    sources(topic, offline).into_iter().map(|source| source.url).collect()
}

/// The share of two answers' feeds that stands in both.
fn shared(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    one.intersection(other).count() as f64 / one.union(other).count().max(1) as f64
}

#[test]
fn the_first_feed_has_the_expected_category_and_known_feeds_are_found() {
    let mut wrong = Vec::new();
    for topic in topics().topics {
        let found = sources(&topic.topic, false);
        let first = found.first().map(|source| source.category.clone()).unwrap_or_default();
        if !topic.expected.contains(&first) {
            wrong.push(format!("{:?} is led by {first:?}", topic.topic));
        }
        let best: Vec<&str> =
            found.iter().take(PRECISION_AT).map(|source| source.title.as_str()).collect();
        for title in topic.must_find {
            if !best.contains(&title.as_str()) {
                wrong.push(format!("{:?} lacks {title:?} among {best:?}", topic.topic));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn precision_at_ten_is_high() {
    let mut sum = 0.0;
    let topics = topics().topics;
    for topic in &topics {
        let found = sources(&topic.topic, false);
        let best: Vec<&Source> = found.iter().take(PRECISION_AT).collect();
        assert!(!best.is_empty(), "{:?} finds nothing", topic.topic);
        let right = best.iter().filter(|source| topic.accepted.contains(&source.category)).count();
        let precision = right as f64 / best.len() as f64;
        println!(
            "{precision:.2}  {:2} feeds  {:.3}..{:.3}  {}  <- {}",
            found.len(),
            found[0].relevance,
            found[found.len() - 1].relevance,
            topic.topic,
            best.iter().map(|s| s.title.as_str()).collect::<Vec<_>>().join(" | "),
        );
        sum += precision;
    }
    let mean = sum / topics.len() as f64;
    println!("precision at {PRECISION_AT} over {} topics: {mean:.3}", topics.len());
    assert!(mean >= PRECISION_MIN, "{mean}");
}

#[test]
fn topics_of_different_domains_share_less_than_a_fifth_of_their_feeds() {
    let topics = topics().topics;
    let found: Vec<BTreeSet<String>> =
        topics.iter().map(|topic| urls(&topic.topic, false)).collect();
    let (mut pairs, mut apart, mut worst) = (0, 0, 0.0_f64);
    let mut wrong = Vec::new();
    for one in 0..topics.len() {
        for other in one + 1..topics.len() {
            if topics[one].domain == topics[other].domain {
                continue;
            }
            let share = shared(&found[one], &found[other]);
            if share >= SHARED_MAX {
                let pair = (&topics[one].topic, &topics[other].topic);
                wrong.push(format!("{pair:?} share {share:.2}"));
            }
            (pairs, worst) = (pairs + 1, worst.max(share));
            apart += u32::from(share == 0.0);
        }
    }
    println!("{pairs} pairs of topics: {apart} share no feed, the worst share {worst:.3}");
    assert!(pairs >= 100);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unknown_topics_get_general_feeds() {
    for topic in topics().unknown {
        for offline in [false, true] {
            let found = sources(&topic, offline);
            assert!(!found.is_empty(), "{topic}");
            assert!(found.iter().all(|source| source.reason == GENERAL), "{topic}");
        }
    }
}

#[test]
fn the_same_topic_gives_the_same_answer() {
    for topic in topics().topics {
        assert_eq!(sources(&topic.topic, false), sources(&topic.topic, false));
        let shouted = sources(&topic.topic.to_uppercase(), false);
        assert_eq!(shouted[0].url, sources(&topic.topic, false)[0].url, "{}", topic.topic);
    }
}

#[test]
fn sample_feeds_separate_topics_offline() {
    for (topic, first) in [
        ("artificial intelligence", "Model Watch"),
        ("climate change", "Grid & Climate"),
        ("space telescopes", "Orbit Ledger"),
        ("ransomware", "Patch Window"),
        ("inflation and banks", "Ledger Lane"),
        ("software testing", "Stackwright"),
        ("crops and livestock", "Field to Fork"),
        ("schools and teachers", "Classroom Signal"),
        ("clinical trials", "Ward & Lab"),
        ("endurance training of athletes", "Second Wind"),
    ] {
        let found = sources(topic, true);
        assert_eq!(found[0].title, first, "{topic}");
        assert!(found.len() <= 8, "{topic}: {}", found.len());
    }
    let apart = [
        ("artificial intelligence", "agriculture"),
        ("space telescopes", "inflation and banks"),
        ("software testing", "schools and teachers"),
        ("ransomware", "crops and livestock"),
    ];
    for (one, other) in apart {
        let share = shared(&urls(one, true), &urls(other, true));
        assert!(share < SHARED_MAX, "{one}, {other}: {share}");
    }
}
