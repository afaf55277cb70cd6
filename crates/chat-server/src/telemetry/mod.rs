//! What the process tells about itself: log lines as things happen, and figures for whoever asks.

mod logs;
mod metrics;
mod process;
mod reference;

pub(crate) use logs::start;
pub(crate) use metrics::Metrics;
pub(crate) use reference::render as metrics_reference;
