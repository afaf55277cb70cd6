//! The origins of web pages, read as browsers write them (RFC 6454, 6.2), those of apps that show pages of their own, and
//! one kind of pattern. What a browser never sends is refused, since it would let nobody in and say nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

const VALID: &str = "must be an origin as browsers write it: http or https, lower case, no path, no default port, such as \
                     https://shop.example.com, http://localhost:3000 or https://*.preview.example.com, or one of an app, \
                     such as capacitor://localhost";
/// The schemes under which apps serve their own pages: Capacitor, Ionic, Tauri, and what most Electron apps use.
const APP_SCHEMES: [&str; 4] = ["capacitor", "ionic", "tauri", "app"];

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
    if !text.is_ascii() {
        return refused(
            "a name with other letters than a to z is written in Punycode, such as https://xn--mnchen-3ya.de",
        );
    }
    let Some((scheme, authority)) = text.split_once("://") else { return Err(VALID.to_owned()) };
    if authority.contains('*') {
        return wildcard(scheme, authority).map(|()| text.to_owned());
    }
    let is_origin = match scheme {
        "http" => is_authority(authority, "80"),
        "https" => is_authority(authority, "443"),
        "chrome-extension" => is_extension_id(authority),
        _ => APP_SCHEMES.contains(&scheme) && is_app_host(authority),
    };
    if is_origin { Ok(text.to_owned()) } else { Err(VALID.to_owned()) }
}

/// Checks an origin with `*` in the place of the first label, behind which a name of at least two labels stands: one
/// alone, as in `https://*.com`, would let half the web in.
fn wildcard(scheme: &str, authority: &str) -> Result<(), String> {
    let refused = |problem: &str| Err(format!("{problem}; each {VALID}"));
    let Some(rest) = authority.strip_prefix("*.").filter(|rest| !rest.contains('*')) else {
        return refused("`*` stands for one whole label, the first of the name: list other origins one by one");
    };
    let default_port = match scheme {
        "http" => "80",
        "https" => "443",
        _ => return refused("`*` is for http and https"),
    };
    let name = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if !name.trim_end_matches('.').contains('.') || last.starts_with(|first: char| first.is_ascii_digit()) {
        return refused("`*` stands in front of a name of your own, of at least two labels");
    }
    if is_authority(rest, default_port) { Ok(()) } else { Err(VALID.to_owned()) }
}

/// What a browser makes of the key of an extension: 32 letters from a to p.
fn is_extension_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| (b'a'..=b'p').contains(&byte))
}

/// A name, which apps choose freely, also as `.` or `-`.
fn is_app_host(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=253).contains(&host.len()) && host.bytes().all(fits)
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
            "https://*.preview.example.com",
            "http://*.dev.example.com:3000",
            "https://*.example.com",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "app://desk",
            "app://-",
            "app://com.example.desk",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
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
            "ws://shop.example.com",
            "file://",
            "data:text/html,x",
            "javascript://shop.example.com",
            "moz-extension://x",
            "capacitor://",
            "capacitor://localhost/",
            "capacitor://localhost:3000",
            "Capacitor://localhost",
            "capacitor://Localhost",
            "app://a@b",
            "app://a?b",
            "chrome-extension://abc",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnoq",
            "chrome-extension://ABCDEFGHIJKLMNOPABCDEFGHIJKLMNOP",
            "https://*.preview.example.com:443",
            "https://*.preview.example.com/",
            "https://*.PREVIEW.example.com",
            "https://*.example..com",
            "https://*.a@example.com",
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
            ("*", "http or https"),
            ("https://*", "one whole label"),
            ("https://*.*.example.com", "one whole label"),
            ("https://pr-*.example.com", "one whole label"),
            ("https://shop.*.example.com", "one whole label"),
            ("https://*.com", "at least two labels"),
            ("https://*.com.", "at least two labels"),
            ("http://*.localhost:3000", "at least two labels"),
            ("http://*.0.0.1", "at least two labels"),
            ("app://*.example.com", "http and https"),
            ("*://shop.example.com", "http or https"),
            ("https://münchen.de", "Punycode"),
            ("chrome-extension://abc", "http or https"),
            ("https://shop.example.com:443", "no default port"),
        ] {
            let problem = origin(text).unwrap_err();
            assert!(problem.contains(part) && problem.ends_with(VALID), "{text:?}: {problem}");
        }
    }
}
