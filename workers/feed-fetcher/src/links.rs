//! Owns addresses inside feeds: making them absolute, and telling whether two lead to the same
//! place. It must not decide whether an address may be called.

use url::Url;

const URL_CHARS_MAX: usize = 2048;

/// An absolute web address. `None` for what is none, or leads elsewhere than to the web.
pub fn resolve(text: &str, base: Option<&Url>) -> Option<Url> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if text.is_empty() || text.len() > URL_CHARS_MAX {
        return None;
    }
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => base?.join(&text).ok()?,
        Err(_) => return None,
    };
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// A key under which two writings of one address are equal: without scheme, fragment, trailing
/// slash and the parameters of campaigns, the other parameters in order.
pub fn key(url: &Url) -> String {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !is_campaign(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    pairs.sort();
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{host}{port}{path}?{}", query.join("&"))
}

fn is_campaign(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_")
        || matches!(
            name.as_str(),
            "fbclid"
                | "gclid"
                | "mc_cid"
                | "mc_eid"
                | "ref"
                | "cmpid"
                | "ns_campaign"
                | "at_medium"
                | "at_campaign"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Option<String> {
        let base = Url::parse("https://example.com/blog/feed.xml").unwrap();
        resolve(text, Some(&base)).map(String::from)
    }

    #[test]
    fn relative_addresses_become_absolute() {
        assert_eq!(resolved("/a").as_deref(), Some("https://example.com/a"));
        assert_eq!(resolved("a?b#c").as_deref(), Some("https://example.com/blog/a?b#c"));
        assert_eq!(resolved("//other.org/x").as_deref(), Some("https://other.org/x"));
        assert_eq!(resolved(" http://x.org/\na b ").as_deref(), Some("http://x.org/a%20b"));
        assert_eq!(resolve("/a", None), None);
    }

    #[test]
    fn what_does_not_lead_to_the_web_is_none() {
        for text in
            ["", "  ", "mailto:a@b.c", "javascript:x()", "tag:x,2020:1", "urn:uuid:1", "http://["]
        {
            assert_eq!(resolved(text), None, "{text}");
        }
        assert_eq!(resolved(&"a".repeat(3000)), None);
    }

    #[test]
    fn writings_of_one_address_have_one_key() {
        let key_of = |text: &str| key(&Url::parse(text).unwrap());
        let plain = key_of("https://example.com/a?x=1&y=2");
        for same in [
            "http://example.com/a?x=1&y=2",
            "https://www.example.com/a/?y=2&x=1#top",
            "https://EXAMPLE.com:443/a?x=1&utm_source=rss&y=2&fbclid=1",
        ] {
            assert_eq!(key_of(same), plain, "{same}");
        }
        for other in [
            "https://example.com/b?x=1&y=2",
            "https://example.com/a?x=1",
            "https://example.com:8443/a?x=1&y=2",
        ] {
            assert_ne!(key_of(other), plain, "{other}");
        }
    }
}
