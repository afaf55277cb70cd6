//! A private server and the databases on it, on the real programs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod database;
mod server;
