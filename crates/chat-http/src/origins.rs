//! Which web pages may use the API from a browser: the origins that the operator lists. The CORS protocol and the sockets
//! use the same list.

use std::fmt;

use url::{Host, Url};

const VALID: &str = "must be an origin as browsers write it: http or https, lower case, no path, no default port, such as \
                     https://shop.example.com, http://localhost:3000 or https://*.preview.example.com, or one of an app, \
                     such as capacitor://localhost";
/// The schemes under which apps serve their own pages: Capacitor, Ionic, Tauri, and what most Electron apps use.
const APP_SCHEMES: [&str; 4] = ["capacitor", "ionic", "tauri", "app"];

/// An origin of web pages as browsers write it (RFC 6454, 6.2) or of an app that shows pages of its own, or a pattern:
/// `https://*.preview.example.com` stands for every origin with exactly one label in the place of `*`.
///
/// An origin that a browser never sends is refused, since it would allow no page without any sign of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(String);

impl AllowedOrigin {
    /// Reads an origin. Spaces around it, as after a comma, are not part of it.
    ///
    /// # Errors
    /// What is wrong with it, with valid values.
    pub fn parse(text: &str) -> Result<Self, String> {
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
            check_pattern(scheme, authority)?;
            return Ok(Self(text.to_owned()));
        }
        let is_origin = match scheme {
            "http" | "https" => is_web_origin(text),
            "chrome-extension" => is_extension_id(authority),
            _ => APP_SCHEMES.contains(&scheme) && is_app_host(authority),
        };
        if is_origin { Ok(Self(text.to_owned())) } else { Err(VALID.to_owned()) }
    }

    /// Whether an origin that a browser sent is this one, compared byte by byte, or fits the pattern.
    fn matches(&self, origin: &str) -> bool {
        match self.0.split_once("://*.") {
            None => self.0 == origin,
            Some((scheme, rest)) => origin
                .strip_prefix(scheme)
                .and_then(|origin| origin.strip_prefix("://"))
                .and_then(|origin| origin.strip_suffix(rest))
                .and_then(|origin| origin.strip_suffix('.'))
                .is_some_and(is_label),
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the origin that a browser sent is on the list. `null`, which a sandboxed frame, a file and a redirect send
/// alike, never is.
pub(crate) fn is_listed(list: &[AllowedOrigin], origin: &str) -> bool {
    list.iter().any(|entry| entry.matches(origin))
}

/// Scheme, host and port of an address, as a browser writes an origin.
pub(crate) fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    // The URL standard skips further slashes: https:///path would name the host `path`.
    let is_web = matches!(url.scheme(), "http" | "https") && !text.contains(":///");
    is_web.then(|| url.origin().ascii_serialization())
}

/// Checks an origin with `*` in the place of the first label, which must stand before a name of at least two labels:
/// `https://*.com` would let half the web in.
fn check_pattern(scheme: &str, authority: &str) -> Result<(), String> {
    let refused = |problem: &str| Err(format!("{problem}; each {VALID}"));
    let Some(rest) = authority.strip_prefix("*.").filter(|rest| !rest.contains('*')) else {
        return refused("`*` stands for one whole label, the first of the name: list other origins one by one");
    };
    if !["http", "https"].contains(&scheme) {
        return refused("`*` is for http and https");
    }
    let name = rest.rsplit_once(':').map_or(rest, |(host, _)| host).trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    if !name.contains('.') || last.starts_with(|first: char| first.is_ascii_digit()) {
        return refused("`*` stands in front of a name of your own, of at least two labels");
    }
    if is_web_origin(&format!("{scheme}://{rest}")) { Ok(()) } else { Err(VALID.to_owned()) }
}

/// Whether an address of http or https is an origin exactly as a browser writes it, of a host that DNS can have.
fn is_web_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_host = match url.host() {
        // A dot at the end makes another name, which browsers keep.
        Some(Host::Domain(name)) => {
            name.len() <= 254 && name.strip_suffix('.').unwrap_or(name).split('.').all(is_label)
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    };
    is_host && url.port() != Some(0) && url.origin().ascii_serialization() == text
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

/// One label of a host name as browsers write it: letters, digits and hyphens, and the underscore that names inside
/// companies have.
fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: [&str; 6] = [
        "https://shop.example",
        "capacitor://localhost",
        "app://desk",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "https://*.preview.example.com",
        "http://*.dev.example.com:3000",
    ];

    fn listed(origin: &str) -> bool {
        is_listed(&LIST.map(|entry| AllowedOrigin::parse(entry).unwrap()), origin)
    }

    #[test]
    fn a_listed_origin_is_one_byte_by_byte_or_with_one_label_in_front() {
        let listed_ones = [
            "https://shop.example",
            "capacitor://localhost",
            "app://desk",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "https://pr-17.preview.example.com",
            "https://x.preview.example.com",
            "http://a_b.dev.example.com:3000",
        ];
        for origin in listed_ones {
            assert!(listed(origin), "{origin}");
        }
    }

    #[test]
    fn look_alikes_of_listed_origins_are_not_listed() {
        let look_alikes = [
            "",
            "null",
            "*",
            "https://*.preview.example.com",
            "https://.preview.example.com",
            "https://preview.example.com",
            "https://a.b.preview.example.com",
            "https://evil.example/.preview.example.com",
            "https://evil.example#.preview.example.com",
            "https://evil.example?.preview.example.com",
            "https://evil.example:1.preview.example.com",
            "https://user@.preview.example.com",
            "https://a@b.preview.example.com",
            "https://-a.preview.example.com",
            "https://a-.preview.example.com",
            "https://A.preview.example.com",
            "https://%61.preview.example.com",
            "https://a b.preview.example.com",
            "https://xpreview.example.com",
            "https://x.preview.example.com.evil.example",
            "https://x.preview.example.com:8443",
            "https://x.preview.example.com.",
            "https://x.preview.example.com/",
            "http://x.preview.example.com",
            "httpss://x.preview.example.com",
            "http://x.dev.example.com",
            "http://x.dev.example.com:30000",
            "capacitor://localhost:80",
            "capacitor://localhost.evil.example",
            "ionic://localhost",
            "https://localhost",
            "app://desk.evil",
            "app://",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnoo",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop/",
        ];
        for origin in look_alikes {
            assert!(!listed(origin), "{origin:?}");
        }
        assert!(AllowedOrigin::parse("null").is_err());
        assert!(!is_listed(&[], "https://shop.example"));
    }

    #[test]
    fn a_label_has_at_most_63_characters() {
        let of = |length| format!("https://{}.preview.example.com", "a".repeat(length));
        assert!(listed(&of(63)));
        assert!(!listed(&of(64)));
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (url, origin) in [
            ("https://chat.example", "https://chat.example"),
            ("https://chat.example/support", "https://chat.example"),
            ("HTTPS://Chat.Example:443/", "https://chat.example"),
            ("http://chat.example:80?x", "http://chat.example"),
            ("http://chat.example:443", "http://chat.example:443"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
            ("https://chat.example:4430", "https://chat.example:4430"),
        ] {
            assert_eq!(origin_of(url).as_deref(), Some(origin), "{url}");
        }
        for url in ["", "chat.example", "https://", "https:///path", "ftp://chat.example", "//chat.example"] {
            assert_eq!(origin_of(url), None, "{url}");
        }
    }

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
            assert_eq!(AllowedOrigin::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(AllowedOrigin::parse(" https://shop.example.com ").unwrap().to_string(), "https://shop.example.com");
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
            assert!(AllowedOrigin::parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn common_mistakes_are_refused_with_a_remedy() {
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
            let problem = AllowedOrigin::parse(text).unwrap_err();
            assert!(problem.contains(part) && problem.ends_with(VALID), "{text:?}: {problem}");
        }
    }
}
