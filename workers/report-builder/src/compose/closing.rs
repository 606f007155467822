//! The end of a report: its sources, how it was made, and what it says when there is nothing to
//! say.

use crate::document::{Block, Inline, Section, SourceEntry};
use crate::prose;

use super::{Desk, section};

/// The cited sources; a detailed report lists all of its sources.
pub fn sources(desk: &mut Desk) -> Section {
    if desk.limits.is_detailed {
        (0..desk.brief.material.sources.len()).for_each(|place| {
            desk.citations.cite(place);
        });
    }
    let places = desk.citations.places();
    let entries: Vec<SourceEntry> = (1..)
        .zip(places)
        .map(|(number, place)| {
            let source = &desk.brief.material.sources[*place];
            let byline = match &source.author {
                Some(author) => format!("{author}, {}", desk.byline(*place)),
                None => desk.byline(*place),
            };
            SourceEntry {
                number,
                title: source.title.clone(),
                address: source.address.clone(),
                byline,
                language: desk.foreign_language(*place),
            }
        })
        .collect();
    let left = desk.brief.material.sources.len() - entries.len();
    let mut blocks = vec![Block::Sources(entries)];
    if left > 0 {
        let text = match left {
            1 => "One further article was analysed but is not cited.".to_owned(),
            _ => format!(
                "{} further articles were analysed but are not cited.",
                prose::grouped(left)
            ),
        };
        blocks.push(Block::Paragraph(vec![Inline::Text(text)]));
    }
    section("sources", "Sources", blocks)
}

/// How the report was made and what it cannot tell.
pub fn method(desk: &Desk) -> Section {
    let mut sentences = vec![received(desk)];
    sentences.extend(left_out(desk));
    sentences.push(match desk.brief.written {
        Some(written) => format!(
            "The executive summary was written by the language model {} from the articles that it \
             cites; key findings and digests are sentences of the articles, word for word.",
            text::clean::line(&written.model)
        ),
        None => "Summary, key findings and digests are sentences of the articles, word for word, \
                 chosen by how central they are to the coverage, where they stand and how relevant \
                 their article is; none of them was checked for truth."
            .to_owned(),
    });
    sentences.push(
        "Related coverage means that another article uses much the same words. Categories, tone \
         and relevance are measured by machine and can be wrong for a single article; follow the \
         links before acting on one."
            .to_owned(),
    );
    let text = sentences.join(" ");
    section("method", "How this report was made", vec![Block::Paragraph(vec![Inline::Text(text)])])
}

fn received(desk: &Desk) -> String {
    let material = desk.brief.material;
    let used = prose::count_of(material.sources.len(), "article");
    let screened =
        desk.brief.insights.and_then(|insights| insights.total).filter(|total| {
            usize::try_from(*total).is_ok_and(|total| total > material.sources.len())
        });
    match screened {
        Some(total) => {
            format!("This report draws on {used} out of {total} that were fetched and screened.")
        }
        None => format!("This report draws on {used}."),
    }
}

fn left_out(desk: &Desk) -> Option<String> {
    let material = desk.brief.material;
    // What the report was given no longer shows what the screening had dropped before.
    let screened = desk.brief.insights.and_then(|insights| insights.duplicates).unwrap_or_default();
    let repeated = material.repeated.max(usize::try_from(screened).unwrap_or(usize::MAX));
    let mut parts = Vec::new();
    if repeated > 0 {
        parts.push(format!("{} that repeated another", prose::count_of(repeated, "article")));
    }
    if material.unused > 0 {
        parts.push(format!("{} without usable text", prose::count_of(material.unused, "article")));
    }
    if material.marginal > 0 {
        parts.push(format!(
            "{} that merely touch the topic",
            prose::count_of(material.marginal, "article")
        ));
    }
    (!parts.is_empty()).then(|| format!("It leaves out {}.", prose::listed(&parts)))
}

/// The report on nothing: short, honest, and of some use.
pub fn empty(desk: &Desk) -> (String, Vec<Section>) {
    let topic = text::clean::line(desk.brief.topic);
    let received = desk.brief.material.received;
    let summary = match received {
        0 => format!("No relevant articles on “{topic}” were found in this period."),
        _ => format!(
            "None of the {} given on “{topic}” held a text that could be reported on.",
            prose::count_of(received, "article")
        ),
    };
    let screened = desk.brief.insights.and_then(|insights| insights.total).unwrap_or_default();
    let mut sentences = vec!["This report therefore draws no conclusion.".to_owned()];
    if screened > 0 {
        sentences
            .push(format!("{screened} articles were screened; none passed the relevance limit."));
    }
    let advice = [
        "Name the topic in other or broader words.",
        "Search more sources, or a longer period.",
        "Lower the relevance that an article must reach.",
    ];
    let items = advice.map(|item| vec![Inline::Text(item.to_owned())]);
    let sections = vec![
        section(
            "summary",
            "Executive summary",
            vec![
                Block::Lead(vec![Inline::Text(summary.clone())]),
                Block::Paragraph(vec![Inline::Text(sentences.join(" "))]),
            ],
        ),
        section("next", "What can be tried", vec![Block::Bullets(items.to_vec())]),
    ];
    (summary, sections)
}
