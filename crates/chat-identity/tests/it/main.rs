//! Tokens through the public surface: which are accepted with which keys, and how keys are fetched and kept.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests: a failed expectation is a failed test")]

mod download_tickets;
mod key_files;
mod key_set_outages;
mod key_set_sources;
mod key_sets;
mod support;
mod token_rows;
