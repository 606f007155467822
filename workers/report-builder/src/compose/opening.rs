//! The executive summary: what the coverage is about, then what it says, theme by theme.

use std::collections::BTreeSet;

use crate::calendar;
use crate::document::{Block, Fact, Inline, Section};
use crate::material::Source;
use crate::prose;
use crate::ranking::Choice;
use crate::themes::OTHER;

use super::{Desk, Written, section};

/// How many themes the opening sentence names.
const THEMES_NAMED: usize = 3;
/// One article makes no theme worth naming there.
const NAMED_ARTICLES_MIN: usize = 2;
/// Sources that one statement cites.
const CITED_MAX: usize = 3;

/// The summary as plain text and as a section.
pub fn summary(desk: &mut Desk) -> (String, Section) {
    let overview = overview(desk);
    let paragraphs = match desk.brief.written {
        Some(written) => written_paragraphs(desk, written),
        None => quoted_paragraphs(desk),
    };
    let said: Vec<String> = paragraphs.iter().map(|inlines| plain(inlines)).collect();
    let text = std::iter::once(overview.clone()).chain(said).collect::<Vec<_>>().join(" ");
    let mut blocks = vec![Block::Lead(vec![Inline::Text(overview)])];
    blocks.extend(paragraphs.into_iter().map(Block::Paragraph));
    blocks.push(Block::Facts(facts(desk)));
    let heading = if desk.limits.has_body { "Executive summary" } else { "Summary" };
    (text, section("summary", heading, blocks))
}

/// "Coverage centres on energy (14 of 42 articles), followed by climate (9) and politics (5). Its
/// tone is mostly neutral."
fn overview(desk: &Desk) -> String {
    let total = desk.brief.material.sources.len();
    let themes: Vec<(String, usize)> = desk
        .themes
        .iter()
        .filter(|theme| theme.title != OTHER && theme.sources.len() >= NAMED_ARTICLES_MIN)
        .take(THEMES_NAMED)
        .map(|theme| (lower_first(&theme.title), theme.sources.len()))
        .collect();
    let mut sentences = Vec::new();
    match themes.as_slice() {
        [] => {}
        [(_, count)] if *count == total => {}
        [(first, count), rest @ ..] => {
            let others: Vec<String> = rest.iter().map(|(t, n)| format!("{t} ({n})")).collect();
            let is_topic = is_topic(first, desk.brief.topic);
            let joint = if is_topic { "; others reach into" } else { ", followed by" };
            let followed = match others.as_slice() {
                [] => String::new(),
                others => format!("{joint} {}", prose::listed(others)),
            };
            let of = prose::count_of(total, "article");
            sentences.push(if is_topic {
                format!("{count} of {of} treat the topic itself{followed}.")
            } else {
                format!("Coverage centres on {first} ({count} of {of}){followed}.")
            });
        }
    }
    sentences.extend(volume(desk));
    sentences.extend(super::sections::tone_sentence(desk.brief.material));
    if sentences.is_empty() {
        sentences.push(format!(
            "{} on {} are summed up here.",
            prose::count_of(total, "article"),
            text::clean::line(desk.brief.topic)
        ));
    }
    sentences.join(" ")
}

/// Whether a theme is but another name of the topic: "energy" of "renewable energy" is not.
fn is_topic(theme: &str, topic: &str) -> bool {
    let terms = |text: &str| -> BTreeSet<String> {
        text::terms(text, text::Language::English).into_iter().collect()
    };
    terms(theme) == terms(topic)
}

/// "Publication peaked on 12 Nov."
fn volume(desk: &Desk) -> Option<String> {
    let trends = desk.trends.as_ref()?;
    let peak = trends.timeline.peak().filter(|peak| peak.count * 4 >= trends.dated)?;
    let when = match trends.timeline.unit {
        calendar::Unit::Day => format!("on {}", peak.label),
        calendar::Unit::Week => format!("in the week of {}", peak.label),
        calendar::Unit::Month => format!("in {}", peak.label),
    };
    let count = prose::count_of(peak.count, "article");
    Some(format!("Publication peaked {when} with {count}."))
}

/// The best sentences, one of an article, gathered by theme.
fn quoted_paragraphs(desk: &mut Desk) -> Vec<Vec<Inline>> {
    let choice = Choice { sentences_max: desk.limits.summary_sentences, per_source_max: 1 };
    let ranking = desk.brief.ranking;
    // Without its headline only the opening of an article is sure to say what it is about.
    let mut chosen = ranking.choose(choice, &[], |index| ranking.sentences[index].place == 0);
    let rest = Choice { sentences_max: choice.sentences_max - chosen.len(), ..choice };
    let openings = chosen.clone();
    let quoted =
        |index: usize| openings.iter().any(|o| desk.source_of(*o) == desk.source_of(index));
    chosen.extend(ranking.choose(rest, &openings, |index| !quoted(index)));
    let mut by_theme: Vec<(usize, Vec<usize>)> = Vec::new();
    for sentence in chosen {
        let source = desk.source_of(sentence);
        let theme = desk.themes.iter().position(|theme| theme.sources.contains(&source));
        let theme = theme.unwrap_or(desk.themes.len());
        match by_theme.iter_mut().find(|(known, _)| *known == theme) {
            Some((_, sentences)) => sentences.push(sentence),
            None => by_theme.push((theme, vec![sentence])),
        }
    }
    by_theme.sort_by_key(|(theme, _)| *theme);
    let is_labelled = by_theme.len() > 1;
    let mut paragraphs = Vec::new();
    for (theme, sentences) in by_theme {
        let mut inlines = Vec::new();
        let title = desk.themes.get(theme).map(|theme| theme.title.clone());
        if let Some(title) = title.filter(|_| is_labelled) {
            let label = if title == OTHER { "Elsewhere" } else { &title };
            inlines.push(Inline::Strong(format!("{label}.")));
        }
        for sentence in sentences {
            let support = desk.brief.ranking.support(desk.source_of(sentence), CITED_MAX);
            let text = desk.quote(sentence);
            push_statement(&mut inlines, text, desk.citations.cite_all(&support));
        }
        paragraphs.push(inlines);
    }
    paragraphs
}

fn written_paragraphs(desk: &mut Desk, written: &Written) -> Vec<Vec<Inline>> {
    let mut inlines = Vec::new();
    for statement in &written.statements {
        let numbers = desk.citations.cite_all(&statement.sources);
        push_statement(&mut inlines, prose::sentence(&statement.text), numbers);
    }
    vec![inlines]
}

fn push_statement(inlines: &mut Vec<Inline>, text: String, numbers: Vec<usize>) {
    if !inlines.is_empty() {
        inlines.push(Inline::Text(" ".to_owned()));
    }
    inlines.push(Inline::Text(text));
    inlines.push(Inline::Cite(numbers));
}

fn facts(desk: &Desk) -> Vec<Fact> {
    let material = desk.brief.material;
    let fact = |value: String, label: &str| Fact { value, label: label.to_owned() };
    let mut facts = vec![
        fact(prose::grouped(material.sources.len()), "articles analysed"),
        fact(prose::grouped(material.publishers().len()), "publishers"),
    ];
    if let Some((from, to)) = material.span_ms() {
        const DAY_MS: i64 = 86_400_000;
        let days = to.div_euclid(DAY_MS) - from.div_euclid(DAY_MS) + 1;
        let label = if days == 1 { "day covered" } else { "days covered" };
        facts.push(fact(prose::grouped(usize::try_from(days).unwrap_or_default()), label));
    }
    if let Some(relevance) = mean_relevance(&material.sources) {
        facts.push(fact(format!("{relevance:.2}"), "mean relevance"));
    }
    facts
}

/// The mean over the sources whose relevance is known.
pub fn mean_relevance(sources: &[Source]) -> Option<f64> {
    let known: Vec<f64> = sources.iter().filter_map(|source| source.relevance).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// Themes are names of subjects; acronyms keep their capitals.
fn lower_first(title: &str) -> String {
    let mut chars = title.chars();
    let (first, second) = (chars.next(), chars.next());
    match first {
        Some(first) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().to_string() + &title[first.len_utf8()..]
        }
        _ => title.to_owned(),
    }
}

fn plain(inlines: &[Inline]) -> String {
    let of_one = |inline: &Inline| match inline {
        Inline::Text(text) | Inline::Emphasis(text) => text.clone(),
        Inline::Strong(text) => format!("{text} "),
        Inline::Link { text, .. } => text.clone(),
        Inline::Cite(_) => String::new(),
    };
    text::clean::line(&inlines.iter().map(of_one).collect::<String>())
}
