//! Which web pages may use the API from a browser: the origins that the operator lists. The CORS protocol and the sockets
//! ask the same list.

/// Whether the origin that a browser sent is on the list.
///
/// An entry is an origin, compared byte by byte, or has `*` in the place of the first label of its host:
/// `https://*.preview.example.com` stands for every origin with exactly one label there.
pub(crate) fn is_listed(list: &[String], origin: &str) -> bool {
    list.iter().any(|entry| matches(entry, origin))
}

fn matches(entry: &str, origin: &str) -> bool {
    // What a sandboxed frame, a file and a redirect send alike: it names nobody.
    if origin == "null" {
        return false;
    }
    match entry.split_once("://*.") {
        None => entry == origin,
        Some((scheme, rest)) => origin
            .strip_prefix(scheme)
            .and_then(|origin| origin.strip_prefix("://"))
            .and_then(|origin| origin.strip_suffix(rest))
            .and_then(|origin| origin.strip_suffix('.'))
            .is_some_and(is_label),
    }
}

/// One label of a host name as browsers write it: no dot, and nothing that would end the host.
fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

/// Scheme, host and port of an address, as a browser writes an origin (RFC 6454, 6.2).
pub(crate) fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    Some(format!("{scheme}://{authority}"))
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
        is_listed(&LIST.map(str::to_owned), origin)
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
        assert!(!is_listed(&["null".to_owned()], "null"));
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
}
