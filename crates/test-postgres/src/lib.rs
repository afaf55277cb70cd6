//! Throwaway PostgreSQL servers for tests and measurements.
//!
//! [`PrivatePostgres`] is a server of one's own: its data in a temporary directory, a free port of the loopback address,
//! nothing left when it is dropped or when the process dies. [`TestDatabase`] is one test's database on the server that
//! `cargo xtask test` starts for all tests.
//!
//! There is no driver here: the server is started and asked through PostgreSQL's own programs (`initdb`, `pg_ctl`,
//! `psql`), so that a test of a driver does not depend on that driver. It runs on Unix only. PostgreSQL refuses to run
//! as root; for root everything runs as the user `postgres`, which Debian's package makes.

mod database;
mod error;
mod pooler;
mod process;
mod programs;
mod server;
mod watchdog;

pub use database::{BIN_VARIABLE, Keep, TestDatabase, URL_VARIABLE};
pub use error::Error;
pub use pooler::{PoolMode, PrivatePooler, find_pooler};
pub use programs::find_programs;
pub use server::{PrivatePostgres, StopMode};
