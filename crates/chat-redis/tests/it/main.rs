//! Nodes that share a Redis, each test with a server of its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cluster;
mod fanout;
mod hostile;
mod outages;
mod support;
mod tls;
