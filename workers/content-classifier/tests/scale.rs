//! A full call (500 articles of 4 KB) must stay far below a second of computation, and the work
//! must grow with the number of articles, not with the number of pairs.

use std::time::{Duration, Instant};

use content_classifier::analysis;
use content_classifier::contract::AnalyzeRequest;
use serde_json::{Value, json};

/// Unoptimised code takes about ten times as long as what is deployed.
const FULL_CALL_MAX: Duration =
    if cfg!(debug_assertions) { Duration::from_secs(8) } else { Duration::from_millis(500) };
const ARTICLE_BYTES: usize = 4_096;

/// Words by a falling frequency, as language has it: the n-th word comes up with weight 1/n.
struct Prose {
    words: Vec<String>,
    seed: u64,
}

impl Prose {
    fn new() -> Self {
        let listed = include_str!("../../../crates/text/data/background_en.txt")
            .lines()
            .filter_map(|line| line.split_once(':'))
            .flat_map(|(_, words)| words.split_ascii_whitespace())
            .map(str::to_owned);
        let invented = (0..4_000).map(|n| format!("term{}", char_name(n)));
        Self { words: listed.chain(invented).collect(), seed: 7 }
    }

    fn next(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.seed >> 33) as usize) % below
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::new();
        while text.len() < bytes {
            let range = self.next(self.words.len()) + 1;
            let word = self.next(range);
            text.push_str(&self.words[word]);
            text.push_str(if self.next(12) == 0 { ". The " } else { " " });
        }
        text
    }
}

fn char_name(mut n: usize) -> String {
    let mut name = String::new();
    for _ in 0..3 {
        name.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
    }
    name
}

fn request(articles: usize, repeated: bool) -> AnalyzeRequest {
    let mut prose = Prose::new();
    let one = prose.text(ARTICLE_BYTES);
    let listed: Vec<Value> = (0..articles)
        .map(|n| {
            let body = if repeated { one.clone() } else { prose.text(ARTICLE_BYTES) };
            json!({
                "id": format!("a{n}"), "title": prose.text(60), "summary": body,
                "url": format!("https://example.org/{n}"), "published_at": "2026-03-01T10:00:00Z"
            })
        })
        .collect();
    let input = json!({"topic": "climate policy and renewable energy", "articles": listed});
    serde_json::from_value(input).expect("the input has the shape of a request")
}

#[expect(clippy::disallowed_methods, reason = "a host test measures time")]
fn measure(articles: usize, repeated: bool) -> Duration {
    let request = request(articles, repeated);
    let fastest = (0..2).map(|_| {
        let start = Instant::now();
        let scored = analysis::analyze(&request);
        let reply = analysis::reply(&request, &scored, None);
        assert_eq!(reply.insights.total, articles);
        start.elapsed()
    });
    fastest.min().expect("it was measured twice")
}

#[test]
fn a_full_call_is_fast() {
    let distinct = measure(500, false);
    let repeated = measure(500, true);
    println!("500 articles of 4 KB: {distinct:?}; 500 copies of one: {repeated:?}");
    assert!(distinct < FULL_CALL_MAX, "{distinct:?}");
    assert!(repeated < FULL_CALL_MAX, "{repeated:?}");
}

#[test]
fn work_grows_with_articles_not_with_pairs() {
    let (small, large) = (measure(100, false), measure(400, false));
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("100 articles: {small:?}; 400 articles: {large:?}; ratio {ratio:.1}");
    // Pairs would give 16; the machine is shared, so the bound lies between the two.
    assert!(ratio < 9.0, "{ratio}");
}
