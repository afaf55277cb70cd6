//! Counts what is exported, and reports when the collector goes and comes back: once for each change.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::{Counter, counter};
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// An exporter that reports.
pub(super) struct ReportingExporter {
    inner: OtlpExporter,
    endpoint: String,
    fails: AtomicBool,
}

/// Shows that nothing was exported yet, also where nothing will be.
pub(in crate::telemetry) fn announce_metrics() {
    exported().increment(0);
    dropped().increment(0);
}

/// Looked up each time, since exporting begins before metrics do, and comes every few seconds.
fn exported() -> Counter {
    counter!("chat_spans_exported_total")
}

fn dropped() -> Counter {
    counter!("chat_spans_dropped_total")
}

impl ReportingExporter {
    pub(super) fn new(inner: OtlpExporter, endpoint: &str) -> Self {
        Self { inner, endpoint: endpoint.to_owned(), fails: AtomicBool::new(false) }
    }

    fn report(&self, outcome: &OTelSdkResult, spans: u64) {
        match outcome {
            Ok(()) => {
                exported().increment(spans);
                if self.fails.swap(false, Ordering::Relaxed) {
                    tracing::info!("spans are exported to {} again", self.endpoint);
                }
            }
            Err(error) => {
                dropped().increment(spans);
                if !self.fails.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error.cause = %error,
                        "spans cannot be exported to {} (--otlp-endpoint, CHAT_OTLP_ENDPOINT) and are dropped until they can",
                        self.endpoint,
                    );
                }
            }
        }
    }
}

impl fmt::Debug for ReportingExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportingExporter").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl SpanExporter for ReportingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let outcome = self.inner.export(batch).await;
        self.report(&outcome, spans);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
