//! The hub, its streams and the pure parts they are made of.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "in a test, a panic is a failed test")]

mod cursor_model;
mod inbox_mailbox;
mod inboxes;
mod joining;
mod lifecycle;
mod lost_and_found;
mod peers;
mod queue;
mod repair;
mod repair_schedule;
mod scripts;
mod sockets;
mod store;
mod support;
mod typing;
mod typing_elsewhere;
