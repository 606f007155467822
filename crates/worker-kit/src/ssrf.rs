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

/// Ports that browsers refuse as well: a service of another protocol could take a request for its
/// own commands (the Fetch standard, "bad port").
const FOREIGN_PORTS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6697, 10080,
];

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
    /// It is not `https`, and what is sent there is secret.
    Insecure,
    /// Its port is that of another protocol.
    Port,
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
            Refusal::Insecure => "url.insecure",
            Refusal::Port => "url.port",
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
            Refusal::Insecure => "must begin with https://",
            Refusal::Port => "names the port of another protocol",
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
        if url.port().is_some_and(|port| FOREIGN_PORTS.contains(&port)) {
            return Err(Refusal::Port);
        }
    }
    Ok(url)
}

/// The same for a request that carries a secret: it goes over `https`, unless `allow_local`.
pub fn check_secret(text: &str, allow_local: bool) -> Result<Url, Refusal> {
    let url = check(text, allow_local)?;
    if allow_local || url.scheme() == "https" { Ok(url) } else { Err(Refusal::Insecure) }
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
    if !bare.contains('.')
        || matches!(last, "localhost" | "local" | "internal" | "localdomain" | "svc")
    {
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
    let [a, b, c, d] = address.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),     // carrier-grade NAT
        169 => b == 254,                   // link-local, with the clouds' metadata service
        168 => (b, c, d) == (63, 129, 16), // a cloud's own service, at an address like any other
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
        [.., 0 | 0x200, 0x5efe, high, low] if !v4(high, low) => false, // ISATAP
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests;
