//! Tests of the embedded store through its public surface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod contract;
mod counters;
mod durability;
mod epoch;
mod group_commit;
mod identity;
mod migrations;
mod newer_version;
mod plans;
mod recorder;
mod support;
mod tickets;
