//! Renders a document as Markdown (CommonMark with tables). Every character of a text that Markdown
//! could take for markup is escaped, and no bare address becomes a link.

use crate::document::{Block, Chart, ChartKind, Count, Digest, Document, Finding, Inline, Table};

/// The whole document.
pub fn render(document: &Document) -> String {
    let mut out = String::new();
    push_paragraph(&mut out, &format!("# {}", escape(&document.title)));
    let kicker = escape(&document.kicker);
    push_paragraph(&mut out, &format!("*{kicker} · {}*", escape(&document.date)));
    push_paragraph(&mut out, &escape(&document.standfirst));
    for section in &document.sections {
        push_paragraph(&mut out, &format!("## {}", escape(&section.heading)));
        for block in &section.blocks {
            push_block(&mut out, block);
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn push_block(out: &mut String, block: &Block) {
    match block {
        Block::Paragraph(inlines) | Block::Lead(inlines) => {
            push_paragraph(out, &inline_text(inlines));
        }
        Block::Heading(text) => push_paragraph(out, &format!("### {}", escape(text))),
        Block::Findings(findings) => {
            push_items(out, findings.iter().map(finding), |number| format!("{number}."));
        }
        Block::Facts(facts) => {
            let facts =
                facts.iter().map(|f| format!("**{}** {}", escape(&f.value), escape(&f.label)));
            push_items(out, facts, |_| "-".to_owned());
        }
        Block::Charts(charts) => charts.iter().for_each(|chart| push_chart(out, chart)),
        Block::Digests(digests) => {
            push_items(out, digests.iter().map(digest), |_| "-".to_owned());
        }
        Block::Table(table) => push_table(out, table),
        Block::Bullets(items) => {
            push_items(out, items.iter().map(|item| inline_text(item)), |_| "-".to_owned());
        }
        Block::Sources(sources) => {
            let entries = sources.iter().map(|source| {
                let title = match &source.address {
                    Some(address) => link(address.href(), &source.title),
                    None => escape(&source.title),
                };
                format!("{title}. {}", escape(&source.byline))
            });
            let numbers: Vec<usize> = sources.iter().map(|source| source.number).collect();
            push_items(out, entries, |place| format!("{}.", numbers[place - 1]));
        }
    }
}

fn push_paragraph(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\n\n");
}

fn push_items(
    out: &mut String,
    items: impl Iterator<Item = String>,
    marker: impl Fn(usize) -> String,
) {
    for (number, item) in (1..).zip(items) {
        out.push_str(&format!("{} {item}\n", marker(number)));
    }
    out.push('\n');
}

fn finding(finding: &Finding) -> String {
    let Finding { headline, text, cited, note } = finding;
    let note = if note.is_empty() { String::new() } else { format!(" *{}*", escape(note)) };
    format!("**{}** {}{}{note}", escape(headline), escape(text), cite(cited))
}

fn digest(digest: &Digest) -> String {
    let title = match &digest.address {
        Some(address) => link(address.href(), &digest.title),
        None => escape(&digest.title),
    };
    let text = digest.text.as_deref().map(|text| format!(" {}", escape(text))).unwrap_or_default();
    format!("**{title}**{} *{}*{text}", cite(&[digest.cited]), escape(&digest.byline))
}

fn push_chart(out: &mut String, chart: &Chart) {
    let rows: Vec<Vec<String>> = match &chart.kind {
        ChartKind::Bars(counts) | ChartKind::Columns(counts) => {
            let row = |Count { label, count }: &Count| vec![label.clone(), count.to_string()];
            counts.iter().map(row).collect()
        }
        ChartKind::Tone { positive, neutral, negative } => {
            [("positive", positive), ("neutral", neutral), ("negative", negative)]
                .map(|(label, count)| vec![label.to_owned(), count.to_string()])
                .to_vec()
        }
    };
    let head = vec![chart.heading.clone(), "Articles".to_owned()];
    push_table(out, &Table { caption: chart.takeaway.clone(), head, rows });
}

fn push_table(out: &mut String, table: &Table) {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    push_paragraph(out, &format!("*{}*", escape(&table.caption)));
    out.push_str(&row(&table.head));
    out.push_str("| --- |");
    out.push_str(&" ---: |".repeat(table.head.len().saturating_sub(1)));
    out.push('\n');
    table.rows.iter().for_each(|cells| out.push_str(&row(cells)));
    out.push('\n');
}

fn inline_text(inlines: &[Inline]) -> String {
    let of_one = |inline: &Inline| match inline {
        Inline::Text(text) => spaced(text),
        Inline::Strong(text) => format!("**{}**", escape(text)),
        Inline::Emphasis(text) => format!("*{}*", escape(text)),
        Inline::Link { address, text } => link(address.href(), text),
        Inline::Cite(numbers) => cite(numbers),
    };
    inlines.iter().map(of_one).collect()
}

/// Brackets that are no link: the list of sources below has the addresses.
fn cite(numbers: &[usize]) -> String {
    if numbers.is_empty() {
        return String::new();
    }
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    format!(" \\[{}\\]", numbers.join(", "))
}

/// A parsed address holds neither angle brackets nor blanks, so it cannot leave the brackets.
fn link(href: &str, text: &str) -> String {
    let href = href.replace('\\', "%5C");
    format!("[{}](<{href}>)", escape(text))
}

/// A text inside a paragraph: the blanks at its ends part it from its neighbours.
fn spaced(text: &str) -> String {
    let before = if text.starts_with(char::is_whitespace) { " " } else { "" };
    let after = if text.ends_with(char::is_whitespace) { " " } else { "" };
    match escape(text) {
        blank if blank.is_empty() => before.to_owned(),
        escaped => format!("{before}{escaped}{after}"),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (at, c) in one_line.char_indices() {
        let is_markup = match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '!' | '$'
            | '@' | '{' | '}' => true,
            // At the beginning of a line these open lists and rules.
            '-' | '+' | '=' => at == 0,
            // Addresses without brackets become links in some dialects; so do "www." and lists
            // "1.".
            ':' => one_line[at..].starts_with("://"),
            '.' | ')' => {
                let before = &one_line[..at];
                before.to_ascii_lowercase().ends_with("www")
                    || (at > 0 && before.bytes().all(|byte| byte.is_ascii_digit()))
            }
            _ => false,
        };
        if is_markup {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    /// What a reader's program makes of a text: its plain content, if it found nothing but text.
    fn read_back(markdown: &str) -> Option<String> {
        let mut content = String::new();
        let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Text(text) => content.push_str(&text),
                Event::SoftBreak => content.push(' '),
                Event::Start(Tag::Paragraph) | Event::End(_) => {}
                _ => return None,
            }
        }
        Some(content)
    }

    #[test]
    fn texts_stay_texts() {
        for text in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[click](javascript:alert(1))",
            "![x](https://evil.example/p.png)",
            "`code` *bold* _it_ ~~gone~~ **b**",
            "# heading",
            "- list",
            "+ list",
            "1. list",
            "12) list",
            "> quote",
            "---",
            "===",
            "| a | b |",
            "&lt;b&gt; &amp;",
            "<https://evil.example>",
            "a\\*b",
            "$x$ and $$y$$",
            "[^1]: note",
            "line one\n\n# line two",
        ] {
            let expected = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(read_back(&escape(text)).as_deref(), Some(expected.as_str()), "{text}");
        }
    }

    #[test]
    fn texts_keep_their_distance() {
        let inlines = ["One.", " ", "Two ", "three."].map(|text| Inline::Text(text.to_owned()));
        assert_eq!(inline_text(&inlines), "One. Two three.");
    }

    #[test]
    fn bare_addresses_do_not_become_links() {
        assert_eq!(escape("see https://evil.example"), "see https\\://evil.example");
        assert_eq!(escape("see WWW.evil.example"), "see WWW\\.evil.example");
        assert_eq!(escape("mail a@b.example"), "mail a\\@b.example");
    }

    #[test]
    fn links_keep_their_text_and_address() {
        let address =
            crate::address::WebAddress::parse("https://a.example/x)(y?q=[z]\\<b>").unwrap();
        let markdown = link(address.href(), "A [title](x) \\");
        let mut links = Vec::new();
        for event in Parser::new_ext(&markdown, Options::all()) {
            if let Event::Start(Tag::Link { dest_url, .. }) = event {
                links.push(dest_url.to_string());
            }
        }
        assert_eq!(links.len(), 1, "{markdown}");
        assert!(links[0].starts_with("https://a.example/"), "{}", links[0]);
    }
}
