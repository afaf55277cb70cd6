//! Throwaway Redis servers for tests and measurements.
//!
//! [`PrivateRedis`] is a server of one's own on a free port of the loopback address. It keeps nothing on disk, it can be
//! killed, started again, frozen and thawed, and nothing of it is left when it is dropped or when the process dies. A
//! start takes some tens of milliseconds, so every test has its own and no test sees another's keys or channels.
//!
//! [`PrivateCluster`] is a cluster of such servers, and a server may be one that is reached with TLS only.
//!
//! There is no driver here: the server is asked through Redis's own `redis-cli`, so that a test of a driver does not
//! depend on that driver. It runs on Unix only.

mod certificates;
mod cluster;
mod error;
mod process;
mod programs;
mod server;

pub use cluster::PrivateCluster;
pub use error::Error;
pub use programs::{BIN_VARIABLE, find_programs};
pub use server::PrivateRedis;
