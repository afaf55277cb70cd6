//! Thumbnails: the adapter of [`chat_domain::ports::ThumbnailMaker`] on the crate `image`.
//!
//! Pictures come from strangers. `picture` decodes one within bounds that are checked before any pixel is: how many
//! pixels, how much memory, how much time of a processor. `maker` makes each once for all that ask for it,
//! few at the same time; `slots` lets people take turns. What both cost, and what the bounds do not cover, is in
//! [ADR 0029](../../../docs/adr/0029-thumbnails-on-first-demand.md).

mod colours;
mod decoding;
mod failure;
mod jpeg;
mod log_interval;
mod maker;
mod metered;
mod picture;
mod slots;
mod webp;
mod worker;

pub use maker::{ImageThumbnailMaker, ThumbnailTimeouts};
