//! Tests of the embedded store through its public surface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod backup;
mod contract;
mod counters;
mod durability;
mod epoch;
mod group_commit;
mod identity;
mod inbox;
mod inspection;
mod migrations;
mod newer_version;
mod plans;
mod presence;
mod recorder;
mod support;
mod tickets;
