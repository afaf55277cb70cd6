//! Throwaway Redis servers and clusters.
//!
//! A start takes some tens of milliseconds, so every test has a server of its own and no test sees another's keys or
//! channels. A server keeps nothing on disk; it can be killed, started again, frozen and thawed.

mod cli;
mod cluster;
mod programs;
mod server;

pub use cluster::PrivateCluster;
pub use programs::{BIN_VARIABLE, find_programs};
pub use server::PrivateRedis;
