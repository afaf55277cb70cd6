//! What is checked before a request becomes a socket.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN, UPGRADE};

use crate::HttpSettings;
use crate::error::{ApiError, ErrorCode};

/// Whether the request asks for a WebSocket (RFC 6455, 4.2.1).
pub(crate) fn is_upgrade(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|protocols| protocols.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket")))
}

/// Browsers send `Origin` and let any page open a socket anywhere, so the server decides: its own origin and those on
/// the list (RFC 6455, 10.2). Other clients send none.
pub(crate) fn require_allowed_origin(request: &HttpRequest, settings: &HttpSettings) -> Result<(), ApiError> {
    let mut origins = request.headers().get_all(ORIGIN);
    let Some(origin) = origins.next() else { return Ok(()) };
    let allowed = origins.next().is_none()
        && origin.to_str().is_ok_and(|origin| {
            settings.origins.iter().any(|known| known == origin) || is_own(request, settings, origin)
        });
    if allowed {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::OriginNotAllowed, "pages of this origin may not open the socket"))
}

fn is_own(request: &HttpRequest, settings: &HttpSettings, origin: &str) -> bool {
    if let Some(url) = &settings.public_url {
        return origin_of(url) == Some(origin);
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| origin.strip_prefix("http://") == Some(host))
}

/// Scheme, host and port of an address, as a browser writes an origin (RFC 6454, 6.2).
fn origin_of(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    url.get(..scheme.len() + "://".len() + authority.len())
}
