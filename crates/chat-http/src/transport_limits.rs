//! What a connection may take, and how many of them a node holds.

use std::time::Duration;

/// The limits of connections. Operators do not set them, except for the three numbers at the end, which follow from the
/// size of messages and from the limit of open files; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportLimits {
    /// How long the head of a request may take, from its first byte, or from the start of the connection.
    pub head: Duration,
    /// How long a JSON body may take.
    pub json_body: Duration,
    /// How long a connection may stay open between two requests. Longer than the 60 seconds after which common load
    /// balancers give up an idle connection, so that they never send a request on a connection that is being closed
    /// here.
    pub idle: Duration,
    /// How long heads and idle connections have while three quarters of the connections are taken. The head of a request
    /// is nearly always one packet, so that this ends few who mean well, and makes room quickly.
    pub crowded: Duration,
    /// The same for a connection that has sent no byte: a connection that waited to be accepted sent its request long
    /// before.
    pub crowded_silent: Duration,
    /// How long a peer may take no byte of what waits for it.
    pub stalled: Duration,
    /// The same while three quarters of the connections are taken.
    pub crowded_stalled: Duration,
    /// How long bytes of an unread body are read and dropped after the response, so that closing the connection does
    /// not destroy the response on its way (RFC 9112, 9.6).
    pub drain: Duration,
    /// How many of them.
    pub drain_bytes: u64,
    /// The same for a connection of a trusted proxy. Proxies pass a body on while it comes, and those that fail to write
    /// it return 502, whatever was responded: so the rest is taken until the proxy has seen the response and closes.
    pub proxy_drain: Duration,
    /// How many bytes a trusted proxy may send after the response: more than a message may have, so that an upload which is
    /// refused for its size is covered too.
    pub proxy_drain_bytes: u64,
    /// The most HTTP connections that a node holds. More wait to be accepted.
    pub connections: usize,
    /// The most sockets that a node holds. More are refused with 503.
    pub sockets: usize,
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(15),
            json_body: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            crowded: Duration::from_secs(2),
            crowded_silent: Duration::from_secs(1),
            stalled: Duration::from_secs(20),
            crowded_stalled: Duration::from_secs(3),
            drain: Duration::from_secs(5),
            drain_bytes: 64 * 1024,
            proxy_drain: Duration::from_secs(20),
            proxy_drain_bytes: 100 * 1024 * 1024,
            connections: 25_000,
            sockets: 100_000,
        }
    }
}

impl TransportLimits {
    /// The shortest time after which a connection that has just come into a state can be overdue in it.
    pub(crate) fn shortest(&self, is_crowded: bool) -> Duration {
        let shortest = self.head.min(self.stalled).min(self.idle);
        let crowded = self.crowded.min(self.crowded_silent).min(self.crowded_stalled);
        if is_crowded { shortest.min(crowded) } else { shortest }
    }
}
