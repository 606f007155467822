//! The canonical form of an article's address, for comparison only: it is never requested.

use url::Url;

/// Parameters that say where a reader came from, not what is read.
const TRACKING: &[&str] = &[
    "fbclid",
    "gclid",
    "dclid",
    "msclkid",
    "yclid",
    "mc_cid",
    "mc_eid",
    "igshid",
    "ref",
    "ref_src",
    "referrer",
    "source",
    "src",
    "cmpid",
    "ncid",
    "ocid",
    "smid",
    "sref",
    "spm",
    "at_medium",
    "at_campaign",
    "_hsenc",
    "_hsmi",
    "ft",
    "rss",
    "feed",
];
const TRACKING_PREFIXES: &[&str] = &["utm_", "pk_", "mtm_", "wt_"];

/// Host and path with what identifies a page; scheme, `www.`, fragments, tracking parameters, their
/// order and a last slash left out. `None` for what is no address of a page.
pub fn canonical(address: &str) -> Option<String> {
    let url = Url::parse(address.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?.trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let host = host.strip_prefix("amp.").unwrap_or(host);
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/amp").unwrap_or(path);
    let path = path.strip_suffix("/index.html").unwrap_or(path);
    let mut parameters: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !is_tracking(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    // The home page of a site is the address of none of its articles.
    if path.is_empty() && parameters.is_empty() {
        return None;
    }
    parameters.sort();
    let mut form = format!("{host}{port}{path}");
    for (name, value) in parameters {
        form.push_str(&format!("\n{name}={value}"));
    }
    Some(form)
}

fn is_tracking(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TRACKING.contains(&name.as_str())
        || TRACKING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn spellings_of_one_address_agree() {
        let expected = canonical("https://example.org/news/1?id=7&page=2");
        assert!(expected.is_some());
        for spelling in [
            "http://www.example.org/news/1/?page=2&id=7#comments",
            " HTTPS://EXAMPLE.ORG:443/news/1?utm_source=x&id=7&UTM_Medium=y&page=2&fbclid=z ",
            "https://amp.example.org/news/1/amp?id=7&page=2",
        ] {
            assert_eq!(canonical(spelling), expected, "{spelling}");
        }
    }

    #[test]
    fn different_pages_differ() {
        assert_ne!(canonical("https://example.org/?p=1"), canonical("https://example.org/?p=2"));
        assert_ne!(canonical("https://example.org/A"), canonical("https://example.org/a"));
        assert_ne!(canonical("https://a.example/x"), canonical("https://b.example/x"));
    }

    #[test]
    fn what_is_no_page_has_no_form() {
        for address in
            ["", "not a url", "javascript:alert(1)", "mailto:a@b.c", "https://a.example/"]
        {
            assert_eq!(canonical(address), None, "{address}");
        }
    }
}
