//! Tests of the WebSocket layer through its public surface, on pipes and real sockets.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is a failed test")]

mod finish;
mod takeover;
