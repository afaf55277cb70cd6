//! A private server, on the real programs.

mod server;
