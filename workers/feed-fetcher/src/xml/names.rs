//! Owns the namespaces that feeds use, by their addresses and by their customary prefixes.

/// A namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ns {
    /// None, or one of RSS's own.
    Core,
    /// Atom 1.0 and 0.3.
    Atom,
    /// Dublin Core, elements and terms.
    Dc,
    /// RSS content module.
    Content,
    /// Media RSS.
    Media,
    /// iTunes podcasts.
    Itunes,
    /// RDF syntax.
    Rdf,
    /// XHTML.
    Xhtml,
    /// FeedBurner's extensions.
    FeedBurner,
    /// Any other.
    Other,
}

impl Ns {
    /// The namespace at an address. Addresses are compared without case and scheme.
    pub fn of_address(address: &str) -> Ns {
        let address = address.trim().to_ascii_lowercase();
        let rest = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let rest = rest.strip_prefix("www.").unwrap_or(rest);
        match rest.trim_end_matches(['/', '#']) {
            ""
            | "purl.org/rss/1.0"
            | "my.netscape.com/rdf/simple/0.9"
            | "channel.netscape.com/rdf/simple/0.9" => Ns::Core,
            "w3.org/2005/atom" | "purl.org/atom/ns" => Ns::Atom,
            "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" | "purl.org/dc/terms" => Ns::Dc,
            "purl.org/rss/1.0/modules/content" => Ns::Content,
            "search.yahoo.com/mrss" => Ns::Media,
            "itunes.com/dtds/podcast-1.0.dtd" => Ns::Itunes,
            "w3.org/1999/02/22-rdf-syntax-ns" => Ns::Rdf,
            "w3.org/1999/xhtml" => Ns::Xhtml,
            "rssnamespace.org/feedburner/ext/1.0" => Ns::FeedBurner,
            rest if rest.starts_with("backend.userland.com/rss") => Ns::Core,
            _ => Ns::Other,
        }
    }

    /// The namespace that a prefix customarily stands for, where a document forgot to say.
    pub fn of_prefix(prefix: &str) -> Ns {
        match prefix.to_ascii_lowercase().as_str() {
            "" | "rss" => Ns::Core,
            "atom" | "a10" => Ns::Atom,
            "dc" | "dcterms" => Ns::Dc,
            "content" => Ns::Content,
            "media" => Ns::Media,
            "itunes" => Ns::Itunes,
            "rdf" => Ns::Rdf,
            "xhtml" | "html" => Ns::Xhtml,
            "feedburner" => Ns::FeedBurner,
            _ => Ns::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_in_their_usual_variants() {
        for (address, ns) in [
            ("http://www.w3.org/2005/Atom", Ns::Atom),
            ("https://www.w3.org/2005/atom/", Ns::Atom),
            ("http://purl.org/atom/ns#", Ns::Atom),
            ("http://search.yahoo.com/mrss", Ns::Media),
            ("http://www.itunes.com/DTDs/Podcast-1.0.dtd", Ns::Itunes),
            ("http://backend.userland.com/rss2", Ns::Core),
            ("http://purl.org/rss/1.0/", Ns::Core),
            ("http://my.netscape.com/rdf/simple/0.9/", Ns::Core),
            ("", Ns::Core),
            ("http://example.com/ns", Ns::Other),
        ] {
            assert_eq!(Ns::of_address(address), ns, "{address}");
        }
        assert_eq!(Ns::of_prefix("DC"), Ns::Dc);
        assert_eq!(Ns::of_prefix("foaf"), Ns::Other);
    }
}
