//! Composes the document of a report from its material. What goes in depends on the type of report;
//! every statement of an article carries the number of its source.

mod charts;
mod closing;
mod findings;
mod opening;
mod sections;

use crate::calendar;
use crate::citations::Citations;
use crate::contract::{Angle, Insights, KeyFinding, ReportType};
use crate::document::{Document, Section};
use crate::material::Material;
use crate::prose;
use crate::ranking::Ranking;
use crate::themes::{self, Theme};
use crate::trends::Trends;

/// Everything that a report is composed from.
#[derive(Debug)]
pub struct Brief<'a> {
    pub topic: &'a str,
    pub report_type: ReportType,
    pub material: &'a Material,
    pub ranking: &'a Ranking,
    pub angles: &'a [Angle],
    pub insights: Option<&'a Insights>,
    pub now_ms: i64,
    /// The summary that a model wrote, where one did.
    pub written: Option<&'a Written>,
}

/// A summary by a model: statements with the sources that carry them.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub model: String,
    pub statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub text: String,
    /// Places among the sources; never empty.
    pub sources: Vec<usize>,
}

/// A composed report.
#[derive(Debug)]
pub struct Composition {
    pub document: Document,
    pub summary: String,
    pub findings: Vec<KeyFinding>,
    /// Places of the cited sources, in the order of their numbers.
    pub cited: Vec<usize>,
}

/// How much of each a type of report holds.
#[derive(Debug, Clone, Copy)]
struct Limits {
    summary_sentences: usize,
    findings: usize,
    themes: usize,
    digests_per_theme: usize,
    rows: usize,
    is_detailed: bool,
    has_body: bool,
}

impl Limits {
    fn of(report_type: ReportType) -> Self {
        match report_type {
            ReportType::Brief => Self {
                summary_sentences: 3,
                findings: 3,
                themes: 0,
                digests_per_theme: 0,
                rows: 0,
                is_detailed: false,
                has_body: false,
            },
            ReportType::Executive => Self {
                summary_sentences: 5,
                findings: 6,
                themes: 5,
                digests_per_theme: 4,
                rows: 8,
                is_detailed: false,
                has_body: true,
            },
            ReportType::Detailed => Self {
                summary_sentences: 7,
                findings: 10,
                themes: 12,
                digests_per_theme: 12,
                rows: 12,
                is_detailed: true,
                has_body: true,
            },
        }
    }
}

/// How many key findings a report of this type has room for.
pub fn findings_max(report_type: ReportType) -> usize {
    Limits::of(report_type).findings
}

/// What the parts of a composition share.
struct Desk<'a> {
    brief: &'a Brief<'a>,
    limits: Limits,
    themes: Vec<Theme>,
    trends: Option<Trends>,
    citations: Citations,
    /// Sentences that the report has quoted.
    said: Vec<usize>,
}

/// The whole report. Without sources it says so and what can be done.
pub fn compose(brief: &Brief) -> Composition {
    let mut desk = Desk {
        brief,
        limits: Limits::of(brief.report_type),
        themes: themes::group(brief.topic, brief.material, brief.angles),
        trends: Trends::of(brief.material),
        citations: Citations::default(),
        said: Vec::new(),
    };
    if brief.material.sources.is_empty() {
        let (summary, sections) = closing::empty(&desk);
        return desk.finish(summary, Vec::new(), sections);
    }
    let (summary, opening) = opening::summary(&mut desk);
    let (findings, key_findings) = findings::key_findings(&mut desk);
    let mut sections = vec![opening];
    sections.extend(findings);
    if desk.limits.has_body {
        sections.extend(charts::coverage(&desk));
        sections.extend(sections::themes(&mut desk));
        sections.extend(sections::trends(&desk));
        sections.extend(sections::tone(&mut desk));
    }
    sections.push(closing::sources(&mut desk));
    sections.push(closing::method(&desk));
    desk.finish(summary, key_findings, sections)
}

impl Desk<'_> {
    fn finish(
        self,
        summary: String,
        findings: Vec<KeyFinding>,
        sections: Vec<Section>,
    ) -> Composition {
        let kind = match self.brief.report_type {
            ReportType::Brief => "Intelligence brief",
            ReportType::Executive => "Executive intelligence report",
            ReportType::Detailed => "Detailed intelligence report",
        };
        let document = Document {
            title: self.title(),
            kicker: kind.to_owned(),
            standfirst: self.standfirst(),
            date: calendar::long(self.brief.now_ms),
            date_iso: calendar::iso(self.brief.now_ms),
            sections,
        };
        Composition { document, summary, findings, cited: self.citations.into_places() }
    }

    fn title(&self) -> String {
        prose::capitalised(&text::clean::line(self.brief.topic))
    }

    /// "42 articles from 11 publishers, 2–21 November 2026."
    fn standfirst(&self) -> String {
        let material = self.brief.material;
        if material.sources.is_empty() {
            return "No articles were available for this report.".to_owned();
        }
        let articles = prose::count_of(material.sources.len(), "article");
        let publishers = prose::count_of(material.publishers().len(), "publisher");
        let span = material.span_ms().map(|(from, to)| format!(", {}", calendar::span(from, to)));
        format!("{articles} from {publishers}{}.", span.unwrap_or_default())
    }

    fn byline(&self, place: usize) -> String {
        let source = &self.brief.material.sources[place];
        let date = source.published_ms.map(calendar::long);
        let parts = [Some(source.publisher.clone()), date].into_iter().flatten();
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The language of a source where it is not the report's.
    fn foreign_language(&self, place: usize) -> Option<String> {
        let language = self.brief.material.sources[place].language.clone()?;
        (language != "en").then_some(language)
    }

    /// The quotation of a sentence, which will not be quoted again.
    fn quote(&mut self, sentence: usize) -> String {
        let passage = self.brief.ranking.passage(sentence);
        self.said.extend(passage.sentences);
        passage.text
    }

    fn source_of(&self, sentence: usize) -> usize {
        self.brief.ranking.sentences[sentence].source
    }
}

fn section(anchor: &str, heading: &str, blocks: Vec<crate::document::Block>) -> Section {
    Section { anchor: anchor.to_owned(), heading: heading.to_owned(), blocks }
}
