//! The server as its operator and its clients meet it: the real binary, started for each test on a free port with a
//! data directory of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admin;
mod agents;
mod binding;
mod check_config;
mod collecting;
mod crash;
mod epoch;
mod faults;
mod first_conversation;
mod first_start;
mod hostile_clients;
mod migrate;
mod newer_version;
mod postgres;
mod reference;
mod refusals;
mod shutdown;
mod standby;
mod support;
mod token;
