//! REST and WebSocket in front of the domain: the contract's operations, tokens, errors, documents.
//!
//! A request takes the way `routes` → `handlers` → a use case of `chat-domain` → `dto`. Handlers touch no port.

mod asyncapi;
mod auth;
mod docs_page;
mod dto;
mod error;
mod files_reference;
mod guard;
mod handlers;
mod log_targets;
mod metering;
mod middleware;
mod openapi;
mod origins;
mod page_cache;
mod readiness;
mod request;
mod routes;
mod server;
mod socket;
mod state;
mod unique_json;
mod uploads;

use std::sync::Arc;

use chat_domain::ports::{Clock, HealthProbe};
use chat_domain::service::ChatService;

pub use asyncapi::asyncapi_json;
pub use auth::{SignError, TokenClaims, TokenError, TokenRules, TokenVerifier, VerifiedToken, sign_hs256};
pub use error::{ErrorCode, errors_reference};
pub use files_reference::files_reference;
pub use guard::TransportLimits;
pub use log_targets::is_caused_by_clients;
pub use openapi::openapi_json;
pub use routes::{RouteInfo, routes};
pub use server::Server;
pub use socket::{CloseCode, SocketSettings, websocket_reference};
pub use uploads::UploadSettings;

/// What the HTTP edge is made of.
#[derive(Clone)]
pub struct Api {
    /// The use cases.
    pub service: ChatService,
    /// The time that tokens are checked against.
    pub clock: Arc<dyn Clock>,
    /// Which tokens are accepted.
    pub tokens: TokenVerifier,
    /// The parts that readiness depends on.
    pub probes: Vec<Arc<dyn HealthProbe>>,
    /// What the operator decided.
    pub settings: HttpSettings,
}

/// What an operator decides about the HTTP edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// The address under which clients reach the service, without a slash at the end; derived from the request unless
    /// set.
    pub public_url: Option<String>,
    /// The origins of web pages that may use the API from a browser, such as `https://shop.example.com`; in
    /// `https://*.preview.example.com` the `*` stands for exactly one label.
    pub origins: Vec<String>,
    /// Whether requests that came through a proxy are refused: in development mode, which is for one machine.
    pub refuse_forwarded: bool,
    /// The times a socket keeps.
    pub sockets: SocketSettings,
    /// What a connection may take.
    pub transport: TransportLimits,
    /// How many bytes the newest pages of sessions in use may take in memory, 8 MiB by default; 0 keeps none. A page
    /// is kept if it takes at most a sixteenth of it.
    pub page_cache_bytes: usize,
    /// How many uploads there may be, and how long one may take.
    pub uploads: UploadSettings,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            origins: Vec::new(),
            refuse_forwarded: false,
            sockets: SocketSettings::default(),
            transport: TransportLimits::default(),
            page_cache_bytes: 8 * 1024 * 1024,
            uploads: UploadSettings::default(),
        }
    }
}
