//! The API through its public surface, on every store with the same assertions.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a failed expectation is a failed test"
)]

#[macro_use]
mod support;

mod create_session;
mod reference_documents;
