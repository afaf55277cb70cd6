//! The WebSocket of a session (RFC 6455): frames go out, liveness and delivery come back.
//!
//! | module | what lives there |
//! |---|---|
//! | `upgrade` | what is checked before a request becomes a socket |
//! | `takeover` | the connection leaves the HTTP server's hands |
//! | `worker_sockets` | the open sockets of a worker, and what keeps it alive for them |
//! | `connection` | a socket as a task: the conversation, and its end |
//! | `conversation`, `commands` | what is due, what the peer says, what the stores answer, what happens in the session |
//! | `protocol` | the frames of both modes as JSON |
//! | `liveness`, `delivery_probe`, `frame_budget`, `cumulative` | decisions without I/O, which take the time |
//! | `jobs` | what the stores were asked for |
//! | `close_code` | why a socket is closed |
//!
//! What is seen and in which order is the domain's affair (`SessionWatch`); frames on the wire are `chat_websocket`'s.

mod close_code;
mod commands;
mod connection;
mod conversation;
mod cumulative;
mod delivery_probe;
mod frame_budget;
mod jobs;
mod liveness;
mod protocol;
mod refused_origin;
mod takeover;
mod upgrade;
mod wake_relay;
mod worker_sockets;

pub use close_code::CloseCode;
pub(crate) use connection::SocketPlan;
pub use protocol::websocket_reference;
pub(crate) use protocol::{Mode, TOKEN_PREFIX, catalogue};
pub(crate) use takeover::{TakeOver, is_takeable};
pub(crate) use upgrade::{choose_mode, require_allowed_origin, require_handshake};

use std::time::Duration;

/// The times a socket keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// How often a quiet peer is pinged.
    pub ping_every: Duration,
    /// How long a pinged peer may stay silent.
    pub silence_limit: Duration,
    /// How soon after a message a ping asks whether it has arrived; at most a second.
    pub delivery_ping_after: Duration,
    /// How long the peer may take no byte of what waits for it.
    pub write_limit: Duration,
    /// How often the right to see the session is checked again.
    pub recheck_every: Duration,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(25),
            silence_limit: Duration::from_secs(35),
            delivery_ping_after: Duration::from_secs(1),
            write_limit: Duration::from_secs(20),
            recheck_every: Duration::from_mins(1),
        }
    }
}
