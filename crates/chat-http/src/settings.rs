//! What an operator decides about the HTTP edge.

use std::time::Duration;

use crate::forwarding::ProxySettings;
use crate::origins::AllowedOrigin;
use crate::rate_limits::RateSettings;
use crate::transport_limits::TransportLimits;

/// What an operator decides about the HTTP edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// The address under which clients reach the service, without a slash at the end; derived from the request unless
    /// set.
    pub public_url: Option<String>,
    /// The origins of web pages that may use the API from a browser, such as `https://shop.example.com`; in
    /// `https://*.preview.example.com` the `*` stands for exactly one label.
    pub origins: Vec<AllowedOrigin>,
    /// The proxies in front, and what they say about clients.
    pub proxies: ProxySettings,
    /// Whether requests that came through a proxy are refused unless it is a trusted one: in development mode, which is
    /// for one machine.
    pub refuse_forwarded: bool,
    /// The times a socket keeps.
    pub sockets: SocketSettings,
    /// What a connection may take.
    pub transport: TransportLimits,
    /// The most connections from one address at the same time, sockets among them, but for trusted proxies; `None` for as
    /// many as there is room for.
    pub connections_per_address: Option<usize>,
    /// How often people and addresses may do what is limited; never refused unless set.
    pub rates: RateSettings,
    /// How many bytes the newest pages of sessions in use may take in memory; 0 keeps none. A page is kept if it takes at
    /// most a sixteenth of it.
    pub page_cache_bytes: usize,
    /// How many uploads there may be, and how long one may take.
    pub uploads: UploadSettings,
}

impl HttpSettings {
    /// The default of [`Self::page_cache_bytes`].
    pub const PAGE_CACHE_BYTES: usize = 8 * 1024 * 1024;
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            origins: Vec::new(),
            proxies: ProxySettings::default(),
            refuse_forwarded: false,
            sockets: SocketSettings::default(),
            transport: TransportLimits::default(),
            connections_per_address: None,
            rates: RateSettings::default(),
            page_cache_bytes: Self::PAGE_CACHE_BYTES,
            uploads: UploadSettings::default(),
        }
    }
}

/// The times a socket keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// How often a quiet peer is pinged.
    pub ping_every: Duration,
    /// How long a pinged peer may stay silent.
    pub silence_limit: Duration,
    /// How soon after a message a ping asks whether it has arrived; at most a second.
    pub delivery_ping_after: Duration,
    /// How long the peer may take no byte of what waits for it.
    pub write_limit: Duration,
    /// How often the right to see the session is checked again.
    pub recheck_every: Duration,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(25),
            silence_limit: Duration::from_secs(35),
            delivery_ping_after: Duration::from_secs(1),
            write_limit: Duration::from_secs(20),
            recheck_every: Duration::from_mins(1),
        }
    }
}

/// What an operator decides about messages with files while they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadSettings {
    /// The most uploads of one person at the same time on this node.
    pub per_person: usize,
    /// The most uploads of all people at the same time on this node.
    pub per_node: usize,
    /// How long a whole upload may take, however steadily it gets on.
    pub time_limit: Duration,
}

impl UploadSettings {
    /// The default of [`Self::per_person`].
    pub const PER_PERSON: usize = 8;
    /// The default of [`Self::per_node`].
    pub const PER_NODE: usize = 128;
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { per_person: Self::PER_PERSON, per_node: Self::PER_NODE, time_limit: Duration::from_hours(1) }
    }
}
