//! The options about how often people and addresses may do something.

use std::fmt;

use chat_http::{RateLimit, RateSettings};
use clap::Args;

use super::values;

/// Limits of people and addresses.
#[derive(Args, Clone, Debug)]
pub(crate) struct RateOptions {
    /// The messages, uploads and updates (of sessions and of their own availability) that one person may send to this
    /// server, such as `300/min` or `10/s`: as many at once, and then evenly; `off` for no limit. A further one is answered
    /// with 429 and `Retry-After`. A repetition counts too.
    #[arg(long, env = "CHAT_RATE_MESSAGES", value_name = "RATE", default_value = "300/min")]
    #[arg(value_parser = RateLimit::parse, global = true, help_heading = "Limits")]
    pub(crate) rate_messages: RateLimit,

    /// The sessions that one person may open at this server; as above.
    #[arg(long, env = "CHAT_RATE_SESSIONS", value_name = "RATE", default_value = "30/min")]
    #[arg(value_parser = RateLimit::parse, global = true, help_heading = "Limits")]
    pub(crate) rate_sessions: RateLimit,

    /// The typing events that one person may send to this server, in requests and in frames of sockets; as above.
    #[arg(long, env = "CHAT_RATE_TYPING", value_name = "RATE", default_value = "120/min")]
    #[arg(value_parser = RateLimit::parse, global = true, help_heading = "Limits")]
    pub(crate) rate_typing: RateLimit,

    /// The attachments that one person may download from this server; as above.
    #[arg(long, env = "CHAT_RATE_DOWNLOADS", value_name = "RATE", default_value = "600/min")]
    #[arg(value_parser = RateLimit::parse, global = true, help_heading = "Limits")]
    pub(crate) rate_downloads: RateLimit,

    /// The sockets that one address may open at this server, and the attempts to; as above. An IPv6 address counts with
    /// its 64-bit network.
    #[arg(long, env = "CHAT_RATE_SOCKETS", value_name = "RATE", default_value = "200/min")]
    #[arg(value_parser = RateLimit::parse, global = true, help_heading = "Limits")]
    pub(crate) rate_sockets: RateLimit,

    /// The connections that one address may have open at this server, sockets among them, or `off`; a further one is
    /// closed. Trusted proxies may have more. An IPv6 address counts with its 64-bit network.
    #[arg(long, env = "CHAT_CONNECTIONS_PER_ADDRESS", value_name = "NUMBER", default_value = "1000")]
    #[arg(value_parser = ConnectionsPerAddress::parse, global = true, help_heading = "Limits")]
    pub(crate) connections_per_address: ConnectionsPerAddress,
}

impl RateOptions {
    /// The rates for the HTTP edge.
    pub(crate) fn settings(&self) -> RateSettings {
        RateSettings {
            messages: self.rate_messages,
            sessions: self.rate_sessions,
            typing: self.rate_typing,
            downloads: self.rate_downloads,
            sockets: self.rate_sockets,
        }
    }

    /// The value of each option by its name.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("rate_messages", self.rate_messages.to_string()),
            ("rate_sessions", self.rate_sessions.to_string()),
            ("rate_typing", self.rate_typing.to_string()),
            ("rate_downloads", self.rate_downloads.to_string()),
            ("rate_sockets", self.rate_sockets.to_string()),
            ("connections_per_address", self.connections_per_address.to_string()),
        ]
    }
}

/// How many connections one address may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionsPerAddress {
    /// So many.
    AtMost(usize),
    /// As many as there is room for.
    Off,
}

impl ConnectionsPerAddress {
    /// Reads a number or `off`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            number => values::count::<usize, 1_000_000>(number)
                .map(Self::AtMost)
                .map_err(|problem| format!("{problem}, or off")),
        }
    }

    /// The number, if there is one.
    pub(crate) fn limit(self) -> Option<usize> {
        match self {
            Self::AtMost(number) => Some(number),
            Self::Off => None,
        }
    }
}

impl fmt::Display for ConnectionsPerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(number) => number.fmt(f),
            Self::Off => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_of_an_address_are_a_number_or_off() {
        for text in ["1", "1000", "1000000", "off"] {
            assert_eq!(ConnectionsPerAddress::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "0", "-1", "1000001", "Off", "1k"] {
            let problem = ConnectionsPerAddress::parse(text).unwrap_err();
            assert_eq!(problem, "must be a whole number from 1 to 1000000, or off", "{text:?}");
        }
    }
}
