//! The attachment stores, through their public surface: the one on the local disk, and in `s3` the other one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets something unexpected stops there"
)]

mod cleanup;
mod contract;
mod fallback;
mod hostile;
mod listing;
mod metadata;
mod opening;
mod putting;
mod reading;
mod s3;
mod sniffing;
mod support;
mod thumbnails;
mod too_large;
