//! What the process reports about itself: log lines as things happen, metrics for a scrape, and traces of requests.

mod logs;
mod metrics;
mod process;
mod reference;
mod traces;

pub(crate) use logs::start;
pub(crate) use metrics::Metrics;
pub(crate) use reference::render as metrics_reference;
pub(crate) use traces::TraceExport;
