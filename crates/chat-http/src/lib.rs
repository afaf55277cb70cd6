//! REST and WebSocket in front of the domain: the contract's operations, errors, documents.
//!
//! A request takes the way `routes` → `handlers` → a use case of `chat-domain` → `dto`. Handlers touch no port.

mod access_log;
mod address_group;
mod api;
mod asyncapi;
mod auth;
mod base_url;
mod body_slots;
mod docs_page;
mod dto;
mod error;
mod files_reference;
mod forwarding;
mod guard;
mod handlers;
mod handshake;
mod inbox_cursor;
mod log_targets;
mod log_text;
mod metering;
mod middleware;
mod openapi;
mod origins;
mod page_cache;
mod problems;
mod rate_limits;
mod readiness;
mod request;
mod routes;
mod server;
mod session_cursor;
mod settings;
mod socket;
mod socket_permits;
mod socket_protocol;
mod state;
mod traces;
mod transport_limits;

pub use access_log::{AccessLog, AccessLogThread};
pub use api::Api;
pub use asyncapi::asyncapi_json;
pub use error::{ErrorCode, errors_reference};
pub use files_reference::files_reference;
pub use forwarding::{ForwardedHeader, ProxySettings, TrustedProxy};
pub use log_targets::is_caused_by_clients;
pub use log_text::escape_unseen;
pub use openapi::openapi_json;
pub use origins::AllowedOrigin;
pub use rate_limits::{Rate, RateLimit, RateSettings};
pub use routes::{RouteInfo, routes};
pub use server::Server;
pub use settings::{HttpSettings, SocketSettings, UploadSettings};
pub use socket_protocol::{CloseCode, websocket_reference};
pub use traces::{RequestTraces, Traces};
pub use transport_limits::TransportLimits;
