//! HTTP/1.1 for load: hyper's client on one kept connection, and requests made from templates.
//!
//! What is ours is thin: a connection is opened again when it was lost, never in the middle of a request, so that every
//! request has one outcome that can be counted. It speaks plain `http` only.

mod client;
mod target;
mod template;

pub use client::{HttpClient, HttpFailure, HttpRequest, HttpResponse};
pub(crate) use client::{header_number, is_success};
pub use target::Target;
pub use template::{RequestTemplate, TemplateValues};
pub(crate) use template::{bearer, stamp, stamp_of};
