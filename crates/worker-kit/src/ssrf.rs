//! Owns the rule for addresses that come from outside: a request may go to public hosts alone, so
//! that nobody can make a worker read what only its own network should. Pure: it must not resolve
//! names. (On the platform the flag `global_fetch_strictly_public` covers what a name resolves to.)
//!
//! The URL parser brings every spelling of an IPv4 address (decimal, octal, hexadecimal, shortened,
//! percent-encoded, full-width) into one form; the check works on that form.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Longer URLs are refused unread.
pub const URL_CHARS_MAX: usize = 2048;

/// Why a URL may not be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no URL, or one without a host.
    Malformed,
    /// It has more than [`URL_CHARS_MAX`] characters.
    TooLong,
    /// It is neither `https` nor `http`.
    Scheme,
    /// It carries a user name or password.
    Credentials,
    /// Its host is a name of this machine or of a local network.
    LocalName,
    /// Its host is an address outside the public internet.
    PrivateAddress,
}

impl Refusal {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Malformed => "url.malformed",
            Refusal::TooLong => "url.too_long",
            Refusal::Scheme => "url.scheme",
            Refusal::Credentials => "url.credentials",
            Refusal::LocalName => "url.local_name",
            Refusal::PrivateAddress => "url.private_address",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refusal::Malformed => "is no URL with a host",
            Refusal::TooLong => "is longer than 2048 characters",
            Refusal::Scheme => "must begin with https:// or http://",
            Refusal::Credentials => "must not carry a user name or password",
            Refusal::LocalName => "names a host of a local network",
            Refusal::PrivateAddress => "is an address outside the public internet",
        })
    }
}

impl std::error::Error for Refusal {}

/// The URL to call, without its fragment, or why it is refused. `allow_local` admits local names
/// and private addresses, for development; everything else holds.
pub fn check(text: &str, allow_local: bool) -> Result<Url, Refusal> {
    if text.len() > URL_CHARS_MAX {
        return Err(Refusal::TooLong);
    }
    let mut url = Url::parse(text.trim()).map_err(|_| Refusal::Malformed)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(Refusal::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::Credentials);
    }
    url.set_fragment(None);
    let host = url.host().ok_or(Refusal::Malformed)?.to_owned();
    if !allow_local {
        check_host(&host)?;
    }
    Ok(url)
}

fn check_host(host: &Host<String>) -> Result<(), Refusal> {
    match host {
        Host::Ipv4(address) if is_public_v4(*address) => Ok(()),
        Host::Ipv6(address) if is_public_v6(*address) => Ok(()),
        Host::Ipv4(_) | Host::Ipv6(_) => Err(Refusal::PrivateAddress),
        Host::Domain(name) => check_name(name),
    }
}

/// The URL standard knows one trailing dot, resolvers may know more: all are taken off, and what
/// is left may be an address after all.
fn check_name(name: &str) -> Result<(), Refusal> {
    let bare = name.trim_end_matches('.');
    if bare.is_empty() {
        return Err(Refusal::Malformed);
    }
    if bare.len() < name.len()
        && let Ok(host @ (Host::Ipv4(_) | Host::Ipv6(_))) = Host::parse(bare)
    {
        return check_host(&host);
    }
    let bare = bare.to_ascii_lowercase();
    let last = bare.rsplit('.').next().unwrap_or(&bare);
    // A name without a dot means something only inside a network.
    if !bare.contains('.') || matches!(last, "localhost" | "local" | "internal" | "localdomain") {
        return Err(Refusal::LocalName);
    }
    // Reserved for homes (RFC 8375), and the usual names of intranets.
    if bare.ends_with(".home.arpa") || matches!(last, "lan" | "home" | "corp" | "intranet") {
        return Err(Refusal::LocalName);
    }
    Ok(())
}

/// Per the IANA registry of special-purpose IPv4 addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b), // carrier-grade NAT
        169 => b == 254,               // link-local, with the clouds' metadata service
        172 => (16..32).contains(&b),
        192 => b == 168 || (b == 0 && matches!(c, 0 | 2)) || (b == 88 && c == 99),
        198 => matches!(b, 18 | 19) || (b == 51 && c == 100),
        203 => b == 0 && c == 113,
        224.. => true, // multicast, reserved and broadcast
        _ => false,
    };
    !special
}

/// Only 2000::/3 is given out to the public; of that, the ranges that stand for IPv4 addresses are
/// as good as the address inside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low), // mapped
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low), // NAT64
        [0x2002, high, low, ..] => v4(high, low),            // 6to4
        [0x2001, second, ..] if second < 0x200 => false,     // Teredo, ORCHID and other protocols
        [0x2001, 0xdb8, ..] => false,                        // documentation
        [0x3fff, second, ..] if second < 0x1000 => false,    // documentation
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> Option<Refusal> {
        check(url, false).err()
    }

    #[test]
    fn public_hosts_pass() {
        for url in [
            "https://example.com/feed.xml",
            "http://example.com:8080/a?b=c",
            "https://sub.example.co.uk.",
            "https://8.8.8.8/",
            "https://172.15.0.1/",
            "https://172.32.0.1/",
            "https://100.63.255.255/",
            "https://100.128.0.1/",
            "https://169.253.1.1/",
            "https://192.0.1.1/",
            "https://[2606:4700:4700::1111]/",
            "https://[::ffff:8.8.8.8]/",
            "https://xn--mnchen-3ya.de/",
            "https://münchen.de/",
            "https://localhost.example.com/",
            "https://internal.example.com/",
            "https://10.example.com/",
        ] {
            assert_eq!(refusal(url), None, "{url}");
        }
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7F.1",
            "017700000001",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "127.0.0.1.",
            "127.0.0.1..",
            "2130706433.",
            "%31%32%37.0.0.1",
            "１２７.0.0.1",
            "127。0。0。1",
            "0",
            "0.0.0.0",
            "0x0",
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "3232235521",
            "0xC0A80001",
            "169.254.169.254",
            "0xA9FEA9FE",
            "2852039166",
            "0251.0376.0251.0376",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            let url = format!("http://{host}/x");
            assert_eq!(refusal(&url), Some(Refusal::PrivateAddress), "{url}");
        }
    }

    #[test]
    fn private_ipv6_addresses_are_refused_in_every_spelling() {
        for host in [
            "::",
            "::1",
            "0:0:0:0:0:0:0:1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "0:0:0:0:0:ffff:10.0.0.1",
            "::ffff:a9fe:a9fe",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            let url = format!("http://[{host}]:8080/");
            assert_eq!(refusal(&url), Some(Refusal::PrivateAddress), "{url}");
        }
    }

    #[test]
    fn local_names_are_refused() {
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "localhost..",
            "api.localhost",
            "printer.local",
            "printer.LOCAL.",
            "metadata.google.internal",
            "db.internal.",
            "router",
            "intranet",
            "host.localdomain",
            "nas.home.arpa",
            "fritz.lan",
            "wiki.corp",
            "ｌocalhost",
        ] {
            let url = format!("https://{host}/");
            assert_eq!(refusal(&url), Some(Refusal::LocalName), "{url}");
        }
    }

    #[test]
    fn other_schemes_credentials_and_nonsense_are_refused() {
        for (url, expected) in [
            ("ftp://example.com/", Refusal::Scheme),
            ("file:///etc/passwd", Refusal::Scheme),
            ("javascript:alert(1)", Refusal::Scheme),
            ("data:text/xml,<rss/>", Refusal::Scheme),
            ("https://user@example.com/", Refusal::Credentials),
            ("https://user:pass@example.com/", Refusal::Credentials),
            ("https://:pass@example.com/", Refusal::Credentials),
            ("https://example.com@127.0.0.1/", Refusal::Credentials),
            ("", Refusal::Malformed),
            ("example.com/feed", Refusal::Malformed),
            ("//example.com/feed", Refusal::Malformed),
            ("https://", Refusal::Malformed),
            ("https://exa mple.com/", Refusal::Malformed),
            ("http://[::1/", Refusal::Malformed),
            ("http://1.2.3.4.5/", Refusal::Malformed),
            ("http://256.1.1.1/", Refusal::Malformed),
            ("http://./", Refusal::Malformed),
        ] {
            assert_eq!(refusal(url), Some(expected), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_CHARS_MAX));
        assert_eq!(refusal(&long), Some(Refusal::TooLong));
    }

    #[test]
    fn odd_writings_that_the_parser_straightens_are_judged_by_their_result() {
        // Without slashes, or with backslashes, a browser and the platform still see a host.
        assert_eq!(refusal("http:127.0.0.1"), Some(Refusal::PrivateAddress));
        assert_eq!(refusal("http:\\\\127.0.0.1\\x"), Some(Refusal::PrivateAddress));
        assert_eq!(refusal(" \thttp://127.0.0.1/ "), Some(Refusal::PrivateAddress));
        assert_eq!(refusal("ht\ntp://127.0.0.1/"), Some(Refusal::PrivateAddress));
    }

    #[test]
    fn local_addresses_pass_when_allowed_but_nothing_else_does() {
        for url in ["http://127.0.0.1:9000/feed", "http://localhost/feed", "http://[::1]/"] {
            assert!(check(url, true).is_ok(), "{url}");
        }
        assert_eq!(check("ftp://localhost/", true), Err(Refusal::Scheme));
        assert_eq!(check("http://a:b@localhost/", true), Err(Refusal::Credentials));
    }

    #[test]
    fn the_fragment_is_dropped() {
        assert_eq!(
            check("https://example.com/a#b", false).unwrap().as_str(),
            "https://example.com/a"
        );
    }
}
