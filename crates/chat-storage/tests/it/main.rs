//! The attachment store on the local disk, through its public surface.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets something unexpected stops there"
)]

mod cleanup;
mod contract;
mod hostile;
mod listing;
mod metadata;
mod opening;
mod putting;
mod reading;
mod sniffing;
mod support;
mod too_large;
