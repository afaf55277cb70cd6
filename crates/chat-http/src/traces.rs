//! Spans for distributed traces: of a request (`middleware::trace_request`), of its use case, and of what follows from it
//! in other crates, which take their place under the span that is current.
//!
//! Who exports them is not known here. All of them have one target and the level `TRACE`, so that without an exporter a
//! span costs the comparison of a level, and none is a part of log lines.

use std::future::Future;
use std::sync::Arc;

use tracing::{Instrument, Span};

/// Decides which requests are traced.
pub trait RequestTraces: Send + Sync {
    /// Whether the next request is. What a client sends has no part in it.
    fn samples_next(&self) -> bool;

    /// Makes the span of a request, which was not entered yet, a child of the client's: of the span `parent_id` (16
    /// hexadecimal digits) of the trace `trace_id` (32).
    fn adopt(&self, span: &Span, trace_id: &str, parent_id: &str);
}

/// The configured traces; `None` without an exporter.
pub type Traces = Option<Arc<dyn RequestTraces>>;

/// Puts a use case into a span under that of its request.
pub(crate) fn use_case<F: Future>(name: &'static str, work: F) -> impl Future<Output = F::Output> {
    let span = tracing::trace_span!(target: "chat_trace", "use case", otel.name = name);
    work.instrument(span)
}
