//! Origins that a policy names.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

const VALID: &str = "must be an origin as browsers write it: https or http, lower case, no path, no default port, such as \
                     https://pictures.example.com";

/// An origin of the web (RFC 6454, 6.2). It consists of characters that mean nothing in a policy, so that none can add a
/// directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    is_secure: bool,
    /// The host, with its port unless that is the scheme's own.
    authority: String,
}

impl WebOrigin {
    /// Reads an origin. Spaces around it, as after a comma, are not part of it.
    ///
    /// # Errors
    /// What is wrong with it, with a valid value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("an entry is empty; each {VALID}"));
        }
        if text.contains('*') {
            return Err(format!("`*` would let in what others put there: list each origin; each {VALID}"));
        }
        let origin = Self::of_url(text).filter(|origin| origin.to_string() == text);
        origin.ok_or_else(|| VALID.to_owned())
    }

    /// The origin of an address of http or https; `None` for an address of another kind.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
        let (host, port) = split_port(&authority)?;
        if !is_host(host) {
            return None;
        }
        let own_port = if is_secure { 443 } else { 80 };
        let authority = match port {
            Some(0) => return None,
            Some(port) if port != own_port => format!("{host}:{port}"),
            Some(_) | None => host.to_owned(),
        };
        Some(Self { is_secure, authority })
    }

    /// The same for sockets, which older browsers do not take for `'self'`.
    pub(crate) fn of_sockets(&self) -> String {
        format!("{}://{}", if self.is_secure { "wss" } else { "ws" }, self.authority)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_secure { "https" } else { "http" }, self.authority)
    }
}

/// Host and port; `None` for a port that is none.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address are in brackets.
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority.get(end..)?.find(':') else { return Some((authority, None)) };
    let (host, port) = authority.split_at_checked(end + colon)?;
    let digits = port.strip_prefix(':')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let port: u16 = if is_number { digits.parse().ok()? } else { return None };
    Some((host, Some(port)))
}

/// Whether this is a name that DNS can have, or an address, as browsers write them.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    let labels = || host.strip_suffix('.').unwrap_or(host).split('.');
    let is_number = labels().next_back().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit()));
    if is_number { host.parse::<Ipv4Addr>().is_ok() } else { host.len() <= 254 && labels().all(is_label) }
}

fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_as_browsers_write_them_are_read() {
        for text in [
            "https://pictures.example.com",
            "http://localhost:3000",
            "https://a_b.example:8443",
            "http://127.0.0.1:1",
            "https://[2001:db8::1]:444",
        ] {
            assert_eq!(WebOrigin::parse(&format!(" {text} ")).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_origin_is_refused_with_a_valid_value() {
        for text in [
            "",
            "*",
            "null",
            "pictures.example.com",
            "https://",
            "https://*.example.com",
            "https://example.com/",
            "https://example.com/x",
            "https://Example.com",
            "https://example.com:443",
            "http://example.com:80",
            "http://example.com:0",
            "http://example.com:65536",
            "http://example.com:+1",
            "http://example.com:",
            "https://user@example.com",
            "https://a;script-src",
            "https://a'b.example",
            "https://a b",
            "https://-a.example",
            "https://a..example",
            "https://1.2.3",
            "https://[::0001]",
            "https://münchen.example",
            "data:",
            "wss://example.com",
        ] {
            let refused = WebOrigin::parse(text).unwrap_err();
            assert!(refused.contains("https://pictures.example.com"), "{text}: {refused}");
        }
    }

    #[test]
    fn the_origin_of_an_address_is_found() {
        let of = |url: &str| WebOrigin::of_url(url).map(|origin| (origin.to_string(), origin.of_sockets()));
        let found = |http: &str, sockets: &str| Some((http.to_owned(), sockets.to_owned()));
        assert_eq!(of("https://Chat.Example/support"), found("https://chat.example", "wss://chat.example"));
        assert_eq!(of("http://localhost:8080"), found("http://localhost:8080", "ws://localhost:8080"));
        assert_eq!(of("https://chat.example:443?x"), found("https://chat.example", "wss://chat.example"));
        assert_eq!(of("https://a;img-src *"), None);
        assert_eq!(of("/support"), None);
    }
}
