//! Renders a document as one self-contained HTML file: no script, no foreign font, no request. Its
//! content security policy forbids all of them, should a text ever break out.

use super::svg;
use super::tags::Tags;
use crate::address::WebAddress;
use crate::document::{
    Block, Chart, Digest, Document, Fact, Finding, Inline, Section, SourceEntry, Table,
};

const DOCTYPE: &str = "<!doctype html>\n";
const STYLE: &str = include_str!("style.css");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Shorter papers need no table of contents.
const CONTENTS_SECTIONS_MIN: usize = 5;

/// The whole document.
pub fn render(document: &Document) -> String {
    let mut tags = Tags::default();
    tags.trusted(DOCTYPE);
    tags.element("html", &[("lang", "en")], |tags| {
        tags.element("head", &[], |tags| head(tags, document));
        tags.element("body", &[], |tags| {
            tags.leaf("a", &[("class", "skip"), ("href", "#content")], "Skip to the report");
            tags.element("header", &[("class", "masthead")], |tags| masthead(tags, document));
            tags.element("main", &[("id", "content")], |tags| {
                if document.sections.len() >= CONTENTS_SECTIONS_MIN {
                    contents(tags, &document.sections);
                }
                document.sections.iter().for_each(|part| section(tags, part));
            });
        });
    });
    tags.finish()
}

fn head(tags: &mut Tags, document: &Document) {
    tags.void("meta", &[("charset", "utf-8")]);
    tags.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    tags.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    tags.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    tags.void("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    tags.void("meta", &[("name", "description"), ("content", &document.standfirst)]);
    tags.leaf("title", &[], &format!("{} – {}", document.title, document.kicker));
    tags.element("style", &[], |tags| tags.trusted(STYLE));
}

fn masthead(tags: &mut Tags, document: &Document) {
    tags.element("p", &[("class", "kicker")], |tags| {
        tags.leaf("span", &[], &document.kicker);
        tags.leaf("time", &[("datetime", &document.date_iso)], &document.date);
    });
    tags.leaf("h1", &[("dir", "auto")], &document.title);
    tags.leaf("p", &[("class", "standfirst")], &document.standfirst);
}

fn contents(tags: &mut Tags, sections: &[Section]) {
    tags.element("nav", &[("class", "contents"), ("aria-label", "Contents")], |tags| {
        tags.element("ol", &[], |tags| {
            for section in sections {
                let href = format!("#{}", section.anchor);
                tags.element("li", &[], |tags| {
                    tags.leaf("a", &[("href", &href)], &section.heading);
                });
            }
        });
    });
}

fn section(tags: &mut Tags, section: &Section) {
    let heading_id = format!("{}-heading", section.anchor);
    let attributes = [("id", section.anchor.as_str()), ("aria-labelledby", &heading_id)];
    tags.element("section", &attributes, |tags| {
        tags.leaf("h2", &[("id", &heading_id)], &section.heading);
        section.blocks.iter().for_each(|part| block(tags, part));
    });
}

fn block(tags: &mut Tags, block: &Block) {
    match block {
        Block::Paragraph(inlines) => paragraph(tags, &[], inlines),
        Block::Lead(inlines) => paragraph(tags, &[("class", "lead")], inlines),
        Block::Heading(text) => tags.leaf("h3", &[("dir", "auto")], text),
        Block::Findings(findings) => tags.element("ol", &[("class", "findings")], |tags| {
            findings.iter().for_each(|part| finding(tags, part));
        }),
        Block::Facts(facts) => tags.element("dl", &[("class", "facts")], |tags| {
            facts.iter().for_each(|part| fact(tags, part));
        }),
        Block::Charts(charts) => tags.element("div", &[("class", "charts")], |tags| {
            charts.iter().for_each(|part| chart(tags, part));
        }),
        Block::Digests(digests) => tags.element("ul", &[("class", "digests")], |tags| {
            digests.iter().for_each(|part| digest(tags, part));
        }),
        Block::Table(part) => table(tags, part),
        Block::Bullets(items) => tags.element("ul", &[], |tags| {
            for item in items {
                tags.element("li", &[], |tags| inlines(tags, item));
            }
        }),
        Block::Sources(sources) => tags.element("ol", &[("class", "sources")], |tags| {
            sources.iter().for_each(|part| source(tags, part));
        }),
    }
}

fn paragraph(tags: &mut Tags, attributes: &[(&str, &str)], content: &[Inline]) {
    tags.element("p", attributes, |tags| inlines(tags, content));
}

fn inlines(tags: &mut Tags, inlines: &[Inline]) {
    for inline in inlines {
        match inline {
            Inline::Text(text) => isolated(tags, text),
            Inline::Strong(text) => tags.leaf("strong", &[], text),
            Inline::Emphasis(text) => tags.leaf("em", &[], text),
            Inline::Link { address, text } => link(tags, Some(address), None, text),
            Inline::Cite(numbers) => cite(tags, numbers),
        }
    }
}

/// A text that is written from right to left must not turn the sentence around it.
fn isolated(tags: &mut Tags, text: &str) {
    let runs_left = |c: char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fefc}');
    if text.contains(runs_left) {
        tags.leaf("bdi", &[], text);
    } else {
        tags.text(text);
    }
}

/// A link where there is an address, else the text alone.
fn link(tags: &mut Tags, address: Option<&WebAddress>, language: Option<&str>, text: &str) {
    let language = language.map(|code| ("lang", code));
    match address {
        Some(address) => {
            let mut attributes =
                vec![("href", address.href()), ("rel", "noopener noreferrer"), ("dir", "auto")];
            attributes.extend(language);
            tags.leaf("a", &attributes, text);
        }
        None => {
            let mut attributes = vec![("dir", "auto")];
            attributes.extend(language);
            tags.leaf("span", &attributes, text);
        }
    }
}

fn cite(tags: &mut Tags, numbers: &[usize]) {
    if numbers.is_empty() {
        return;
    }
    tags.element("sup", &[("class", "cite")], |tags| {
        for number in numbers {
            let (href, label) = (format!("#source-{number}"), format!("Source {number}"));
            tags.leaf("a", &[("href", &href), ("aria-label", &label)], &number.to_string());
        }
    });
}

fn finding(tags: &mut Tags, finding: &Finding) {
    tags.element("li", &[], |tags| {
        tags.leaf("h3", &[("dir", "auto")], &finding.headline);
        tags.element("p", &[], |tags| {
            isolated(tags, &finding.text);
            cite(tags, &finding.cited);
        });
        if !finding.note.is_empty() {
            tags.leaf("p", &[("class", "note")], &finding.note);
        }
    });
}

fn fact(tags: &mut Tags, fact: &Fact) {
    tags.element("div", &[], |tags| {
        tags.leaf("dt", &[], &fact.label);
        tags.leaf("dd", &[], &fact.value);
    });
}

fn chart(tags: &mut Tags, chart: &Chart) {
    tags.element("figure", &[], |tags| {
        tags.element("figcaption", &[], |tags| {
            tags.leaf("strong", &[], &chart.heading);
            tags.leaf("span", &[], &chart.takeaway);
        });
        svg::chart(tags, chart);
    });
}

fn digest(tags: &mut Tags, digest: &Digest) {
    tags.element("li", &[], |tags| {
        tags.element("p", &[("class", "headline")], |tags| {
            link(tags, digest.address.as_ref(), digest.language.as_deref(), &digest.title);
            cite(tags, &[digest.cited]);
        });
        tags.leaf("p", &[("class", "note")], &digest.byline);
        if let Some(text) = &digest.text {
            let mut attributes = vec![("dir", "auto")];
            attributes.extend(digest.language.as_deref().map(|code| ("lang", code)));
            tags.leaf("p", &attributes, text);
        }
    });
}

fn table(tags: &mut Tags, table: &Table) {
    // Wide tables scroll on their own; the focus lets a keyboard scroll them.
    let frame =
        [("class", "table"), ("tabindex", "0"), ("role", "group"), ("aria-label", &table.caption)];
    tags.element("div", &frame, |tags| {
        tags.element("table", &[], |tags| {
            tags.leaf("caption", &[], &table.caption);
            tags.element("thead", &[], |tags| {
                tags.element("tr", &[], |tags| {
                    for cell in &table.head {
                        tags.leaf("th", &[("scope", "col")], cell);
                    }
                });
            });
            tags.element("tbody", &[], |tags| {
                table.rows.iter().for_each(|cells| row(tags, cells));
            });
        });
    });
}

fn row(tags: &mut Tags, cells: &[String]) {
    tags.element("tr", &[], |tags| {
        let mut cells = cells.iter();
        if let Some(name) = cells.next() {
            tags.leaf("th", &[("scope", "row"), ("dir", "auto")], name);
        }
        cells.for_each(|cell| tags.leaf("td", &[], cell));
    });
}

fn source(tags: &mut Tags, source: &SourceEntry) {
    let id = format!("source-{}", source.number);
    let number = source.number.to_string();
    tags.element("li", &[("id", &id), ("value", &number)], |tags| {
        link(tags, source.address.as_ref(), source.language.as_deref(), &source.title);
        tags.leaf("span", &[("class", "note")], &source.byline);
    });
}
