//! What is checked before a request becomes a socket, and what the handshake decides.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderValue, ORIGIN, SEC_WEBSOCKET_VERSION, UPGRADE};
use chat_domain::error::Invalid;
use chat_websocket::{Handshake, HandshakeError, choose_subprotocol};

use super::is_takeable;
use super::protocol::{Mode, SUBPROTOCOL};
use super::refused_origin;
use crate::HttpSettings;
use crate::error::{ApiError, ErrorCode};
use crate::origins::{self, origin_of};

/// The version of the WebSocket protocol that is spoken (RFC 6455, 4.4).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// The request as the opening handshake of a WebSocket: 426 when it asks for none on a connection that can become one,
/// 400 when it does so wrongly.
pub(crate) fn require_handshake(request: &HttpRequest) -> Result<Handshake, ApiError> {
    if !is_takeable(request) {
        return Err(ApiError::new(ErrorCode::UpgradeRequired, "connect with a WebSocket client")
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            .with_header(SEC_WEBSOCKET_VERSION, VERSION));
    }
    Handshake::verify(request.head()).map_err(|error| {
        let header = match error {
            HandshakeError::Version => "Sec-WebSocket-Version",
            HandshakeError::Key => "Sec-WebSocket-Key",
            HandshakeError::Connection => "Connection",
            HandshakeError::Upgrade | HandshakeError::Method | HandshakeError::HttpVersion => "Upgrade",
        };
        let refusal = ApiError::from(Invalid::new(header, format!("does not make a handshake: {error}")));
        match error {
            HandshakeError::Version => refusal.with_header(SEC_WEBSOCKET_VERSION, VERSION),
            _ => refusal,
        }
    })
}

/// Extended mode when the client offers `chat.v1`, else base mode.
///
/// A client that offers only what the server does not speak gets base mode too, and an answer that names no subprotocol
/// (RFC 6455, 4.2.2): whether that will do is the client's decision, and browsers decide that it will not.
pub(crate) fn choose_mode(request: &HttpRequest) -> Mode {
    match choose_subprotocol(request.head(), &[SUBPROTOCOL]) {
        Some(_) => Mode::Extended,
        None => Mode::Base,
    }
}

/// Browsers send `Origin` and let any page open a socket anywhere, so the server decides: its own origin and those on
/// the list (RFC 6455, 10.2). Other clients send none.
///
/// An origin is compared as browsers write it (RFC 6454, 6.2), byte by byte: they have lower case, no default port, no
/// path, and a dot at the end of a name makes another one.
pub(crate) fn require_allowed_origin(request: &HttpRequest, settings: &HttpSettings) -> Result<(), ApiError> {
    let mut origins = request.headers().get_all(ORIGIN);
    let Some(origin) = origins.next() else { return Ok(()) };
    let allowed = origins.next().is_none()
        && origin
            .to_str()
            .is_ok_and(|origin| origins::is_listed(&settings.origins, origin) || is_own(request, settings, origin));
    if allowed {
        return Ok(());
    }
    refused_origin::tell(origin.as_bytes());
    Err(ApiError::new(ErrorCode::OriginNotAllowed, "pages of this origin may not open the socket"))
}

/// Whether the page comes from this server: from the configured address, else from the host that the request names.
///
/// The host comes without a scheme, and behind a proxy that ends TLS the server cannot know it, so that either will do
/// until the address is configured. A page over TLS can be trusted no less than one without.
fn is_own(request: &HttpRequest, settings: &HttpSettings, origin: &str) -> bool {
    if let Some(url) = &settings.public_url {
        return origin_of(url).is_some_and(|own| own == origin);
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    host.filter(|host| !host.contains('@')).is_some_and(|host| {
        let own = ["http", "https"].map(|scheme| origin_of(&format!("{scheme}://{host}")));
        own.into_iter().flatten().any(|own| own == origin)
    })
}
