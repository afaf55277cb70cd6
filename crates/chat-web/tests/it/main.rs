//! What the addresses respond with: the embedded files, and a fixture in the place of pages that are not there yet.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod assets;
mod embedded;
mod pages;
mod people;
mod scripts;
mod support;
