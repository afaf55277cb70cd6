//! The in-memory stores pass the suites that every adapter passes, and the suites find stores that are broken.

#![expect(clippy::unwrap_used, reason = "a test that meets something unexpected stops there")]

mod fakes;
mod memory;
mod mutants;
mod orphan_mutants;
mod people_mutants;
mod presence_mutants;
mod registry_mutants;
mod signing_key_mutants;
mod support;
mod thumbnail_mutants;
mod ticket_mutants;
mod upload_mutants;
