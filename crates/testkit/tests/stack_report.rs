//! The RSS intelligence pipeline from end to end, offline: five workers turn a topic into a report,
//! without a model and with one.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::client::{Client, Reply};
use testkit::model::{self, Asked, ChatModel, Mood};
use testkit::stack::{Stack, StateDir, Vars, wanted};

const TOPIC: &str = "artificial intelligence";
const REPORT_BYTES_MIN: usize = 10_000;
const ARTICLES_MIN: usize = 20;
const API_KEY: &str = "model-key-0123456789";
/// With whole dollars for a million tokens, a token costs as many micro-dollars.
const INPUT_USD_PER_MTOK: u64 = 2;
const OUTPUT_USD_PER_MTOK: u64 = 5;

/// An execution's reply, with its steps at hand.
struct Report(Reply);

impl Report {
    async fn of(client: &Client, body: &Value) -> Self {
        let reply = client.orchestrate(body).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.text("/status"), "completed", "{}", reply.body);
        Self(reply)
    }

    fn steps(&self) -> &[Value] {
        let steps = self.0.body.pointer("/pipeline/worker_results").and_then(Value::as_array);
        steps.expect("an execution has steps")
    }

    fn step(&self, name: &str) -> &Value {
        let step = self.steps().iter().find(|step| step["step_name"] == name);
        step.unwrap_or_else(|| panic!("no step {name}"))
    }

    /// What a step's worker answered.
    fn output(&self, name: &str) -> &Value {
        &self.step(name)["data"]
    }

    fn list(&self, name: &str, field: &str) -> &[Value] {
        let list = self.output(name)[field].as_array();
        list.unwrap_or_else(|| panic!("{name} has no list {field}"))
    }

    fn applied(&self, optimization: &str) -> bool {
        let applied = self.0.body["optimization_applied"].as_array();
        applied.is_some_and(|all| all.iter().any(|it| it == optimization))
    }

    fn cost_micro_usd(&self) -> u64 {
        micro_usd(&self.0.body["total_cost_usd"])
    }
}

fn micro_usd(value: &Value) -> u64 {
    (value.as_f64().expect("a cost is a number") * 1e6).round() as u64
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn texts<'v>(list: &'v [Value], field: &str) -> BTreeSet<&'v str> {
    list.iter().map(|item| text(item, field)).collect()
}

fn request() -> Value {
    json!({ "topic": TOPIC, "pipeline_template": "rss_intelligence_pipeline" })
}

/// Sources from both, each once, and articles from all of them.
fn sources_and_articles(report: &Report) {
    let researched = texts(report.list("topic_research", "sources"), "url");
    let curated = texts(report.list("source_curation", "sources"), "url");
    assert!(!researched.is_empty() && !curated.is_empty(), "{researched:?} {curated:?}");
    let merged = report.list("merge_sources", "sources");
    let both: BTreeSet<&str> = researched.union(&curated).copied().collect();
    assert_eq!(texts(merged, "url"), both);
    assert_eq!(merged.len(), both.len(), "a source stands there twice");
    assert_eq!(report.0.body["sources_discovered"], both.len());

    let feeds = report.list("feed_fetching", "feeds");
    assert_eq!(texts(feeds, "url"), both, "every source is fetched");
    assert!(feeds.iter().all(|feed| feed["items"].as_u64() > Some(0)), "{feeds:?}");
    assert!(texts(feeds, "format").len() >= 3, "{:?}", texts(feeds, "format"));
    let articles = report.list("feed_fetching", "articles");
    assert!(articles.len() >= ARTICLES_MIN, "{} articles", articles.len());
    assert_eq!(report.0.body["articles_processed"], articles.len());
    assert_eq!(texts(articles, "id").len(), articles.len(), "ids are unique");
    assert_eq!(texts(articles, "feed_url").len(), both.len());
    for article in articles {
        assert!(!text(article, "title").is_empty() && text(article, "url").starts_with("https://"));
        assert!(text(article, "published_at").ends_with('Z'));
    }
}

/// What is about the topic comes first, and carries what was found out about it.
fn classification(report: &Report) {
    let articles = report.list("content_classification", "analyzed_articles");
    let relevance: Vec<f64> =
        articles.iter().map(|article| article["relevance"].as_f64().expect("a number")).collect();
    assert!(relevance.is_sorted_by(|a, b| a >= b), "{relevance:?}");
    assert!(relevance.iter().all(|r| (0.1..=1.0).contains(r)), "{relevance:?}");
    assert!(relevance[0] > 2.0 * relevance[relevance.len() - 1], "{relevance:?}");
    let fetched = report.list("feed_fetching", "articles").len();
    assert!(articles.len() < fetched, "nothing was left out as not relevant");
    for article in articles {
        assert!(!text(article, "category").is_empty() && !text(article, "language").is_empty());
        let label = article["sentiment"]["label"].as_str();
        assert!(matches!(label, Some("positive" | "neutral" | "negative")), "{article}");
        assert!(article["keywords"].is_array() && article["word_count"].as_u64() > Some(0));
    }
    let insights = &report.output("content_classification")["insights"];
    assert_eq!(insights["total"], fetched);
    assert!(insights["categories"][TOPIC].as_u64() >= Some(10), "{insights}");
}

/// A page about the topic, whole in itself, whose statements cite articles.
fn page(report: &Report) {
    let output = report.output("report_generation");
    let html = text(&output["report"], "html");
    assert!(html.len() >= REPORT_BYTES_MIN, "{} bytes", html.len());
    assert!(html.to_lowercase().contains(TOPIC) && html.contains("<svg"));
    assert!(!html.contains("<script") && !html.contains("src=\"http"), "it loads nothing");
    let articles = report.list("content_classification", "analyzed_articles");
    let linked = articles.iter().filter(|article| html.contains(text(article, "url"))).count();
    assert!(linked >= 10, "{linked} articles are linked");
    let markdown = text(&output["report"], "markdown");
    assert!(markdown.starts_with("# ") && markdown.to_lowercase().contains(TOPIC));
    assert_eq!(output["artifact"]["size_bytes"], html.len());
    assert_eq!(text(&output["artifact"], "sha256").len(), 64);
    assert!(text(output, "summary").len() > 200);
    let known = texts(articles, "id");
    let findings = report.list("report_generation", "key_findings");
    assert!(findings.len() >= 3, "{} findings", findings.len());
    for finding in findings {
        let cited = finding["article_ids"].as_array().expect("a list");
        let cited: Vec<&str> = cited.iter().filter_map(Value::as_str).collect();
        assert!(!cited.is_empty() && cited.iter().all(|id| known.contains(id)), "{finding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_becomes_a_report_without_any_model() {
    if !wanted() {
        return;
    }
    let state = StateDir::new("report");
    let stack = Stack::start(&state, &[]);
    let client = stack.client();
    let report = Report::of(&client, &request()).await;
    for step in report.steps() {
        assert_eq!(step["status"], "succeeded", "{step}");
        assert_eq!(step["cost_usd"], 0.0, "no model, no cost: {step}");
        assert!(step["data"].get("usage").is_none() && step["data"].get("model_error").is_none());
    }
    assert_eq!(texts_of_workers(&report).len(), 5);
    assert_eq!(report.cost_micro_usd(), 0);
    assert!(report.applied("parallel_processing") && !report.applied("caching"));
    assert_eq!(report.0.body["cache_hit"], false);
    assert!(report.0.body["final_quality_score"].as_f64() > Some(0.5));
    sources_and_articles(&report);
    classification(&report);
    page(&report);

    cached(&client, &report).await;
    another_topic(&client, &report).await;
}

fn texts_of_workers(report: &Report) -> BTreeSet<&str> {
    report.steps().iter().filter_map(|step| step["worker_name"].as_str()).collect()
}

/// A repeated request is served from the cache, unless it does not want to be.
async fn cached(client: &Client, first: &Report) {
    let hit = Report::of(client, &request()).await;
    assert_eq!(hit.0.body["cache_hit"], true);
    assert!(hit.applied("caching") && !hit.applied("parallel_processing"));
    assert_ne!(hit.0.text("/pipeline_id"), first.0.text("/pipeline_id"));
    for (found, known) in hit.steps().iter().zip(first.steps()) {
        assert_eq!(found["data"], known["data"]);
        assert_eq!(found["attempts"], 0);
    }
    let mut body = request();
    body["use_cache"] = false.into();
    let fresh = Report::of(client, &body).await;
    assert_eq!(fresh.0.body["cache_hit"], false);
    assert!(!fresh.applied("caching"));
    assert!(
        fresh.steps().iter().all(|step| step["worker_name"].is_null() || step["attempts"] == 1)
    );
}

/// Another topic leads to other articles.
async fn another_topic(client: &Client, first: &Report) {
    let mut body = request();
    body["topic"] = "solar power".into();
    let other = Report::of(client, &body).await;
    let read = |report: &Report| -> BTreeSet<String> {
        let articles = report.list("content_classification", "analyzed_articles");
        texts(articles, "id").into_iter().map(str::to_owned).collect()
    };
    let (here, there) = (read(first), read(&other));
    let shared = here.intersection(&there).count();
    assert!(!there.is_empty() && shared * 5 < there.len(), "{shared} of {} shared", there.len());
}

/// What the calls cost by the prices of this test.
fn price_micro_usd(asked: &[Asked]) -> u64 {
    let each = asked
        .iter()
        .map(|it| it.input_tokens * INPUT_USD_PER_MTOK + it.output_tokens * OUTPUT_USD_PER_MTOK);
    each.sum()
}

/// Every call is accounted for in the step that made it, and the steps in the execution.
fn accounts(report: &Report, asked: &[Asked]) {
    let total = |field: &str| -> u64 {
        let usages = report.steps().iter().map(|step| &step["data"]["usage"]);
        usages.filter_map(|usage| usage[field].as_u64()).sum()
    };
    assert_eq!(total("calls"), asked.len() as u64);
    assert_eq!(total("input_tokens"), asked.iter().map(|it| it.input_tokens).sum::<u64>());
    assert_eq!(total("output_tokens"), asked.iter().map(|it| it.output_tokens).sum::<u64>());
    for step in report.steps() {
        let usage = &step["data"]["usage"];
        let tokens = |field: &str| usage[field].as_u64().unwrap_or(0);
        let cost = tokens("input_tokens") * INPUT_USD_PER_MTOK
            + tokens("output_tokens") * OUTPUT_USD_PER_MTOK;
        assert_eq!(micro_usd(&step["cost_usd"]), cost, "{}", step["step_name"]);
        assert!(usage.is_null() || usage["model"] == model::NAME, "{usage}");
        assert!(usage.get("estimated").is_none(), "{usage}");
    }
    assert_eq!(report.cost_micro_usd(), price_micro_usd(asked));
}

const ASKING: [&str; 3] = ["topic_research", "content_classification", "report_generation"];

/// The model was asked properly, did its part, and what it took is reported.
async fn willing(client: &Client, chat: &ChatModel) {
    let mut body = request();
    body["use_cache"] = false.into();
    let report = Report::of(client, &body).await;
    let asked = chat.take_asked();
    assert!(asked.len() >= ASKING.len(), "{asked:?}");
    for call in &asked {
        assert_eq!(call.authorization, format!("Bearer {API_KEY}"));
        assert_eq!(call.model, "asked-for");
    }
    assert!(!report.0.body.to_string().contains(API_KEY), "the model's key is shown");
    accounts(&report, &asked);
    assert!(report.cost_micro_usd() > 0);
    for name in ASKING {
        assert!(report.output(name)["usage"]["calls"].as_u64() >= Some(1), "{name}");
        assert!(report.output(name).get("model_error").is_none(), "{name}");
    }
    let angles = report.list("topic_research", "angles");
    assert!(angles.iter().all(|angle| text(angle, "title").contains(model::MARK)), "{angles:?}");
    let articles = report.list("content_classification", "analyzed_articles");
    let judged = articles.iter().filter(|article| article["judged_by"] == "model").count();
    assert!(judged >= 10, "{judged} articles were judged by the model");
    let summary = text(report.output("report_generation"), "summary");
    assert!(summary.contains(model::MARK), "{summary}");
}

/// A model that fails costs what it took and spoils nothing.
async fn failing(client: &Client, chat: &ChatModel, mood: Mood) {
    chat.behave(mood);
    let mut body = request();
    body["use_cache"] = false.into();
    let report = Report::of(client, &body).await;
    let asked = chat.take_asked();
    assert!(asked.len() >= ASKING.len(), "{mood:?}: {asked:?}");
    for name in ASKING {
        let error = text(report.output(name), "model_error");
        assert!(error.starts_with("model."), "{mood:?}: {name}: {error}");
    }
    match mood {
        Mood::Rambling => accounts(&report, &asked),
        Mood::Down => assert_eq!(report.cost_micro_usd(), 0),
        Mood::Willing => unreachable!("a willing model does not fail"),
    }
    sources_and_articles(&report);
    classification(&report);
    page(&report);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_does_its_part_and_its_tokens_and_cost_are_reported() {
    if !wanted() {
        return;
    }
    let chat = ChatModel::start().await;
    let state = StateDir::new("model");
    let shared = [
        format!("LLM_BASE_URL={}", chat.base_url()),
        format!("LLM_API_KEY={API_KEY}"),
        "LLM_MODEL=asked-for".to_owned(),
        format!("LLM_INPUT_USD_PER_MTOK={INPUT_USD_PER_MTOK}"),
        format!("LLM_OUTPUT_USD_PER_MTOK={OUTPUT_USD_PER_MTOK}"),
    ];
    let shared: Vec<&str> = shared.iter().map(String::as_str).collect();
    let stack = Stack::start_with(&state, Vars { shared: &shared, ..Vars::default() });
    let client = stack.client();
    willing(&client, &chat).await;
    failing(&client, &chat, Mood::Rambling).await;
    failing(&client, &chat, Mood::Down).await;
}
