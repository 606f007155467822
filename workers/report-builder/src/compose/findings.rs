//! The key findings: the strongest statements that the summary has not made, each with its sources.

use crate::contract::KeyFinding;
use crate::document::{Block, Finding, Section};
use crate::prose;
use crate::ranking::Choice;

use super::{Desk, section};

const CITED_MAX: usize = 4;

/// The section and the same as data. No section where nothing is left to say.
pub fn key_findings(desk: &mut Desk) -> (Option<Section>, Vec<KeyFinding>) {
    let choice = Choice { sentences_max: desk.limits.findings, per_source_max: 1 };
    let summarised: Vec<usize> = desk.said.iter().map(|index| desk.source_of(*index)).collect();
    let fresh = |index: usize| !summarised.contains(&desk.source_of(index));
    let mut chosen = desk.brief.ranking.choose(choice, &desk.said, fresh);
    if chosen.len() < desk.limits.findings.min(3) {
        // With few articles their further sentences must do.
        let rest = Choice { sentences_max: desk.limits.findings - chosen.len(), ..choice };
        let said: Vec<usize> = desk.said.iter().chain(&chosen).copied().collect();
        chosen.extend(desk.brief.ranking.choose(rest, &said, |_| true));
    }
    if chosen.is_empty() {
        // Articles that all say the same: what the summary quotes is what there is to find.
        chosen.extend(openings(desk));
    }
    let mut data = Vec::new();
    let mut shown = Vec::new();
    for index in chosen {
        let support = desk.brief.ranking.support(desk.source_of(index), CITED_MAX);
        let sources = &desk.brief.material.sources;
        let headline = sources[support[0]].title.clone();
        let text = desk.quote(index);
        data.push(KeyFinding {
            headline: headline.clone(),
            text: text.clone(),
            article_ids: support.iter().map(|place| sources[*place].id.clone()).collect(),
        });
        let note = note(desk, &support);
        let cited = desk.citations.cite_all(&support);
        shown.push(Finding { headline, text, cited, note });
    }
    let section = (!shown.is_empty())
        .then(|| section("findings", "Key findings", vec![Block::Findings(shown)]));
    (section, data)
}

/// The first sentence of each passage that the summary quotes.
fn openings(desk: &Desk) -> Vec<usize> {
    let mut openings: Vec<usize> = Vec::new();
    for sentence in &desk.said {
        if !openings.iter().any(|known| desk.source_of(*known) == desk.source_of(*sentence)) {
            openings.push(*sentence);
        }
    }
    openings.truncate(desk.limits.findings);
    openings
}

/// "Example News, 12 November 2026; also reported by The Other and carried by 2 other articles."
fn note(desk: &Desk, support: &[usize]) -> String {
    let sources = &desk.brief.material.sources;
    let own = &sources[support[0]];
    let mut others: Vec<String> = Vec::new();
    for place in &support[1..] {
        let publisher = &sources[*place].publisher;
        if *publisher != own.publisher && !others.contains(publisher) {
            others.push(publisher.clone());
        }
    }
    let mut note = desk.byline(support[0]);
    if !others.is_empty() {
        note.push_str(&format!("; related coverage by {}", prose::listed(&others)));
    }
    if own.repeats > 0 {
        note.push_str(&format!("; repeated by {}", prose::count_of(own.repeats, "other article")));
    }
    note
}
