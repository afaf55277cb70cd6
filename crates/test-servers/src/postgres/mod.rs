//! Throwaway PostgreSQL servers and databases.
//!
//! PostgreSQL refuses to run as root; for root everything runs as the account `postgres`, which Debian's package makes.

mod database;
mod pooler;
mod programs;
mod psql;
mod server;

pub use database::{KeepRows, TestDatabase, URL_VARIABLE};
pub use pooler::{PoolMode, PrivatePooler, find_pooler};
pub use programs::{BIN_VARIABLE, find_programs};
pub use server::{PrivatePostgres, StopMode};
