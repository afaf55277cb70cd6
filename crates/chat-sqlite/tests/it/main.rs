//! Tests of the embedded store through its public surface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod durability;
mod group_commit;
mod latch;
mod migrations;
mod plans;
mod recorder;
mod support;
