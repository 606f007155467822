//! Each spelling of an address that must be refused, and each that must not.

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
        "2001:470:1f0b::5efe:10.0.0.1",
        "2001:470:1f0b::200:5efe:7f00:1",
    ] {
        let url = format!("http://[{host}]:8080/");
        assert_eq!(refusal(&url), Some(Refusal::PrivateAddress), "{url}");
    }
}

#[test]
fn metadata_services_are_refused_by_address_and_by_name() {
    for (url, expected) in [
        ("http://169.254.169.254/latest/meta-data/", Refusal::PrivateAddress), // most clouds
        ("http://169.254.170.2/v2/credentials", Refusal::PrivateAddress),
        ("http://[fd00:ec2::254]/latest/", Refusal::PrivateAddress),
        ("http://[::ffff:169.254.169.254]/", Refusal::PrivateAddress),
        ("http://100.100.100.200/latest/meta-data/", Refusal::PrivateAddress),
        ("http://192.0.0.192/opc/v2/", Refusal::PrivateAddress),
        ("http://168.63.129.16/machine?comp=goalstate", Refusal::PrivateAddress),
        ("http://metadata.google.internal/", Refusal::LocalName),
        ("http://metadata.google.internal./", Refusal::LocalName),
        ("http://metadata/", Refusal::LocalName),
        ("http://instance-data.eu-west-1.compute.internal/", Refusal::LocalName),
        ("https://kubernetes.default.svc/", Refusal::LocalName),
        ("https://kubernetes.default.svc.cluster.local/", Refusal::LocalName),
    ] {
        assert_eq!(refusal(url), Some(expected), "{url}");
    }
}

#[test]
fn ports_of_other_protocols_are_refused() {
    for port in [1, 21, 22, 23, 25, 53, 110, 143, 465, 587, 993, 2049, 6000, 6667, 10_080] {
        let url = format!("https://example.com:{port}/");
        assert_eq!(refusal(&url), Some(Refusal::Port), "{url}");
    }
    for port in [80, 443, 8080, 8443, 3000, 9000, 65_535] {
        assert_eq!(refusal(&format!("https://example.com:{port}/")), None, "{port}");
    }
    assert_eq!(refusal("https://example.com:65536/"), Some(Refusal::Malformed));
    assert!(check("http://127.0.0.1:6000/", true).is_ok(), "at home any port may be the one");
}

#[test]
fn what_carries_a_secret_goes_encrypted() {
    assert_eq!(check_secret("http://example.com/", false), Err(Refusal::Insecure));
    assert!(check_secret("https://example.com/", false).is_ok());
    assert!(check_secret("http://127.0.0.1:9009/", true).is_ok());
    assert_eq!(check_secret("https://10.0.0.1/", false), Err(Refusal::PrivateAddress));
    assert_eq!(check_secret("HTTP://example.com/", false), Err(Refusal::Insecure));
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
    assert_eq!(check("https://example.com/a#b", false).unwrap().as_str(), "https://example.com/a");
}
