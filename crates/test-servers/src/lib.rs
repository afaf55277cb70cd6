//! Throwaway PostgreSQL, Redis, nginx and S3 servers, browsers and identity providers for tests and measurements.
//!
//! [`postgres::PrivatePostgres`], [`redis::PrivateRedis`] and [`nginx::PrivateNginx`] are servers of one test: their files
//! in a temporary directory, a free port of the loopback address, nothing left when the value is dropped or when the process
//! dies.
//! [`postgres::TestDatabase`] is the database of one test on the server that `cargo xtask test` starts for all tests.
//!
//! [`chromium::HeadlessPage`] is a page in a browser of its own.
//!
//! [`identity::IdentityProvider`] publishes keys, and fails in the ways that a provider can fail in.
//!
//! [`s3::S3Server`] is an S3 server within the process of the test, with faults.
//!
//! There is no driver here: servers are started and queried through their own programs (`initdb`, `pg_ctl`, `psql`,
//! `redis-cli`), so that a test of a driver does not depend on that driver. The crate runs on Unix only.

pub mod chromium;
mod error;
pub mod identity;
pub mod nginx;
pub mod postgres;
mod process;
pub mod redis;
pub mod s3;

pub use error::Error;
