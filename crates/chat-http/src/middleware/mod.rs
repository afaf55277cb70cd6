//! What happens to every request and every answer.

mod cors;
mod direct;
mod finish;
mod log_access;
mod measure;
mod request_id;
mod span;
mod trace_parent;
mod trace_request;

pub(crate) use cors::cors;
pub(crate) use direct::refuse_forwarded;
pub(crate) use finish::finish;
pub(crate) use log_access::log_access;
pub(crate) use measure::measure;
pub(crate) use span::RequestSpan;
pub(crate) use trace_request::trace_request;
