//! An S3 server of one test, within its process: `s3s-fs`, which checks signatures, on a temporary directory, with faults
//! in front of it.
//!
//! It is no real S3: it lists by walking its directory, keeps no versions, checks a condition and writes in two steps,
//! and never lists uploads that were begun and not completed.

mod fault;
mod server;

pub use fault::{S3Fault, S3RequestFilter};
pub use server::{S3Server, SeenRequest};
