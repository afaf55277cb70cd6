//! Tests without a network: what is received from and written to a scripted stream, and what that holds in memory.

#![expect(clippy::cast_possible_truncation, reason = "in a test, lengths are small")]

mod close;
mod frame_header;
mod frame_queue;
mod memory;
mod messages;
mod properties;
mod support;
