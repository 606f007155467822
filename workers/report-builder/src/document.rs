//! The report as a document: what it says, not how it looks. Markdown and HTML are two renderings
//! of it, so that both say the same. HTML is not made from the Markdown: charts, citations and
//! figures have no Markdown form, and Markdown would let raw HTML of a feed through.

use crate::address::WebAddress;

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub title: String,
    /// What kind of paper this is, above the title.
    pub kicker: String,
    /// One sentence under the title.
    pub standfirst: String,
    /// The date of the paper for readers, and in ISO 8601.
    pub date: String,
    pub date_iso: String,
    pub sections: Vec<Section>,
}

/// A part with a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Unique in its document: letters, digits and hyphens.
    pub anchor: String,
    pub heading: String,
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Paragraph(Vec<Inline>),
    /// A paragraph of greater weight, for the opening of a summary.
    Lead(Vec<Inline>),
    /// A heading below that of the section.
    Heading(String),
    Findings(Vec<Finding>),
    /// A few figures side by side.
    Facts(Vec<Fact>),
    Charts(Vec<Chart>),
    /// Articles with what they say.
    Digests(Vec<Digest>),
    Table(Table),
    Bullets(Vec<Vec<Inline>>),
    Sources(Vec<SourceEntry>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Inline {
    Text(String),
    Strong(String),
    Emphasis(String),
    Link {
        address: WebAddress,
        text: String,
    },
    /// Numbers of [`SourceEntry`]s.
    Cite(Vec<usize>),
}

/// A statement with the headline that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub headline: String,
    pub text: String,
    pub cited: Vec<usize>,
    /// What qualifies it: how many publishers, when.
    pub note: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub value: String,
    pub label: String,
}

/// An article in a section.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    pub title: String,
    pub address: Option<WebAddress>,
    pub cited: usize,
    /// Publisher and date.
    pub byline: String,
    /// ISO 639-1, where it is not the report's language.
    pub language: Option<String>,
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub caption: String,
    /// The first column names the row; the others hold figures.
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// An entry of the list of sources.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceEntry {
    pub number: usize,
    pub title: String,
    pub address: Option<WebAddress>,
    pub byline: String,
    pub language: Option<String>,
}

/// A chart: figures with a heading and the sentence that a reader should take from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub anchor: String,
    pub heading: String,
    pub takeaway: String,
    pub kind: ChartKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ChartKind {
    /// Named counts, most first.
    Bars(Vec<Count>),
    /// Counts along time.
    Columns(Vec<Count>),
    /// Positive, neutral, negative.
    Tone { positive: usize, neutral: usize, negative: usize },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    pub label: String,
    pub count: usize,
}

impl Document {
    /// Words of the whole document, headings, tables and sources included.
    pub fn word_count(&self) -> usize {
        let opening = [&self.title, &self.standfirst].map(|text| words(text)).iter().sum::<usize>();
        let sections = self.sections.iter().map(|section| {
            words(&section.heading) + section.blocks.iter().map(Block::words).sum::<usize>()
        });
        opening + sections.sum::<usize>()
    }
}

impl Block {
    fn words(&self) -> usize {
        match self {
            Self::Paragraph(inlines) | Self::Lead(inlines) => inline_words(inlines),
            Self::Heading(text) => words(text),
            Self::Findings(findings) => {
                findings.iter().map(|f| words(&f.headline) + words(&f.text) + words(&f.note)).sum()
            }
            Self::Facts(facts) => facts.iter().map(|f| words(&f.value) + words(&f.label)).sum(),
            Self::Charts(charts) => {
                charts.iter().map(|chart| words(&chart.heading) + words(&chart.takeaway)).sum()
            }
            Self::Digests(digests) => digests
                .iter()
                .map(|d| words(&d.title) + words(&d.byline) + d.text.as_deref().map_or(0, words))
                .sum(),
            Self::Table(table) => {
                let cells = table.head.iter().chain(table.rows.iter().flatten());
                words(&table.caption) + cells.map(|cell| words(cell)).sum::<usize>()
            }
            Self::Bullets(items) => items.iter().map(|item| inline_words(item)).sum(),
            Self::Sources(sources) => {
                sources.iter().map(|s| words(&s.title) + words(&s.byline)).sum()
            }
        }
    }
}

fn inline_words(inlines: &[Inline]) -> usize {
    let of_one = |inline: &Inline| match inline {
        Inline::Text(text) | Inline::Strong(text) | Inline::Emphasis(text) => words(text),
        Inline::Link { text, .. } => words(text),
        Inline::Cite(_) => 0,
    };
    inlines.iter().map(of_one).sum()
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
