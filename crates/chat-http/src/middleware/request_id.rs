//! The id under which the log and the client know a request.

use std::fmt;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use tracing_actix_web::RequestId;

/// The header of requests and responses.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over.
const MAX_BYTES: usize = 128;

/// The id of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestName<'a> {
    /// The client or a proxy has chosen it, so that their logs have it too.
    Given(&'a str),
    /// It was drawn here.
    Drawn(RequestId),
    /// There is none: the request is outside the middleware that draws it.
    None,
}

impl<'a> RequestName<'a> {
    /// What the only header `X-Request-Id` says, if that is 1 to 128 visible ASCII characters; else a random one.
    pub(crate) fn of(request: &'a ServiceRequest) -> Self {
        match (given(request.headers()), request.extensions().get::<RequestId>()) {
            (Some(given), _) => Self::Given(given),
            (None, Some(drawn)) => Self::Drawn(*drawn),
            (None, None) => Self::None,
        }
    }
}

fn given(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(REQUEST_ID);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let is_visible = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    value.to_str().ok().filter(|text| (1..=MAX_BYTES).contains(&text.len())).filter(is_visible)
}

impl fmt::Display for RequestName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(id) => f.write_str(id),
            Self::Drawn(id) => id.fmt(f),
            Self::None => Ok(()),
        }
    }
}
