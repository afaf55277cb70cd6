//! Load generator, fault driver and history checker for the public API of the chat service.
//!
//! It knows the service as any client does, through REST and the WebSocket, and depends on no other crate of the
//! workspace. Three libraries under one command line ([`cli`]):
//!
//! - [`load`] sends requests in a closed or an open loop and [`measure`]s them, [`watch`] times what sockets receive;
//! - [`check`] writes and reads at the same time and gives what it saw to the pure checker in [`history`];
//! - [`drive`] kills, restarts and stops a process that it was told of, at intervals.

pub mod check;
pub mod cli;
pub mod drive;
pub mod error;
pub mod history;
pub mod http;
pub mod load;
pub mod measure;
mod monotonic;
pub mod setup;
mod socket;
pub mod token;
pub mod units;
pub mod watch;
