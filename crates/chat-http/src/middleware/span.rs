//! The span that every log line of a request belongs to.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

/// Gives a request's span its id, method and path. Query, headers and bodies stay out: they may hold secrets.
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    /// All fields are given at once: the formatter of JSON lines reads all of a span's fields back and writes them
    /// anew for each one that is recorded later.
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        tracing::info_span!(
            "request",
            request.id = extensions.get::<RequestId>().map(tracing::field::display),
            http.method = %request.method(),
            http.path = %request.path(),
        )
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}
