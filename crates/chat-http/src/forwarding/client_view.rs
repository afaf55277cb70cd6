//! A request as its client made it.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderValue};

use super::from_right::{elements, split};
use super::node_name::{address, is_authority, is_hidden, is_prefix};
use super::{ForwardedHeader, ProxySettings};

/// The scheme of the address that a client used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientScheme {
    Http,
    Https,
}

impl ClientScheme {
    /// Some proxies name that of a WebSocket.
    fn parse(text: &str) -> Option<Self> {
        let is = |scheme: &str| text.eq_ignore_ascii_case(scheme);
        if is("https") || is("wss") { Some(Self::Https) } else { (is("http") || is("ws")).then_some(Self::Http) }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A request as its client made it, as far as trusted proxies say; else as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientView<'a> {
    /// Where the request came from. It is not known of a connection that is gone already.
    pub(crate) address: Option<IpAddr>,
    /// The scheme, if a trusted proxy has named it.
    pub(crate) scheme: Option<ClientScheme>,
    /// The host that a trusted proxy has named.
    forwarded_host: Option<&'a str>,
    /// The request's own header `Host`, whatever it says.
    own_host: Option<&'a HeaderValue>,
    /// The path that a trusted proxy took off: empty, or beginning with a slash and not ending with one.
    pub(crate) prefix: &'a str,
    /// A header of a trusted proxy, or a parameter of it, that was ignored since its value is not valid.
    pub(crate) ignored: Option<&'static str>,
}

impl<'a> ClientView<'a> {
    pub(crate) fn of(request: &'a HttpRequest, proxies: &ProxySettings) -> Self {
        let headers = request.headers();
        let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let own_host = headers.get(HOST);
        let direct = Self { address: peer, scheme: None, forwarded_host: None, own_host, prefix: "", ignored: None };
        match (peer, proxies.header) {
            (Some(peer), _) if !proxies.trusts(peer) => direct,
            (None, _) => direct,
            (Some(_), ForwardedHeader::XForwarded) => direct.with_x_forwarded(headers, proxies),
            (Some(_), ForwardedHeader::Standard) => direct.with_forwarded(headers, proxies),
        }
    }

    /// The host, with its port unless that is the scheme's own. The request's own is looked at here, as most requests need
    /// only the address.
    pub(crate) fn host(&self) -> Option<&'a str> {
        let own = || self.own_host.and_then(|host| host.to_str().ok()).filter(|host| is_authority(host));
        self.forwarded_host.or_else(own)
    }

    /// The headers are separate lists, of which hops need not have written the same ones. So of those with one value the
    /// last is taken: the one that the proxy at the other end of the connection has set.
    fn with_x_forwarded(mut self, headers: &'a HeaderMap, proxies: &ProxySettings) -> Self {
        for hop in elements(headers, "x-forwarded-for") {
            let Some(address) = self.valid("x-forwarded-for", Some(hop), address) else { break };
            self.address = Some(address);
            if !proxies.trusts(address) {
                break;
            }
        }
        let last = |name| elements(headers, name).next();
        self.scheme = self.valid("x-forwarded-proto", last("x-forwarded-proto"), ClientScheme::parse);
        self.forwarded_host = self.valid("x-forwarded-host", last("x-forwarded-host"), authority);
        self.prefix = self.valid("x-forwarded-prefix", last("x-forwarded-prefix"), prefix).unwrap_or_default();
        self
    }

    /// Each element is a hop's word about the request that it got: the first one that came to a trusted hop is the
    /// client's.
    fn with_forwarded(mut self, headers: &'a HeaderMap, proxies: &ProxySettings) -> Self {
        for hop in elements(headers, "forwarded") {
            let proto = self.valid("forwarded: proto", parameter(hop, "proto"), ClientScheme::parse);
            self.scheme = proto.or(self.scheme);
            let host = self.valid("forwarded: host", parameter(hop, "host"), authority);
            self.forwarded_host = host.or(self.forwarded_host);
            let Some(node) = parameter(hop, "for").filter(|node| !is_hidden(node)) else { break };
            let Some(address) = self.valid("forwarded: for", Some(node), address) else { break };
            self.address = Some(address);
            if !proxies.trusts(address) {
                break;
            }
        }
        self
    }

    /// What a value that a proxy has sent means; takes note of a value that is not valid.
    fn valid<T>(&mut self, name: &'static str, value: Option<&'a str>, parse: fn(&'a str) -> Option<T>) -> Option<T> {
        let value = value?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.ignored = self.ignored.or(Some(name));
        }
        parsed
    }
}

fn authority(text: &str) -> Option<&str> {
    is_authority(text).then_some(text)
}

fn prefix(text: &str) -> Option<&str> {
    let text = text.strip_suffix('/').unwrap_or(text);
    (text.is_empty() || is_prefix(text)).then_some(text)
}

/// The value of a parameter of an element (RFC 7239, 4), without the quotes around it.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = split(element, b';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::super::TrustedProxy;
    use super::*;

    const PEER: &str = "10.0.0.1";

    fn settings(header: ForwardedHeader) -> ProxySettings {
        let trusted = ["10.0.0.0/8", "loopback"].map(|text| TrustedProxy::parse(text).unwrap()).into();
        ProxySettings { trusted, header }
    }

    fn request(peer: &str, headers: &[(&str, &str)]) -> HttpRequest {
        let peer: IpAddr = peer.parse().unwrap();
        let request = TestRequest::default().peer_addr((peer, 4711).into()).insert_header((HOST, "node:8080"));
        headers.iter().fold(request, |request, header| request.append_header(*header)).to_http_request()
    }

    /// Address, scheme, host and prefix, as text.
    fn seen(peer: &str, header: ForwardedHeader, headers: &[(&str, &str)]) -> [String; 4] {
        let request = request(peer, headers);
        let view = ClientView::of(&request, &settings(header));
        let scheme = view.scheme.map_or("", ClientScheme::as_str);
        let address = view.address.map(|address| address.to_string()).unwrap_or_default();
        [address, scheme.to_owned(), view.host().unwrap_or_default().to_owned(), view.prefix.to_owned()]
    }

    #[test]
    fn headers_of_others_than_trusted_proxies_count_for_nothing() {
        let headers = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "for=192.0.2.1;proto=https;host=evil.example"),
        ];
        for header in [ForwardedHeader::XForwarded, ForwardedHeader::Standard] {
            for peer in ["11.0.0.1", "2001:db8::1", "::ffff:11.0.0.1"] {
                let address = peer.trim_start_matches("::ffff:");
                assert_eq!(seen(peer, header, &headers), [address, "", "node:8080", ""], "{peer}");
            }
            let untrusting = ProxySettings { header, ..ProxySettings::default() };
            let request = request(PEER, &headers);
            let view = ClientView::of(&request, &untrusting);
            assert_eq!((view.address.unwrap().to_string().as_str(), view.host()), (PEER, Some("node:8080")));
        }
    }

    #[test]
    fn only_the_chosen_header_counts() {
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=198.51.100.1;host=b.example")];
        let host = "node:8080";
        assert_eq!(seen(PEER, ForwardedHeader::XForwarded, &both), ["192.0.2.1", "", host, ""]);
        assert_eq!(seen(PEER, ForwardedHeader::Standard, &both), ["198.51.100.1", "", "b.example", ""]);
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        for (list, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.66, 192.0.2.1,10.0.0.2 , 127.0.0.1"], "192.0.2.1"),
            (&["10.0.0.9, 192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1:4711, [2001:db8::7]:80"], "2001:db8::7"),
            (&["::ffff:192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1, , "], "192.0.2.1"),
            // All of them trusted: the first one is the client.
            (&["10.0.0.7, 10.0.0.2"], "10.0.0.7"),
            // What cannot be read ends the walk at the hop that wrote it.
            (&["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["192.0.2.1, nonsense"], PEER),
            (&[""], PEER),
            (&[], PEER),
        ] {
            let headers: Vec<_> = list.iter().map(|list| ("x-forwarded-for", *list)).collect();
            assert_eq!(seen(PEER, ForwardedHeader::XForwarded, &headers)[0], expected, "{list:?}");
        }
    }

    #[test]
    fn the_address_that_the_client_used_is_the_last_value_of_each_header() {
        let host = "node:8080";
        for (headers, expected) in [
            (&[("x-forwarded-proto", "https")][..], ["https", host, ""]),
            (&[("x-forwarded-proto", "wss"), ("x-forwarded-host", "a.example:8443")], ["https", "a.example:8443", ""]),
            (&[("x-forwarded-proto", "http, HTTPS")], ["https", host, ""]),
            (&[("x-forwarded-host", "evil.example"), ("x-forwarded-host", "a.example")], ["", "a.example", ""]),
            (&[("x-forwarded-prefix", "/support/")], ["", host, "/support"]),
            (&[("x-forwarded-proto", "gopher"), ("x-forwarded-host", "u@a.example")], ["", host, ""]),
            (&[("x-forwarded-prefix", "//evil.example"), ("x-forwarded-host", "a/b")], ["", host, ""]),
        ] {
            assert_eq!(seen(PEER, ForwardedHeader::XForwarded, headers)[1..], expected, "{headers:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_from_the_right_too() {
        let host = "node:8080";
        for (list, expected) in [
            (&["for=192.0.2.1"][..], ["192.0.2.1", "", host]),
            (&["For=\"192.0.2.1:80\";Proto=HTTPS;HOST=\"a.example:81\""], ["192.0.2.1", "https", "a.example:81"]),
            (&["for=\"[2001:db8::1]:4711\"; proto=http"], ["2001:db8::1", "http", host]),
            (
                &["for=192.0.2.1;host=a.example;proto=https, for=10.0.0.2;host=inner;proto=http"],
                ["192.0.2.1", "https", "a.example"],
            ),
            (&["for=192.0.2.1;host=a.example", "for=10.0.0.2"], ["192.0.2.1", "", "a.example"]),
            // What the client wrote stays unread behind the first address that is not trusted.
            (&["for=10.0.0.9;host=evil.example, for=192.0.2.1"], ["192.0.2.1", "", host]),
            (&["for=\"evil, for=192.0.2.1;proto=https"], ["192.0.2.1", "https", host]),
            (&["for=192.0.2.1, for=unknown;proto=https"], [PEER, "https", host]),
            (&["for=192.0.2.1, for=_hidden"], [PEER, "", host]),
            (&["for=192.0.2.1, by=10.0.0.3"], [PEER, "", host]),
            (&["nonsense", ";;=,"], [PEER, "", host]),
        ] {
            let headers: Vec<_> = list.iter().map(|list| ("forwarded", *list)).collect();
            assert_eq!(seen(PEER, ForwardedHeader::Standard, &headers)[..3], expected, "{list:?}");
        }
    }

    #[test]
    fn junk_of_a_trusted_proxy_is_ignored_and_noted() {
        let x = ForwardedHeader::XForwarded;
        for (header, name, value, noted) in [
            (x, "x-forwarded-host", "a:b:c", Some("x-forwarded-host")),
            (x, "x-forwarded-host", "[[", Some("x-forwarded-host")),
            (x, "x-forwarded-host", "a.example", None),
            (x, "x-forwarded-proto", "javascript", Some("x-forwarded-proto")),
            (x, "x-forwarded-prefix", "/a b", Some("x-forwarded-prefix")),
            (x, "x-forwarded-prefix", "/", None),
            (x, "x-forwarded-for", "nonsense", Some("x-forwarded-for")),
            (ForwardedHeader::Standard, "forwarded", "host=\"a:b:c\"", Some("forwarded: host")),
            (ForwardedHeader::Standard, "forwarded", "proto=\"\"", Some("forwarded: proto")),
            (ForwardedHeader::Standard, "forwarded", "for=192.0.2", Some("forwarded: for")),
            (ForwardedHeader::Standard, "forwarded", "for=unknown", None),
            (ForwardedHeader::Standard, "forwarded", "for=_hidden;host=a.example", None),
        ] {
            let request = request(PEER, &[(name, value)]);
            let view = ClientView::of(&request, &settings(header));
            assert_eq!(view.ignored, noted, "{name}: {value}");
            if noted.is_some() {
                assert_eq!((view.scheme, view.host(), view.prefix), (None, Some("node:8080"), ""), "{name}: {value}");
                assert_eq!(view.address.unwrap().to_string(), PEER);
            }
        }
    }

    proptest! {
        /// Whatever a client writes, a hop that is trusted and adds the client's address is believed.
        #[test]
        fn a_client_cannot_hide_behind_what_it_sends(sent in "[ -~]{0,60}", is_standard: bool, same_line: bool) {
            let (header, name, own) = if is_standard {
                (ForwardedHeader::Standard, "forwarded", "for=192.0.2.1;host=a.example")
            } else {
                (ForwardedHeader::XForwarded, "x-forwarded-for", "192.0.2.1")
            };
            let lines = if same_line { vec![format!("{sent}, {own}")] } else { vec![sent, own.to_owned()] };
            let headers: Vec<_> = lines.iter().map(|line| (name, line.as_str())).collect();
            prop_assert_eq!(&seen(PEER, header, &headers)[0], "192.0.2.1");
        }
    }
}
