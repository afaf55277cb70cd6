//! The span of a sampled request in distributed traces. It is apart from the span of its log lines.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use tracing::{Instrument, field};

use super::trace_parent::TraceParent;
use crate::log_text::{logged_method, logged_path};
use crate::state::App;

/// Puts a sampled request into a span.
pub(crate) async fn trace_request<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let traces = request.app_data::<App>().and_then(|app| app.traces.clone());
    let Some(traces) = traces.filter(|traces| traces.samples_next()) else { return next.call(request).await };
    let (method, route) = (logged_method(request.method()), request.match_pattern());
    let span = tracing::trace_span!(
        target: "chat_trace",
        parent: None,
        "request",
        // A span keeps the name that it has when it begins.
        otel.name = format!("{method} {}", route.as_deref().unwrap_or("unknown")),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        url.path = logged_path(request.path()),
    );
    if let Some(TraceParent { trace_id, parent_id }) = TraceParent::of(request.headers()) {
        traces.adopt(&span, trace_id, parent_id);
    }
    let outcome = next.call(request).instrument(span.clone()).await;
    if let Ok(response) = &outcome {
        let status = response.status();
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
    outcome
}
