//! Making thumbnails, through the port.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets something unexpected stops there")]

mod colors;
mod hostile;
mod jobs;
mod orientation;
mod pictures;
mod support;
