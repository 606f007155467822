//! Builds the tree from the events of a pull parser.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::names::Ns;
use super::{ATTRIBUTES_MAX, DEPTH_MAX, Document, Element, NODES_MAX, Node};

/// The tree of a document; `None` when it has no element at all.
pub fn parse(text: &str) -> Option<Document> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut builder = Builder::default();
    let sound = loop {
        match reader.read_event() {
            Ok(Event::Eof) => break true,
            Ok(event) => {
                if !builder.take(event) {
                    break false;
                }
            }
            Err(_) => break false,
        }
    };
    builder.finish(sound)
}

/// Namespaces known at one place; each element looks through them.
const PREFIXES_MAX: usize = 256;

/// An element that is still open.
struct Frame {
    element: Element,
    written_name: String,
    /// How many prefixes were known before it.
    prefixes: usize,
}

#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    root: Option<Element>,
    prefixes: Vec<(String, Ns)>,
    nodes: usize,
    /// Open elements below [`DEPTH_MAX`], which are only counted.
    too_deep: usize,
    /// The names of RSS 0.9x and 2.0 count as its own, whatever default namespace was declared.
    is_rss: bool,
}

impl Builder {
    /// Takes one event in. False when the limits are reached.
    fn take(&mut self, event: Event<'_>) -> bool {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Empty(start) => {
                self.start(&start);
                self.end(start.name().as_ref());
            }
            Event::End(end) => self.end(end.name().as_ref()),
            Event::Text(text) => self.text(&text),
            Event::CData(text) => self.text(&text),
            Event::GeneralRef(reference) => {
                let resolved = match &*reference {
                    "lt" => "<".to_owned(),
                    "gt" => ">".to_owned(),
                    "amp" => "&".to_owned(),
                    "quot" => "\"".to_owned(),
                    "apos" => "'".to_owned(),
                    name => match reference.resolve_char_ref() {
                        Ok(Some(c)) => c.to_string(),
                        // Left to the reader of HTML, which knows the names.
                        _ => format!("&{name};"),
                    },
                };
                self.text(&resolved);
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
        self.nodes <= NODES_MAX
    }

    fn start(&mut self, start: &BytesStart<'_>) {
        let written_name = start.name().as_ref().to_owned();
        if self.open.len() >= DEPTH_MAX || self.too_deep > 0 {
            self.too_deep += 1;
            return;
        }
        let known_prefixes = self.prefixes.len();
        let attributes = self.attributes(start);
        self.nodes += 1 + attributes.len();
        let (prefix, local) = written_name.split_once(':').unwrap_or(("", &written_name));
        let name = local.to_ascii_lowercase();
        if self.open.is_empty() && self.root.is_none() {
            self.is_rss = prefix.is_empty() && name == "rss";
        }
        let element = Element {
            ns: self.namespace(prefix),
            name,
            attributes,
            children: Vec::new(),
            closed: false,
        };
        self.open.push(Frame { element, written_name, prefixes: known_prefixes });
    }

    /// Reads the attributes, and notes the namespaces that they declare.
    fn attributes(&mut self, start: &BytesStart<'_>) -> Vec<(String, String)> {
        let mut attributes = Vec::new();
        let mut written = start.html_attributes();
        for attribute in written.with_checks(false).flatten().take(ATTRIBUTES_MAX) {
            let key: &str = attribute.key.as_ref();
            let raw: &str = &attribute.value;
            let value = quick_xml::escape::unescape(raw)
                .map_or_else(|_| raw.replace("&amp;", "&"), std::borrow::Cow::into_owned);
            match key.strip_prefix("xmlns") {
                Some("") => self.declare("", &value),
                Some(rest) if rest.starts_with(':') => self.declare(&rest[1..], &value),
                _ => attributes.push((key.to_ascii_lowercase(), value)),
            }
        }
        attributes
    }

    fn declare(&mut self, prefix: &str, address: &str) {
        if self.prefixes.len() < PREFIXES_MAX {
            self.prefixes.push((prefix.to_owned(), Ns::of_address(address)));
        }
    }

    fn namespace(&self, prefix: &str) -> Ns {
        if prefix.is_empty() && self.is_rss {
            return Ns::Core;
        }
        let declared = self.prefixes.iter().rev().find(|(known, _)| known == prefix);
        match declared {
            // A default namespace that nobody knows is some dialect's name for the usual elements.
            Some((_, Ns::Other)) if prefix.is_empty() => Ns::Core,
            Some((_, Ns::Other)) | None => Ns::of_prefix(prefix),
            Some((_, ns)) => *ns,
        }
    }

    fn text(&mut self, text: &str) {
        let Some(frame) = self.open.last_mut() else { return };
        match frame.element.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => {
                self.nodes += 1;
                frame.element.children.push(Node::Text(text.to_owned()));
            }
        }
    }

    /// Closes the innermost element of that name, and with it those inside that were left open. A
    /// closing tag without an opening one is dropped.
    fn end(&mut self, written_name: &str) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let Some(depth) = self.open.iter().rposition(|frame| frame.written_name == written_name)
        else {
            return;
        };
        while self.open.len() > depth {
            self.close(true);
        }
    }

    fn close(&mut self, closed: bool) {
        let Some(frame) = self.open.pop() else { return };
        self.prefixes.truncate(frame.prefixes);
        let element = Element { closed, ..frame.element };
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(Node::Element(element)),
            // What follows the outermost element is no part of the document.
            None if self.root.is_none() => self.root = Some(element),
            None => {}
        }
    }

    fn finish(mut self, sound: bool) -> Option<Document> {
        let complete = sound && self.open.is_empty();
        while !self.open.is_empty() {
            self.close(false);
        }
        self.root.map(|root| Document { root, complete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(text: &str) -> Element {
        parse(text).unwrap().root
    }

    #[test]
    fn a_sound_document_becomes_its_tree() {
        let document =
            parse("<rss version='2.0'><channel><title>A &amp; B</title></channel></rss>");
        let document = document.unwrap();
        assert!(document.complete);
        assert_eq!(document.root.attribute("version"), Some("2.0"));
        let channel = document.root.first(Ns::Core, "channel").unwrap();
        assert_eq!(channel.first_filled(&[(Ns::Core, "title")]).as_deref(), Some("A & B"));
    }

    #[test]
    fn text_references_and_character_data_join() {
        let element = root("<a>x &lt;b&gt; &#169;&#x20; <![CDATA[<p>&amp;</p>]]> &nbsp; & c</a>");
        assert_eq!(element.text(), "x <b> ©  <p>&amp;</p> &nbsp; & c");
    }

    #[test]
    fn prefixes_are_resolved_or_guessed() {
        let element = root(
            "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:d='http://purl.org/dc/elements/1.1/'>\
             <d:date>1</d:date><dc:date>2</dc:date><x:y>3</x:y></feed>",
        );
        assert_eq!(element.ns, Ns::Atom);
        let spaces: Vec<Ns> = element.elements().map(|e| e.ns).collect();
        assert_eq!(spaces, [Ns::Dc, Ns::Dc, Ns::Other]);
    }

    #[test]
    fn a_prefix_ends_with_its_element() {
        let element = root("<a><b xmlns:p='http://www.w3.org/2005/Atom'><p:x/></b><p:x/></a>");
        let spaces: Vec<Ns> =
            element.elements().flat_map(|e| e.elements().chain([e])).map(|e| e.ns).collect();
        assert_eq!(spaces, [Ns::Atom, Ns::Core, Ns::Other]);
    }

    #[test]
    fn in_rss_a_default_namespace_changes_nothing() {
        let element = root("<rss xmlns='http://www.w3.org/2005/Atom'><channel/></rss>");
        assert!(element.first(Ns::Core, "channel").is_some());
    }

    #[test]
    fn tags_that_do_not_match_are_matched_as_well_as_can_be() {
        let document = parse("<a><b><i>x</b></u><c>y</c></a>").unwrap();
        assert!(document.complete);
        assert_eq!(document.root.first(Ns::Core, "b").unwrap().text(), "x");
        assert_eq!(document.root.first(Ns::Core, "c").unwrap().text(), "y");
    }

    #[test]
    fn what_stands_before_the_end_is_kept() {
        for text in
            ["<a><b>x</b><b>y", "<a><b>x</b><b>y</b", "<a><b>x</b><![CDATA[", "<a><b>x</b><!--"]
        {
            let document = parse(text).unwrap();
            assert!(!document.complete, "{text}");
            let first = document.root.first(Ns::Core, "b").unwrap();
            assert_eq!((first.text().as_str(), first.closed), ("x", true));
            assert!(document.root.elements().skip(1).all(|element| !element.closed));
        }
        assert!(parse("no markup").is_none());
        assert!(parse("").is_none());
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("{}x{}<z>y</z>", "<a>".repeat(500), "</a>".repeat(499));
        let document = parse(&deep).unwrap();
        assert_eq!(document.root.text(), "xy");
        let wide = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX + 10));
        let document = parse(&wide).unwrap();
        assert!(!document.complete);
        assert!(document.root.children.len() <= NODES_MAX);
    }

    #[test]
    fn hostile_documents_are_read_in_bounded_time() {
        const BYTES: usize = 512 * 1024;
        for splinter in
            ["<a>", "</a>", "<a", "<a/>", "<a b='", "<![CDATA[", "&", "<!--", "<!", "<?", "x<"]
        {
            parse(&splinter.repeat(BYTES / splinter.len()));
            parse(&format!("<a>{}</a>", splinter.repeat(BYTES / splinter.len())));
        }
        let declarations: String =
            (0..50_000).map(|n| format!(" xmlns:p{n}='http://x.org/'")).collect();
        parse(&format!("<a{declarations}>{}</a>", "<q:b/>".repeat(100_000)));
        let attributes: String = (0..100_000).map(|n| format!(" a{n}=''")).collect();
        assert_eq!(root(&format!("<a{attributes}/>")).attributes.len(), ATTRIBUTES_MAX);
    }

    #[test]
    fn attributes_survive_bare_ampersands_and_missing_quotes() {
        let element = root("<a HREF='x?a=1&b=2&amp;c=3' title=y disabled>z</a>");
        assert_eq!(element.attribute("href"), Some("x?a=1&b=2&c=3"));
        assert_eq!(element.attribute("title"), Some("y"));
    }

    #[test]
    fn markup_writes_elements_out_again() {
        let element = root("<d>a &lt; b <em>c<i>d</i></em> &amp;</d>");
        assert_eq!(element.markup(), "a &lt; b <em>c<i>d</i></em> &");
        assert_eq!(root("<d>&lt;p&gt;x&lt;/p&gt;</d>").markup(), "<p>x</p>");
    }
}
