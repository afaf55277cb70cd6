//! How proxies write addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address in `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711` (RFC 7239, 6). An
/// IPv4-mapped IPv6 address is the IPv4 one. `unknown` and obfuscated names are none.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// Whether a hop does not say where its request came from, as it may (RFC 7239, 6.2 and 6.3).
pub(super) fn is_hidden(text: &str) -> bool {
    text.eq_ignore_ascii_case("unknown") || text.starts_with('_')
}

/// Whether the text is a host, possibly with a port (RFC 3986, 3.2.2 and 3.2.3), without user names: an IPv6 address in
/// brackets, an IPv4 address, or a name of labels of letters, digits and `-_~`. The standard also has escapes and
/// delimiters in names, which no host has that clients reach.
///
/// Every request has a host, so this looks at bytes, without a search that is made for long texts.
pub(super) fn is_authority(text: &str) -> bool {
    let Some((host, port)) = host_and_port(text.as_bytes()) else { return false };
    let is_port = port.is_none_or(|port| {
        port.iter().all(u8::is_ascii_digit)
            && str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
    });
    let is_label = |label: &[u8]| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
        !label.is_empty() && label.iter().all(fits)
    };
    let is_host = match host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")) {
        Some(address) => str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        // The dot at the end is the root of DNS.
        None => host.strip_suffix(b".").unwrap_or(host).split(|byte| *byte == b'.').all(is_label),
    };
    text.len() <= MOST_BYTES && is_host && is_port
}

/// The parts of `host:port`; `None` where what follows an address in brackets is no port.
fn host_and_port(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let position = |wanted: u8| text.iter().position(|byte| *byte == wanted);
    let Some(end) = position(b']') else {
        let colon = position(b':').and_then(|colon| text.split_at_checked(colon));
        return Some(colon.map_or((text, None), |(host, port)| (host, port.get(1..))));
    };
    let (host, rest) = text.split_at_checked(end + 1)?;
    if rest.is_empty() { Some((host, None)) } else { Some((host, Some(rest.strip_prefix(b":")?))) }
}

/// Whether the text can be the path that a proxy takes off, such as `/support`: segments of letters, digits and `-._~`,
/// none of which leads upwards.
pub(super) fn is_prefix(text: &str) -> bool {
    let is_segment = |segment: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !segment.is_empty() && segment.bytes().all(fits) && segment.bytes().any(|byte| byte != b'.')
    };
    text.len() <= MOST_BYTES && text.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment))
}

/// The most bytes of a host with its port, and of a prefix: a name of DNS has at most 253.
const MOST_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ] {
            assert_eq!(address(text), Some(expected.parse().unwrap()), "{text}");
        }
        let none = [
            "",
            "unknown",
            "_hidden",
            "_hidden:80",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.1:",
            "192.0.2.1:99999",
            "[192.0.2.1]",
            "[2001:db8::1",
            "2001:db8::1]",
            "fe80::1%eth0",
            "example.com",
            "192.0.2.1 ",
            "010.0.0.1",
        ];
        for text in none {
            assert_eq!(address(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_authority_is_a_host_with_a_port_or_without() {
        let longest = format!("{}.example", "a".repeat(MOST_BYTES - 8));
        for text in [
            "a",
            "localhost:8080",
            "chat.example.com",
            "chat.example.com.:443",
            "xn--bcher-kva.example",
            "my_service",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "[::1]:65535",
            &longest,
        ] {
            assert!(is_authority(text), "{text}");
        }
        let too_long = format!("a{longest}");
        for text in [
            "",
            ":",
            ":80",
            "a:",
            "a:b",
            "a:0",
            "a:65536",
            "a:+80",
            "a:80:90",
            "::1",
            "2001:db8::1",
            "[",
            "[]",
            "]",
            "[::1",
            "::1]",
            "[::1]80",
            "[::1]:",
            "[192.0.2.1]",
            "[fe80::1%25eth0]",
            "[v1.x]",
            ".",
            "..",
            ".a",
            "a..b",
            "a b",
            "u@a.example",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a%41",
            "a,b",
            "a;b",
            "<a>",
            "\"a\"",
            "b\u{fc}cher.example",
            &too_long,
        ] {
            assert!(!is_authority(text), "{text:?}");
        }
    }

    #[test]
    fn a_prefix_is_a_path_that_leads_down() {
        for text in ["/support", "/a/b-c_d.e~f", "/..a"] {
            assert!(is_prefix(text), "{text}");
        }
        let long = format!("/{}", "a".repeat(MOST_BYTES));
        for text in ["", "/", "//", "support", "//evil.example", "/a//b", "/a/", "/a/../b", "/.", "/a b", "/a?b", &long]
        {
            assert!(!is_prefix(text), "{text:?}");
        }
        assert!(!is_prefix("/\"a") && !is_prefix("/a%2f") && !is_prefix("/<a>"));
    }
}
