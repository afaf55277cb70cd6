//! Load generator, fault driver and history checker for the public API of the chat service.
//!
//! It uses the service as any client does, through REST and the WebSocket, and depends on no other crate of the
//! workspace. Libraries under one command line ([`cli`]):
//!
//! - [`load`] sends requests in a closed or an open loop and [`measure`]s them;
//! - a [`fleet`] is many [`socket`]s in one process: [`hold`] finds what one costs and times what they receive,
//!   [`fanout`] how many frames a second the service brings out, [`desk`] how soon messages are in the inboxes of agents;
//! - [`abuse`] does to the service what clients must not do;
//! - [`check`] writes and reads at the same time and gives what was read to the pure checker in [`history`];
//! - [`drive`] kills, restarts and stops a process at intervals.

pub mod abuse;
pub mod api_client;
pub mod check;
pub mod cli;
pub mod desk;
pub mod drive;
pub mod error;
pub mod fanout;
pub mod fleet;
pub mod history;
pub mod hold;
pub mod http;
pub mod load;
pub mod measure;
mod monotonic;
mod net;
pub mod socket;
pub mod token;
pub mod token_signer;
mod units;
