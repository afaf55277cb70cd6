//! Requests that came through a proxy: which proxies are trusted, and what they say about the client.
//!
//! A proxy adds to a request where it came from, and anyone else can write the same headers. So they count only on
//! connections from addresses that the operator trusts, and of a list only the part that trusted hops wrote: it is read
//! from its right end, where each hop adds ([ADR 0024](../../../../docs/adr/0024-limits-and-proxies.md)). What cannot be
//! read is as if it were not there.
//!
//! Who may open sockets, what links begin with and who is limited is decided elsewhere, on what is found here.

mod client_view;
mod from_right;
mod node_name;
mod trusted_proxy;
mod untrusted;

use std::net::IpAddr;

pub(crate) use client_view::{ClientScheme, ClientView};
pub use trusted_proxy::TrustedProxy;
pub(crate) use untrusted::UntrustedForwarding;

/// Where proxies write what they know about the client. One of the two, never both: a proxy that sets one of them passes
/// the other on as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Standard,
}

/// Which proxies are trusted, and which header they set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// None: every client connects directly.
    pub trusted: Vec<TrustedProxy>,
    /// What they set.
    pub header: ForwardedHeader,
}

impl ProxySettings {
    /// Whether a connection from this address is a trusted proxy's.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|proxy| proxy.contains(address))
    }
}
