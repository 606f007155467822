//! The librarian's topics, which no worker's code reads, against what the researcher adds: fitting
//! sources of several angles, and different ones for different topics.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use topic_researcher::library::catalogue;
use topic_researcher::research::{ResearchInput, ResearchOutput, from_catalogue};
use worker_kit::{Validate, Violations};

const SHARED_MAX: f64 = 0.20;
const PRECISION_MIN: f64 = 0.90;

#[derive(Deserialize)]
struct Topics {
    topics: Vec<Topic>,
    unknown: Vec<String>,
}

#[derive(Deserialize)]
struct Topic {
    topic: String,
    domain: String,
    expected: Vec<String>,
    accepted: Vec<String>,
}

fn topics() -> Topics {
    serde_json::from_str(include_str!("../../rss-librarian/tests/topics.json"))
        .expect("the topics are well-formed")
}

fn input(value: Value) -> ResearchInput {
    serde_json::from_value(value).expect("the input has the right types")
}

fn research(value: Value) -> ResearchOutput {
    from_catalogue(catalogue(false), &input(value))
}

fn urls(output: &ResearchOutput) -> BTreeSet<String> {
    output.sources().iter().map(|source| source.url.clone()).collect()
}

#[test]
fn sources_fit_their_topics() {
    let topics = topics().topics;
    let (mut sum, mut wrong) = (0.0, Vec::new());
    for topic in &topics {
        let output = research(json!({"topic": topic.topic}));
        let sources = output.sources();
        assert!(!sources.is_empty(), "{}", topic.topic);
        let category = |at: usize| sources[at].category.clone().unwrap_or_default();
        if !topic.expected.contains(&category(0)) {
            wrong.push(format!("{:?} is led by {:?}", topic.topic, sources[0].title));
        }
        let right = (0..sources.len()).filter(|&at| topic.accepted.contains(&category(at))).count();
        sum += right as f64 / sources.len() as f64;
        println!("{:.2} {:2}  {}", right as f64 / sources.len() as f64, sources.len(), topic.topic);
    }
    let mean = sum / topics.len() as f64;
    println!("precision over {} topics: {mean:.3}", topics.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(mean >= PRECISION_MIN, "{mean}");
}

#[test]
fn topics_of_different_domains_share_less_than_a_fifth_of_their_sources() {
    let topics = topics().topics;
    let found: Vec<BTreeSet<String>> =
        topics.iter().map(|topic| urls(&research(json!({"topic": topic.topic})))).collect();
    let (mut pairs, mut worst) = (0, 0.0_f64);
    for one in 0..topics.len() {
        for other in one + 1..topics.len() {
            if topics[one].domain == topics[other].domain {
                continue;
            }
            let (a, b) = (&found[one], &found[other]);
            let share = a.intersection(b).count() as f64 / a.union(b).count() as f64;
            assert!(share < SHARED_MAX, "{} / {}: {share}", topics[one].topic, topics[other].topic);
            (pairs, worst) = (pairs + 1, worst.max(share));
        }
    }
    println!("{pairs} pairs of topics, the worst share {worst:.3}");
    assert!(pairs >= 100);
}

#[test]
fn depth_sets_the_number_of_angles_and_bounds_the_sources() {
    for depth in 1..=5 {
        let output = research(
            json!({"topic": "artificial intelligence", "depth": depth, "max_sources": 50}),
        );
        assert_eq!(output.angle_count(), depth + 1);
        assert!(output.sources().len() <= depth * 5);
        assert!(output.sources().len() >= depth * 4, "{depth}: {}", output.sources().len());
    }
    let output = research(json!({"topic": "artificial intelligence", "max_sources": 2}));
    assert_eq!(output.sources().len(), 2);
}

#[test]
fn every_angle_has_its_say() {
    let output = research(json!({"topic": "climate change", "depth": 4, "max_sources": 20}));
    let angles: BTreeSet<&str> =
        output.sources().iter().filter_map(|source| source.reason.split('"').nth(1)).collect();
    assert_eq!(angles.len(), 5, "{angles:?}");
}

#[test]
fn a_least_quality_is_kept_and_scores_fall() {
    for min_quality in [0.0, 0.3, 0.6] {
        let output = research(json!({"topic": "inflation", "min_quality": min_quality}));
        let scores: Vec<f64> = output.sources().iter().map(|s| s.quality_score).collect();
        assert!(scores.iter().all(|score| *score >= min_quality && *score <= 1.0), "{scores:?}");
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    }
    assert!(research(json!({"topic": "inflation", "min_quality": 1.0})).sources().is_empty());
}

#[test]
fn unknown_topics_get_general_sources_unless_quality_is_asked_for() {
    for topic in topics().unknown {
        let output = research(json!({"topic": topic}));
        assert_eq!(output.sources().len(), 15, "{topic}");
        assert!(output.sources().iter().all(|source| source.reason == "general"));
        let strict = research(json!({"topic": topic, "min_quality": 0.3}));
        assert!(strict.sources().is_empty(), "{topic}");
    }
}

#[test]
fn any_topic_gives_an_answer_of_the_agreed_form() {
    let long = "Ωmega ".repeat(83);
    for topic in ["a", "🦔", "https://example.org/only-an-address", "\"quoted\" <b>", long.trim()]
    {
        let output = serde_json::to_value(research(json!({"topic": topic}))).expect("plain data");
        assert_eq!(output["topic"], *topic);
        assert_eq!(output["angles"].as_array().map(Vec::len), Some(4), "{topic}");
        let count = output["sources"].as_array().map(Vec::len);
        assert_eq!(output["sources_discovered"].as_u64(), count.map(|count| count as u64));
        assert!(output["avg_quality_score"].as_f64().is_some_and(|score| score <= 1.0));
        for angle in output["angles"].as_array().into_iter().flatten() {
            let fields: Vec<&String> =
                angle.as_object().into_iter().flat_map(|o| o.keys()).collect();
            assert_eq!(fields, ["keywords", "query", "title"]);
        }
        assert!(output.get("model_error").is_none() && output.get("discovery").is_none());
    }
}

#[test]
fn the_same_topic_gives_the_same_answer() {
    for topic in topics().topics.iter().take(12) {
        let asked = json!({"topic": topic.topic, "depth": 5, "max_sources": 50});
        assert_eq!(research(asked.clone()), research(asked));
    }
}

#[test]
fn offline_offers_sample_feeds_alone() {
    for topic in ["artificial intelligence", "ransomware", "qwrtp"] {
        let output = from_catalogue(catalogue(true), &input(json!({"topic": topic})));
        assert!(!output.sources().is_empty(), "{topic}");
        let host = "https://sample-feeds.bitware.invalid/";
        assert!(output.sources().iter().all(|source| source.url.starts_with(host)), "{topic}");
    }
    let output = from_catalogue(catalogue(true), &input(json!({"topic": "ransomware"})));
    assert_eq!(output.sources()[0].title, "Patch Window");
}

#[test]
fn limits_are_checked_all_at_once() {
    let violations = |value: Value| {
        let mut violations = Violations::default();
        input(value).validate(&mut violations);
        violations
            .into_vec()
            .iter()
            .map(|v| format!("{} {}", v.pointer, v.code))
            .collect::<Vec<_>>()
    };
    assert!(violations(json!({"topic": "x", "sites": ["https://a.org"]})).is_empty());
    assert_eq!(
        violations(json!({
            "topic": "", "depth": 6, "min_quality": -0.1, "max_sources": 51,
            "sites": ["ftp://a.org", "https://a.org", "nonsense"],
        })),
        [
            "/topic length",
            "/depth range",
            "/min_quality range",
            "/max_sources range",
            "/sites/0 url.scheme",
            "/sites/2 url.malformed",
        ]
    );
    let sites = vec!["https://a.org"; 6];
    assert_eq!(
        violations(json!({"topic": "x".repeat(501), "sites": sites})),
        ["/topic length", "/sites range"]
    );
}
