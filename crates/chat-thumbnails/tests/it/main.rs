//! Making thumbnails, through the port.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets something unexpected stops there")]

mod flights;
mod hostile;
mod pictures;
mod support;
mod turned;
