//! A private server, on the real programs.

mod cluster;
mod server;
