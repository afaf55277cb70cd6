//! Which web pages may open a socket.

use actix_web::HttpRequest;
use actix_web::http::header::ORIGIN;

use super::refused_origin;
use crate::error::{ApiError, ErrorCode};
use crate::forwarding::{ClientScheme, ClientView};
use crate::origins::{self, origin_of};
use crate::settings::HttpSettings;

/// Browsers send `Origin` and let any page open a socket anywhere, so the server decides: its own origin and those on
/// the list (RFC 6455, 10.2). Other clients send none.
///
/// An origin is compared as browsers write it (RFC 6454, 6.2), byte by byte: they have lower case, no default port, no
/// path, and a dot at the end of a name makes another origin.
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
    refused_origin::log(origin.as_bytes());
    Err(ApiError::new(ErrorCode::OriginNotAllowed, "pages of this origin may not open the socket"))
}

/// Whether the page comes from this server: from the configured address, else from the host that the client has sent the
/// request to.
///
/// Unless a trusted proxy names the scheme, the server cannot know it, since a proxy may end TLS: then either will do. A
/// page over TLS can be trusted no less than one without.
fn is_own(request: &HttpRequest, settings: &HttpSettings, origin: &str) -> bool {
    if let Some(url) = &settings.public_url {
        return origin_of(url).is_some_and(|own| own == origin);
    }
    let view = ClientView::of(request, &settings.proxies);
    let possible =
        [ClientScheme::Http, ClientScheme::Https].into_iter().filter(|one| view.scheme.is_none_or(|own| own == *one));
    let is_at = |host: &str, scheme: ClientScheme| {
        origin_of(&format!("{}://{host}", scheme.as_str())).is_some_and(|own| own == origin)
    };
    view.host().is_some_and(|host| possible.into_iter().any(|scheme| is_at(host, scheme)))
}
