//! What happens to every request and every answer.

mod cors;
mod direct;
mod finish;
mod measure;
mod span;

pub(crate) use cors::cors;
pub(crate) use direct::refuse_forwarded;
pub(crate) use finish::finish;
pub(crate) use measure::measure;
pub(crate) use span::RequestSpan;
