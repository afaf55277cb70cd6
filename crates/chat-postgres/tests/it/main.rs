//! Tests of the store on Postgres through its public surface.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod collect_orphans;
mod connections;
mod contract;
mod epoch;
mod errors;
mod fanout_credentials;
mod group_commit;
mod inbox;
mod lost_connection;
mod memory;
mod migrations;
mod newer_version;
mod people;
mod plans;
mod presence;
mod recorder;
mod standby;
mod suitability;
mod support;
mod tickets;
