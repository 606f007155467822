//! Owns the decision whether an answer sends the request on, and where to. Pure.

use url::Url;

use super::{Fault, Limits};
use crate::ssrf;

/// Where an answer sends the request: `None` when it is the answer itself.
pub fn next_hop(
    status: u16,
    location: Option<&str>,
    current: &Url,
    followed: u32,
    limits: &Limits,
) -> Result<Option<Url>, Fault> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = location
        .ok_or_else(|| Fault::new("fetch.redirect", format!("status {status} without a target")))?;
    if followed >= limits.redirects {
        let message = format!("more than {} redirects", limits.redirects);
        return Err(Fault::new("fetch.redirects", message));
    }
    let target = current
        .join(location)
        .map_err(|_| Fault::new("fetch.redirect", "the redirect's target is no URL"))?;
    ssrf::check(target.as_str(), limits.allow_local)
        .map(Some)
        .map_err(|refusal| Fault::new(refusal.code(), format!("the redirect's target {refusal}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { time_ms: 1, body_bytes: 1, redirects: 3, allow_local: false };

    fn next(
        status: u16,
        location: Option<&str>,
        followed: u32,
    ) -> Result<Option<String>, &'static str> {
        let current = Url::parse("https://example.com/a/feed?x=1").unwrap();
        next_hop(status, location, &current, followed, &LIMITS)
            .map(|url| url.map(String::from))
            .map_err(|fault| fault.code)
    }

    #[test]
    fn only_redirects_send_on() {
        for status in [200, 204, 300, 304, 404, 500] {
            assert_eq!(next(status, Some("/b"), 0), Ok(None), "{status}");
        }
    }

    #[test]
    fn targets_resolve_against_the_current_address() {
        assert_eq!(next(301, Some("/b"), 0), Ok(Some("https://example.com/b".into())));
        assert_eq!(next(302, Some("b"), 2), Ok(Some("https://example.com/a/b".into())));
        assert_eq!(next(308, Some("//other.org/c#d"), 0), Ok(Some("https://other.org/c".into())));
        assert_eq!(next(307, Some("http://other.org"), 0), Ok(Some("http://other.org/".into())));
    }

    #[test]
    fn a_redirect_to_a_private_place_is_refused() {
        assert_eq!(next(302, Some("http://169.254.169.254/latest"), 0), Err("url.private_address"));
        assert_eq!(next(302, Some("http://2130706433/"), 0), Err("url.private_address"));
        assert_eq!(next(302, Some("http://localhost/"), 0), Err("url.local_name"));
        assert_eq!(next(302, Some("file:///etc/passwd"), 0), Err("url.scheme"));
        assert_eq!(next(302, Some("//u:p@example.com/"), 0), Err("url.credentials"));
    }

    #[test]
    fn endless_and_empty_redirects_end() {
        assert_eq!(next(301, Some("/b"), 3), Err("fetch.redirects"));
        assert_eq!(next(301, None, 0), Err("fetch.redirect"));
        assert_eq!(next(301, Some("http://["), 0), Err("fetch.redirect"));
    }
}
