//! The in-memory stores pass the suites that every adapter passes, and the suites find stores that are broken.

#![expect(clippy::unwrap_used, reason = "tests")]

mod fakes;
mod memory;
mod mutants;
mod support;
