//! The span that every log line of a request belongs to.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;

use super::request_id::RequestName;
use super::trace_parent::TraceParent;
use crate::forwarding::ClientView;
use crate::log_text::{logged_method, logged_path};
use crate::state::App;

/// Gives a request's span its id, method and path, where it came from, and the trace that it is part of. Query, headers
/// and bodies stay out: they may hold secrets.
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    /// All fields are given at once: the formatter of JSON lines reads all of a span's fields back and writes them
    /// again for each field that is recorded later.
    fn on_request_start(request: &ServiceRequest) -> Span {
        let app = request.app_data::<App>();
        let view = app.map(|app| ClientView::of(request.request(), &app.settings.proxies));
        let client = view.and_then(|view| view.address);
        let trace = TraceParent::of(request.headers());
        let span = tracing::info_span!(
            "request",
            request.id = %RequestName::of(request),
            http.method = logged_method(request.method()),
            http.path = logged_path(request.path()),
            client.address = client.map(tracing::field::display),
            trace.id = trace.as_ref().map(|trace| trace.trace_id),
            trace.parent_id = trace.as_ref().map(|trace| trace.parent_id),
        );
        if let Some(header) = view.and_then(|view| view.ignored) {
            // Not its value, which may be anything.
            let _of_the_request = span.enter();
            tracing::debug!("ignored a header of a trusted proxy whose value is not valid: {header}");
        }
        span
    }

    fn on_request_end<B: MessageBody>(_: Span, _: &Result<ServiceResponse<B>, Error>) {}
}
