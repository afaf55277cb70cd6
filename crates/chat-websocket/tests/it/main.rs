//! Tests of the WebSocket layer through its public surface: on a scripted stream, on pipes and on real sockets.
#![expect(clippy::cast_possible_truncation, reason = "in a test, lengths are small")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is a failed test")]

mod close;
mod finish;
mod frame_head;
mod handshake;
mod memory;
mod messages;
mod outbox;
mod properties;
mod support;
mod takeover;
