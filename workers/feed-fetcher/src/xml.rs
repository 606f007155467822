//! Owns a tolerant tree of an XML document. Broken documents are the rule rather than the
//! exception: tags that do not match are matched as well as can be, bare ampersands and unknown
//! entities stay as text, and what stands before a hopeless place is kept. It must not know feeds
//! beyond the namespaces that they use.

mod build;
mod names;

pub use build::parse;
pub use names::Ns;

/// Deeper elements are left out; their text counts as their parent's.
pub const DEPTH_MAX: usize = 64;
/// Elements and attributes beyond this number are not read.
pub const NODES_MAX: usize = 100_000;
/// Attributes of one element beyond this number are not read.
pub const ATTRIBUTES_MAX: usize = 64;

/// A document that was read as far as it goes.
#[derive(Debug)]
pub struct Document {
    /// The outermost element.
    pub root: Element,
    /// Whether the document ended where it should.
    pub complete: bool,
}

/// An element.
#[derive(Debug)]
pub struct Element {
    /// Its namespace.
    pub ns: Ns,
    /// Its name without prefix, in lower case.
    pub name: String,
    /// Attributes by their written name in lower case, prefix included.
    pub attributes: Vec<(String, String)>,
    /// What stands inside.
    pub children: Vec<Node>,
    /// False for an element that the document's end cut off.
    pub closed: bool,
}

/// What stands inside an element.
#[derive(Debug)]
pub enum Node {
    /// Text, with XML's own references resolved.
    Text(String),
    /// An element.
    Element(Element),
}

impl Element {
    /// An attribute that is not blank.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known == name)?;
        let value = value.trim();
        (!value.is_empty()).then_some(value)
    }

    /// The elements inside.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements inside with this name.
    pub fn all_named<'e>(&'e self, ns: Ns, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.elements().filter(move |e| e.ns == ns && e.name == name)
    }

    /// The first element inside with this name.
    pub fn first(&self, ns: Ns, name: &str) -> Option<&Element> {
        self.elements().find(|e| e.ns == ns && e.name == name)
    }

    /// The first of these names, in the order of the names, whose markup is not blank.
    pub fn first_filled(&self, names: &[(Ns, &str)]) -> Option<String> {
        names.iter().find_map(|(ns, name)| {
            self.all_named(*ns, name).map(Element::markup).find(|text| !text.trim().is_empty())
        })
    }

    /// What stands inside, as HTML: text as it is, and elements written out again.
    pub fn markup(&self) -> String {
        let mut out = String::new();
        // Text beside elements is text, so a `<` in it must not become markup.
        let escaped = self.elements().next().is_some();
        write_children(self, escaped, &mut out);
        out
    }

    /// All text inside, however deep.
    pub fn text(&self) -> String {
        let mut out = String::new();
        write_text(self, &mut out);
        out
    }
}

// Recursion ends at DEPTH_MAX, which the builder holds.
fn write_children(element: &Element, escaped: bool, out: &mut String) {
    for node in &element.children {
        match node {
            Node::Text(text) if escaped => {
                out.push_str(&text.replace('<', "&lt;"));
            }
            Node::Text(text) => out.push_str(text),
            Node::Element(inner) => {
                out.push_str(&format!("<{}>", inner.name));
                write_children(inner, escaped, out);
                out.push_str(&format!("</{}>", inner.name));
            }
        }
    }
}

fn write_text(element: &Element, out: &mut String) {
    for node in &element.children {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Element(inner) => write_text(inner, out),
        }
    }
}
