//! What the tests share: a server process, people who use it, and sockets.

mod command;
mod extended;
mod lines;
mod metrics;
mod page;
mod people;
mod server;
mod socket;

pub(crate) use command::{Finished, chat_server, run};
pub(crate) use extended::{ExtendedSocket, SocketItem};
pub(crate) use lines::Lines;
pub(crate) use metrics::Scrape;
pub(crate) use page::run_page;
pub(crate) use people::Person;
pub(crate) use server::{PATIENCE, TestServer, eventually};
pub(crate) use socket::{Socket, close_code, connect, next_event, try_connect};
