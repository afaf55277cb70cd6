//! The server as its operator and its clients meet it: the real binary, started for each test on a free port with a
//! data directory of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access_log;
mod admin;
mod agents;
mod backup;
mod binding;
mod check_config;
mod collecting;
mod crash;
mod deployment;
mod doctor;
mod dominant_color;
mod epoch;
mod faults;
mod first_conversation;
mod first_start;
mod healthcheck;
mod help;
mod hostile_clients;
mod identity;
mod identity_recipes;
mod limits;
mod migrate;
mod newer_version;
mod pages;
mod people;
mod postgres;
mod proxies;
mod reference;
mod refusals;
mod refused_uploads;
mod s3;
mod shutdown;
mod standby;
mod support;
mod token;
mod traces;
mod web_files;
