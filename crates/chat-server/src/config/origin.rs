//! The origins of web pages, read as browsers write them (RFC 6454, 6.2). What a browser never sends is refused, since it
//! would let nobody in and say nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

const VALID: &str = "must be an origin as browsers write it: http or https, lower case, no path, no default port, such as \
                     https://shop.example.com or http://localhost:3000";

/// Reads an origin. Spaces around it, as after a comma, are not part of it.
///
/// # Errors
/// What is wrong with it, with valid values.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let refused = |problem: &str| Err(format!("{problem}; each {VALID}"));
    if text.is_empty() {
        return refused("an entry is empty");
    }
    if text == "null" {
        return refused("`null` would let any page in");
    }
    if text.contains('*') {
        return refused("wildcards are not supported: list each origin");
    }
    if !text.is_ascii() {
        return refused(
            "a name with other letters than a to z is written in Punycode, such as https://xn--mnchen-3ya.de",
        );
    }
    let authority = text.strip_prefix("http://").map(|authority| (authority, "80"));
    match authority.or_else(|| text.strip_prefix("https://").map(|authority| (authority, "443"))) {
        Some((authority, default_port)) if is_authority(authority, default_port) => Ok(text.to_owned()),
        _ => Err(VALID.to_owned()),
    }
}

fn is_authority(authority: &str, default_port: &str) -> bool {
    // The port stands behind the last colon, unless that one is part of an IPv6 address.
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => is_host(host) && is_port(port) && port != default_port,
        _ => is_host(authority),
    }
}

/// From 1 to 65535, as a browser writes it: without zeros before it.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != 0 && port.to_string() == text)
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']');
        return address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == text));
    }
    // A dot at the end makes another name, which browsers keep.
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.starts_with(|first: char| first.is_ascii_digit()) && is_number(last) {
        // Browsers read it as an IPv4 address, and write that in full.
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= 254 && name.split('.').all(is_label)
}

/// Whether the URL standard takes the last part of a name for a number, and so the name for an address.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        || text.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Letters, digits and hyphens, and the underscore that names inside companies have.
fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for text in [
            "https://shop.example.com",
            "https://shop.example.com.",
            "http://localhost:3000",
            "http://[::1]:3000",
            "http://[::1]",
            "http://127.0.0.1:8080",
            "https://xn--mnchen-3ya.de",
            "http://shop.example.com:443",
            "https://in_house.3com",
        ] {
            assert_eq!(origin(text), Ok(text.to_owned()));
        }
        assert_eq!(origin(" https://shop.example.com "), Ok("https://shop.example.com".to_owned()));
        let refused = [
            "shop.example.com",
            "https://shop.example.com/",
            "https://shop.example.com/a",
            "https://shop.example.com?",
            "https://SHOP.example.com",
            "HTTPS://shop.example.com",
            "https://a@shop.example.com",
            "ftp://shop.example.com",
            "capacitor://localhost",
            "https://",
            "https://:8443",
            "https://shop.example.com:",
            "https://shop.example.com:443",
            "http://shop.example.com:80",
            "http://host:0",
            "http://host:99999",
            "http://host:+80",
            "http://host:08080",
            "https://a..b",
            "https://-",
            "https://a'b",
            "https://a b",
            "http://127.1",
            "http://127.0.0.1.",
            "http://0x7f",
            "http://[::1",
            "http://[0::1]",
            "http://::1",
        ];
        for text in refused {
            assert!(origin(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn what_is_often_tried_is_answered_with_what_to_do() {
        for (text, part) in [
            ("", "an entry is empty"),
            ("null", "any page"),
            ("*", "list each origin"),
            ("https://*", "list each origin"),
            ("https://*.example.com", "list each origin"),
            ("https://münchen.de", "Punycode"),
            ("chrome-extension://abc", "http or https"),
            ("https://shop.example.com:443", "no default port"),
        ] {
            let problem = origin(text).unwrap_err();
            assert!(problem.contains(part) && problem.ends_with(VALID), "{text:?}: {problem}");
        }
    }
}
