//! Writes well-formed HTML and SVG: every element is closed, every text and attribute value
//! escaped. Nothing else in this crate writes a `<`.

/// Output that is well-formed at every step.
#[derive(Debug, Default)]
pub struct Tags {
    out: String,
}

/// Attribute names and their values, which are escaped.
pub type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Tags {
    /// An element with whatever `content` writes inside.
    pub fn element(
        &mut self,
        name: &'static str,
        attributes: Attributes,
        content: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        content(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element with a text inside.
    pub fn leaf(&mut self, name: &'static str, attributes: Attributes, text: &str) {
        self.element(name, attributes, |tags| tags.text(text));
    }

    /// An element that has no content and no end (`meta`, `rect`).
    pub fn void(&mut self, name: &'static str, attributes: Attributes) {
        self.open(name, attributes);
    }

    pub fn text(&mut self, text: &str) {
        escape(&mut self.out, text);
    }

    /// Text of our own that is markup: the document type and the style sheet.
    pub fn trusted(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    pub fn finish(self) -> String {
        self.out
    }

    fn open(&mut self, name: &'static str, attributes: Attributes) {
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            self.out.push(' ');
            self.out.push_str(attribute);
            self.out.push_str("=\"");
            escape(&mut self.out, value);
            self.out.push('"');
        }
        self.out.push('>');
    }
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            // No control character is text; the cleaning has removed them, this makes sure.
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_escaped() {
        let mut tags = Tags::default();
        tags.element("a", &[("href", "x\" onclick='y")], |tags| tags.text("<b>&amp;\u{0}</b>`"));
        assert_eq!(
            tags.finish(),
            "<a href=\"x&quot; onclick=&#39;y\">&lt;b&gt;&amp;amp; &lt;/b&gt;&#96;</a>"
        );
    }

    #[test]
    fn elements_nest_and_close() {
        let mut tags = Tags::default();
        tags.element("ul", &[], |tags| {
            tags.leaf("li", &[], "one");
            tags.leaf("li", &[("class", "last")], "two");
        });
        assert_eq!(tags.finish(), "<ul><li>one</li><li class=\"last\">two</li></ul>");
    }
}
