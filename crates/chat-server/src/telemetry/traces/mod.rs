//! Distributed traces (OpenTelemetry): spans of requests and of what follows from them, exported with OTLP over HTTP.
//!
//! Without an endpoint none of this is started, and no layer looks at spans. The spans themselves are made where things
//! happen: `chat_http` for requests and use cases, `chat_sql` for batches, commits and the fan-out.

mod collector_client;
mod export;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use chat_http::RequestTraces;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context as OtelContext, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::Context as LayerContext;
use tracing_subscriber::registry::LookupSpan;

use self::collector_client::CollectorClient;
use self::export::ReportingExporter;
pub(super) use self::export::announce_metrics;
use crate::config::TraceSettings;

/// The target of all spans that are exported, and of nothing else.
pub(super) const TARGET: &str = "chat_trace";
/// The span that decides for all that are made under it.
const REQUEST: &str = "request";
/// How many spans wait for export at most; more are dropped. About two megabytes.
const QUEUE: usize = 4_096;
/// How often what waits is exported.
const EXPORT_EVERY: Duration = Duration::from_secs(2);

/// The export of traces, while the server runs.
pub(crate) struct TraceExport {
    provider: SdkTracerProvider,
    requests: Arc<SampledRequests>,
}

impl TraceExport {
    /// Prepares the export, on a runtime that outlives it.
    ///
    /// # Errors
    /// The exporter cannot be built, such as without authorities to check the collector's certificate by.
    pub(super) fn start(settings: &TraceSettings, runtime: &Handle) -> anyhow::Result<Self> {
        let endpoint = format!("{}/v1/traces", settings.endpoint);
        let client = CollectorClient::new(&endpoint, runtime.clone())?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()
            .context("cannot export traces")?;
        let batches =
            BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(EXPORT_EVERY).build();
        let exporter = ReportingExporter::new(exporter, &settings.endpoint);
        let resource = [KeyValue::new("service.name", "chat-server"), version()];
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::new(exporter, batches))
            .with_resource(Resource::builder_empty().with_attributes(resource).build())
            // Which requests have spans is decided before these are made.
            .with_sampler(Sampler::AlwaysOn)
            .build();
        Ok(Self { provider, requests: Arc::new(SampledRequests::new(settings.share)) })
    }

    /// Collects the spans of sampled requests: `request`, which only they have, and what is made under it.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let is_ours = |metadata: &Metadata<'_>| metadata.is_span() && metadata.target() == TARGET;
        let filter = dynamic_filter_fn(move |metadata, context: &LayerContext<'_, S>| {
            is_ours(metadata) && (metadata.name() == REQUEST || context.lookup_current().is_some())
        })
        .with_max_level_hint(LevelFilter::TRACE)
        .with_callsite_filter(
            move |metadata| if is_ours(metadata) { Interest::sometimes() } else { Interest::never() },
        );
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("chat-server"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter)
    }

    /// What decides which requests are traced.
    pub(crate) fn requests(&self) -> Arc<dyn RequestTraces> {
        Arc::clone(&self.requests) as _
    }

    /// Exports what waits, but takes only so long.
    pub(crate) async fn stop(self, limit: Duration) {
        let stopped = spawn_blocking(move || self.provider.shutdown_with_timeout(limit)).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::info!("the last spans were not exported");
        }
    }
}

fn version() -> KeyValue {
    KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))
}

/// Chooses requests at random, by a number that no client knows: neither the flag nor the id in `traceparent` decides,
/// since a client could have all of its requests traced by them.
struct SampledRequests {
    share: f64,
    random: RandomState,
    count: AtomicU64,
}

impl SampledRequests {
    fn new(share: f64) -> Self {
        Self { share, random: RandomState::new(), count: AtomicU64::new(0) }
    }
}

impl RequestTraces for SampledRequests {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    fn samples_next(&self) -> bool {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        (self.random.hash_one(number) as f64) < self.share * (u64::MAX as f64)
    }

    fn adopt(&self, span: &Span, trace_id: &str, parent_id: &str) {
        let (Ok(trace), Ok(parent)) = (TraceId::from_hex(trace_id), SpanId::from_hex(parent_id)) else { return };
        let parent = SpanContext::new(trace, parent, TraceFlags::SAMPLED, true, TraceState::NONE);
        // It fails for a span that is not collected, which has no parent either.
        let _not_collected = span.set_parent(OtelContext::new().with_remote_span_context(parent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_of_requests_is_sampled() {
        let sampled = |share| {
            let requests = SampledRequests::new(share);
            (0..100_000).filter(|_| requests.samples_next()).count()
        };
        assert_eq!(sampled(0.0), 0);
        assert_eq!(sampled(1.0), 100_000);
        let few = sampled(0.01);
        assert!((800..1_200).contains(&few), "{few}");
    }
}
