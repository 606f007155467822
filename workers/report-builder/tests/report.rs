//! Whole reports: what they hold, how they differ by type, that they are well-formed, and that
//! nothing a feed says can become markup.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag};
use report_builder::contract::{GenerateReply, GenerateRequest};
use report_builder::report::Draft;
use serde_json::{Value, json};

const NOW_MS: i64 = 1_795_262_400_000;

fn request(input: Value) -> GenerateRequest {
    serde_json::from_value(input).expect("the input has the shape of a request")
}

fn reply(input: Value) -> GenerateReply {
    Draft::of(&request(input)).reply(NOW_MS, None, None)
}

fn realistic(report_type: &str) -> Value {
    let text = include_str!("data/renewable-energy.json");
    let mut input: Value = serde_json::from_str(text).expect("the sample is JSON");
    input["report_type"] = json!(report_type);
    input
}

fn html(reply: &GenerateReply) -> &str {
    reply.report.html.as_deref().expect("HTML was asked for")
}

fn markdown(reply: &GenerateReply) -> &str {
    reply.report.markdown.as_deref().expect("Markdown was asked for")
}

/// The values of an attribute in tags, not in texts.
fn attribute<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    let opening = format!(" {name}=\"");
    html.split('<')
        .skip(1)
        .filter_map(|tag| tag.split_once('>').map(|(tag, _)| tag))
        .flat_map(|tag| tag.split(&opening as &str).skip(1))
        .filter_map(|rest| rest.split_once('"').map(|(value, _)| value))
        .collect()
}

/// Checks that elements nest and close. What is found first to be wrong is named.
fn ill_formed(html: &str) -> Option<String> {
    const VOID: [&str; 1] = ["meta"];
    let mut open: Vec<&str> = Vec::new();
    let body = html.strip_prefix("<!doctype html>\n")?;
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let tag = rest[at + 1..].split_once('>')?.0;
        rest = &rest[at + tag.len() + 2..];
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
        if tag.starts_with('/') {
            match open.pop() {
                Some(expected) if expected == name => {}
                other => return Some(format!("</{name}> closes {other:?}")),
            }
        } else if !VOID.contains(&name) {
            open.push(name);
        }
    }
    open.last().map(|name| format!("<{name}> stays open"))
}

#[test]
fn an_executive_report_holds_what_it_promises() {
    let reply = reply(realistic("executive"));
    for heading in [
        "Executive summary",
        "Key findings",
        "Coverage at a glance",
        "Themes",
        "What is moving",
        "Tone",
        "Sources",
        "How this report was made",
    ] {
        assert!(html(&reply).contains(&format!(">{heading}</h2>")), "{heading}");
        assert!(markdown(&reply).contains(&format!("## {heading}\n")), "{heading}");
    }
    assert_eq!(html(&reply).matches("<svg").count(), 4);
    assert_eq!(reply.key_findings.len(), 6);
    assert!(reply.summary.starts_with("Coverage centres on energy"), "{}", reply.summary);
    assert!(reply.sources_cited >= 12 && reply.quality_score > 0.6);
    assert!(reply.model_error.is_none());
}

#[test]
fn findings_cite_articles_that_were_given_and_say_what_they_say() {
    let input = realistic("detailed");
    let ids: BTreeSet<&str> = input["articles"]
        .as_array()
        .expect("articles are a list")
        .iter()
        .filter_map(|article| article["id"].as_str())
        .collect();
    let text = input["articles"].to_string();
    for finding in reply(input.clone()).key_findings {
        assert!(!finding.article_ids.is_empty());
        assert!(finding.article_ids.iter().all(|id| ids.contains(id.as_str())), "{finding:?}");
        let quoted = serde_json::to_string(&finding.text).expect("a text is JSON");
        assert!(text.contains(quoted.trim_matches('"')), "{}", finding.text);
    }
}

#[test]
fn types_differ_in_length_and_sections() {
    let [brief, executive, detailed] = ["brief", "executive", "detailed"].map(realistic).map(reply);
    assert!(brief.word_count * 2 < executive.word_count, "{}", brief.word_count);
    assert!(executive.word_count < detailed.word_count);
    assert!(brief.key_findings.len() < executive.key_findings.len());
    assert!(executive.key_findings.len() < detailed.key_findings.len());
    assert!(!html(&brief).contains("Themes") && !html(&brief).contains("<svg"));
    assert!(
        !html(&executive).contains("Tone by theme") && html(&detailed).contains("Tone by theme")
    );
}

#[test]
fn the_html_is_one_well_formed_file_without_scripts_or_requests() {
    for report_type in ["brief", "executive", "detailed"] {
        let reply = reply(realistic(report_type));
        let html = html(&reply);
        assert_eq!(ill_formed(html), None);
        assert!(!html.contains("<script") && !html.contains("<link") && !html.contains("<img"));
        assert!(!html.contains("url(") && !html.contains("@import"));
        let ids = attribute(html, "id");
        let distinct: BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), distinct.len(), "ids are unique");
        for href in attribute(html, "href") {
            match href.strip_prefix('#') {
                Some(anchor) => assert!(ids.contains(&anchor), "{anchor}"),
                None => assert!(href.starts_with("https://"), "{href}"),
            }
        }
        for labels in attribute(html, "aria-labelledby") {
            assert!(labels.split(' ').all(|label| ids.contains(&label)), "{labels}");
        }
        let outward = html.matches("<a href=\"http").count();
        assert!(outward > 0);
        assert_eq!(outward, html.matches("rel=\"noopener noreferrer\"").count());
    }
}

#[test]
fn formats_and_artifact() {
    let with_format = |format: &str| {
        let mut input = realistic("brief");
        input["format"] = json!(format);
        reply(input)
    };
    let (html, markdown) = (with_format("html"), with_format("markdown"));
    assert!(html.report.markdown.is_none() && markdown.report.html.is_none());
    assert_eq!(html.artifact.size_bytes, html.report.html.map_or(0, |html| html.len()));
    assert_eq!(html.artifact.mime_type, "text/html; charset=utf-8");
    let name = "renewable-energy-and-climate-change-2026-11-21";
    assert_eq!(html.artifact.file_name, format!("{name}.html"));
    assert_eq!(markdown.artifact.file_name, format!("{name}.md"));
    assert_eq!(html.artifact.sha256.len(), 64);
    assert_ne!(html.artifact.sha256, markdown.artifact.sha256);
}

#[test]
fn the_same_input_gives_the_same_report() {
    let text = || serde_json::to_string(&reply(realistic("detailed"))).expect("a reply is JSON");
    assert_eq!(text(), text());
}

#[test]
fn without_articles_the_report_says_so() {
    for articles in [json!([]), json!([{"id": "a"}, {"id": "b", "title": " "}])] {
        let reply = reply(json!({"topic": "tea", "articles": articles}));
        assert!(reply.summary.contains("“tea”"), "{}", reply.summary);
        assert!(reply.key_findings.is_empty());
        assert_eq!((reply.sources_cited, reply.quality_score), (0, 0.0));
        assert_eq!(ill_formed(html(&reply)), None);
        assert!(markdown(&reply).contains("What can be tried"));
        assert!(reply.word_count < 120);
    }
}

#[test]
fn plain_articles_make_a_report_too() {
    let article = |n: usize| {
        json!({"id": format!("p{n}"), "title": format!("Council debates road {n}"),
               "url": format!("https://x.example/{n}"), "feed_title": "Local",
               "summary": format!("The council of district {n} debated the new road on Monday. \
                                   Neighbours of street {n} spoke against it for two hours.")})
    };
    let articles: Vec<Value> = (0..5).map(article).collect();
    let reply = reply(json!({"topic": "roads", "articles": articles}));
    assert!(!reply.key_findings.is_empty());
    assert!(html(&reply).contains("The articles"));
    assert_eq!(ill_formed(html(&reply)), None);
}

/// Texts that try to become markup, in every field.
fn hostile(text: &str) -> Value {
    let body = format!("{text} The council met on Monday evening to speak about {text} for long.");
    let article = |n: usize| {
        json!({
            "id": format!("{n}{text}"), "title": format!("{text} {n}"), "url": text,
            "summary": body,
            "content_text": body, "author": text, "feed_title": format!("{text} {}", n % 3),
            "language": text, "category": format!("{text} {}", n % 2), "keywords": [text],
            "sentiment": {"label": "negative", "score": -0.5}, "relevance": 0.5,
            "published_at": format!("2026-11-{:02}T00:00:00Z", n + 1)
        })
    };
    json!({
        "topic": text, "report_type": "detailed",
        "articles": (0..12).map(article).collect::<Vec<_>>(),
        "angles": [{"title": text, "query": text, "keywords": [text, "council"]},
                   {"title": text, "query": "x", "keywords": ["monday"]}]
    })
}

const ATTACKS: &[&str] = &[
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(document.domain)",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "&amp;lt;script&amp;gt;",
    "<<script>script>alert(1)<</script>/script>",
    "<scr\u{0}ipt>alert(1)</scr\u{0}ipt>",
    "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069}",
    "<!-- --><math><mtext><script>x</script>",
    "]]><![CDATA[<x>",
    "`<b>` | a | b |\n| --- |\n# heading",
    "https://evil.example/ www.evil.example",
    "a\u{200b}\u{feff}b\u{2028}c\u{2029}d",
    "{{constructor.constructor('alert(1)')()}}",
];

#[test]
fn nothing_that_a_feed_says_becomes_html() {
    for attack in ATTACKS {
        let reply = reply(hostile(attack));
        let html = html(&reply);
        assert_eq!(ill_formed(html), None, "{attack}");
        let lower = html.to_lowercase();
        for tag in ["<script", "<img", "<math", "<iframe", "<svg onload", "<b>", "<!--", "<!["] {
            assert!(!lower.contains(tag), "{attack}: {tag}");
        }
        for name in ["onerror", "onload", "onmouseover", "onclick"] {
            assert!(attribute(&lower, name).is_empty(), "{attack}: {name}");
        }
        let hrefs = attribute(html, "href");
        assert!(hrefs.iter().all(|h| h.starts_with('#') || h.starts_with("https://")), "{hrefs:?}");
        let hidden = |c: char| {
            matches!(c, '\u{0}'..='\u{8}' | '\u{7f}'..='\u{9f}' | '\u{200b}' | '\u{feff}'
                | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!html.contains(hidden) && !markdown(&reply).contains(hidden), "{attack}");
    }
}

#[test]
fn nothing_that_a_feed_says_becomes_markdown() {
    for attack in ATTACKS {
        let reply = reply(hostile(attack));
        for event in Parser::new_ext(markdown(&reply), Options::all()) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => panic!("{attack}: {html}"),
                Event::Start(Tag::Image { dest_url, .. }) => panic!("{attack}: {dest_url}"),
                Event::Start(Tag::CodeBlock(_)) | Event::Code(_) => panic!("{attack}: code"),
                Event::Start(Tag::Link { dest_url, .. }) => {
                    assert!(dest_url.starts_with("https://"), "{attack}: {dest_url}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn markdown_and_html_have_the_same_headings() {
    let reply = reply(realistic("detailed"));
    let mut headings = Vec::new();
    let mut current: Option<String> = None;
    for event in Parser::new_ext(markdown(&reply), Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => current = Some(String::new()),
            Event::Text(text) => {
                if let Some(heading) = &mut current {
                    heading.push_str(&text);
                }
            }
            Event::End(pulldown_cmark::TagEnd::Heading(_)) => headings.extend(current.take()),
            _ => {}
        }
    }
    assert!(headings.len() >= 10);
    for heading in headings {
        assert!(html(&reply).contains(&format!(">{heading}</h")), "{heading}");
    }
}

#[test]
fn five_hundred_articles_are_reported_within_limits() {
    let body =
        "The council met on Monday evening to speak about the new road and its cost. ".repeat(40);
    let article = |n: usize| {
        json!({"id": n.to_string(), "title": format!("Title number {n}"), "relevance": 0.5,
               "summary": format!("Article {n} of the series was written by hand today. {body}"),
               "feed_title": format!("Feed {}", n % 40), "category": format!("category {}", n % 30),
               "published_at": format!("2026-{:02}-01T00:00:00Z", n % 12 + 1)})
    };
    let articles: Vec<Value> = (0..500).map(article).collect();
    let reply = reply(json!({"topic": "roads", "report_type": "detailed", "articles": articles}));
    assert_eq!(reply.sources_cited, report_builder::material::SOURCES_MAX);
    assert!(reply.artifact.size_bytes < 512 * 1024, "{}", reply.artifact.size_bytes);
}
