//! The options about proxies in front of the server.

use std::fmt;

use chat_http::{ForwardedHeader, ProxySettings, TrustedProxy};
use clap::{Args, ValueEnum};

/// Which proxies are trusted, and what they set.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProxyOptions {
    /// The proxies in front whose word about clients counts, separated by commas: networks such as `10.0.0.0/8`, addresses,
    /// or `loopback`. They name the address of the client, which is limited and logged, and the one that the client used,
    /// for the links in answers and the origin of its own pages. They must set or remove each of these headers.
    #[arg(long, env = "CHAT_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',')]
    #[arg(value_parser = TrustedProxy::parse, global = true, help_heading = "Serving")]
    pub(crate) trusted_proxies: Vec<TrustedProxy>,

    /// The headers of trusted proxies that count: `x-forwarded` for `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`, or
    /// `forwarded` for `Forwarded` (RFC 7239), never both.
    #[arg(long, env = "CHAT_FORWARDED_HEADER", value_name = "NAME", default_value = "x-forwarded")]
    #[arg(value_enum, global = true, help_heading = "Serving")]
    pub(crate) forwarded_header: ForwardedBy,
}

impl ProxyOptions {
    /// The same for the HTTP edge.
    pub(crate) fn settings(&self) -> ProxySettings {
        ProxySettings { trusted: self.trusted_proxies.clone(), header: self.forwarded_header.header() }
    }

    /// The value of each option by its name.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("trusted_proxies", super::list(&self.trusted_proxies)),
            ("forwarded_header", self.forwarded_header.to_string()),
        ]
    }
}

/// The headers of trusted proxies that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForwardedBy {
    /// `X-Forwarded-For` and its companions.
    XForwarded,
    /// `Forwarded`.
    Forwarded,
}

impl ForwardedBy {
    /// The same for the HTTP edge.
    pub(crate) fn header(self) -> ForwardedHeader {
        match self {
            Self::XForwarded => ForwardedHeader::XForwarded,
            Self::Forwarded => ForwardedHeader::Standard,
        }
    }
}

impl fmt::Display for ForwardedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XForwarded => "x-forwarded",
            Self::Forwarded => "forwarded",
        })
    }
}
