//! A small HTTP/1.1 client (RFC 9112) for load: one request at a time on a kept connection, requests rendered from a
//! template into a reused buffer, answers framed but not interpreted.
//!
//! A general client spends more on a request than the service under test should lose to its load generator;
//! `docs/loadgen.md` has the measurement. It speaks plain `http` only.

mod chunked;
mod client;
mod connection;
mod head;
mod target;
mod template;

pub use client::Client;
pub use connection::Failure;
pub use head::Head;
pub use target::Target;
pub use template::{Blanks, Template};
pub(crate) use template::{stamp, stamp_of};
