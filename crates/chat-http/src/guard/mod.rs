//! The guard of HTTP connections: it knows what each one is doing and ends those that take too long or send too much.
//!
//! | connection | may take | then |
//! |---|---|---|
//! | a connection that sends the head of a request, the first or a later one | 15 s; 2 s on a crowded worker, 1 s before its first byte | 408, drained, closed |
//! | a connection whose request is with the application | what the reading of its body allows, in `request` | |
//! | a connection that takes no byte of what waits for it | 20 s; 3 s on a crowded worker | reset |
//! | a connection that is drained: the response is written, the request was not read to its end | 5 s and 64 KiB; 1 s and 64 KiB on a crowded worker | closed |
//! | the same of a trusted proxy, which passes on what its clients send | 20 s and two messages of the largest size; 1 s on a crowded worker | closed |
//! | a connection that waits between two requests | 75 s; 2 s on a crowded worker | closed |
//!
//! A worker is crowded when three quarters of its connections are taken. A connection from an address that has as many
//! open as one may have is closed before anything is read.
//!
//! The HTTP server under the application (actix-http 3.20) has a timer for the first head and one for idle connections,
//! and no other. It takes an unread body in chunks for a body that is going to end: with 62 KB of traffic, 1,000 of
//! 1,000 connections that sent `Transfer-Encoding: chunked` to an unknown path and then nothing were still open after
//! 420 s, on any route and with any status; a connection that went on sending was read without end, 24.7 GiB in 6 s;
//! and refused uploads stayed ESTABLISHED or CLOSE-WAIT for good. `chat-loadgen occupy` repeats the first of these.
//!
//! So this is wrapped around it ([ADR 0014](../../../../docs/adr/0014-one-guard-per-connection.md)):
//!
//! | module | what lives there |
//! |---|---|
//! | `address_counts` | how many connections each address has |
//! | `connection_state` | the state machine, without I/O |
//! | `framing` | where each request ends, without I/O |
//! | `stream` | the TCP connection, which updates the state with what is read and written |
//! | `application` | the application, which updates it when a request begins and whether it was read to its end |
//! | `body` | bodies that know whether they have ended |
//! | `split_body` | bodies of responses that are given in pieces of a bounded size |
//! | `serve` | the HTTP server's task, cut short when the state says so, and the end of the connection |
//!
//! A request costs it two readings of the clock and, when it has a body, two allocations. The connection has one timer,
//! which is set again only when it rings; in return the HTTP server's own timers, one of which was made again for each
//! request, are off.

mod address_counts;
mod application;
mod body;
mod connection_state;
mod framing;
mod serve;
mod split_body;
mod stream;

use std::rc::Rc;

use actix_http::Extensions;

pub(crate) use address_counts::{AddressCounts, AddressSlot};
pub(crate) use application::{WorkerApp, for_expecting_requests, for_requests};
pub(crate) use serve::{CROWDED_DRAIN, WorkerConnections, serve};
pub(crate) use split_body::{SplitBody, WRITE_BUFFER_BYTES};
pub(crate) use stream::GuardedStream;

/// Puts a connection's state where the application finds it with each of its requests.
pub(crate) fn attach_state(stream: &GuardedStream, data: &mut Extensions) {
    data.insert(Rc::clone(stream.state()));
}
