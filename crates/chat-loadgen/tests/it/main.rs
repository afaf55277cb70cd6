//! Tests of the load generator through its public surface: the library, and the binary as a user calls it.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::panic, reason = "tests")]
#![expect(clippy::indexing_slicing, reason = "tests")]

mod arguments;
mod checker;
mod checker_properties;
mod driver;
mod fleet;
mod good_history;
mod inboxes;
mod load;
mod schedule;
mod service;
mod signed_tokens;
mod sockets;
