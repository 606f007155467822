//! Addresses that a report may link to. A value that exists is safe to put behind a link.

use url::Url;

/// An http or https address with a host and without credentials, spelt as browsers spell it: a host
/// in another script shows in its ASCII form, so that it cannot pass for a known one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebAddress {
    href: String,
    host: String,
}

/// Longer ones are no addresses of articles.
const ADDRESS_CHARS_MAX: usize = 2_000;

impl WebAddress {
    /// `None` for everything that is no such address: other schemes, no host, too long.
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text.trim()).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        let href = String::from(url);
        (href.len() <= ADDRESS_CHARS_MAX).then_some(Self { href, host })
    }

    pub fn href(&self) -> &str {
        &self.href
    }

    /// The host without `www.`, for people.
    pub fn site(&self) -> &str {
        self.host.strip_prefix("www.").unwrap_or(&self.host)
    }

    /// What identifies the page: scheme, fragment and tracking parameters left out.
    pub fn page(&self) -> String {
        let Ok(url) = Url::parse(&self.href) else { return self.href.clone() };
        let kept = url.query_pairs().filter(|(name, _)| !name.starts_with("utm_"));
        let mut page = format!("{}{}", self.site(), url.path().trim_end_matches('/'));
        for (name, value) in kept {
            page.push_str(&format!("\n{name}={value}"));
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::WebAddress;

    #[test]
    fn only_web_addresses_are_addresses() {
        for text in [
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "file:///etc/passwd",
            "//example.org/a",
            "/a",
            "https://",
            "",
        ] {
            assert_eq!(WebAddress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_could_leave_an_attribute_is_encoded() {
        let address =
            WebAddress::parse("https://example.org/a\"onclick=\"x<y>'?q=\"&a=<b>").unwrap();
        assert!(!address.href().contains(['"', '<', '>', ' ']), "{}", address.href());
    }

    #[test]
    fn credentials_go_and_foreign_hosts_show_their_spelling() {
        let address = WebAddress::parse("https://bank.example@evil.example/login").unwrap();
        assert_eq!(
            (address.href(), address.site()),
            ("https://evil.example/login", "evil.example")
        );
        let address = WebAddress::parse("https://www.аpple.example/").unwrap();
        assert!(address.site().starts_with("xn--"));
    }

    #[test]
    fn spellings_of_one_page_agree() {
        let page = |text| WebAddress::parse(text).unwrap().page();
        assert_eq!(
            page("https://www.example.org/a/?utm_source=x#top"),
            page("http://example.org/a")
        );
        assert_ne!(page("https://example.org/?p=1"), page("https://example.org/?p=2"));
    }
}
