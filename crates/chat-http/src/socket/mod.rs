//! The WebSocket of a session (RFC 6455): frames go out, liveness and delivery come back.
//!
//! The parts that decide (`Liveness`, `DeliveryProbe`, `FrameBudget`) are pure and take the time; `connection` is the
//! loop around them. What is seen and in which order is the domain's affair (`SessionWatch`).

mod close_code;
mod connection;
mod delivery_probe;
mod frame_budget;
mod liveness;
mod upgrade;

pub use close_code::{CloseCode, websocket_reference};
pub(crate) use connection::Socket;
pub(crate) use upgrade::{is_upgrade, require_allowed_origin};

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
    /// How long one write may take.
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
