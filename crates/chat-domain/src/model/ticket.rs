//! A ticket: opens one socket in a person's name, for clients that cannot send a header.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Principal, SessionId, Timestamp};

/// How long a ticket can be used.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(30);

/// How many unused tickets of one person are kept: twice as many as the sockets that they may have open.
pub const MAX_TICKETS_OF_A_PERSON: usize = 100;

/// What a ticket stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Who asked for it, without the picture: what their socket writes leaves the picture that is known.
    pub holder: Principal,
    /// The only session whose socket it opens. With `None` it opens a socket without a session of its own, and no
    /// other.
    pub session_id: Option<SessionId>,
    /// When the token ends that it was asked for with, and with it the socket.
    pub token_expires_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
}

/// SHA-256 of a ticket's text, which is all that is kept of it: what is found in a store cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TicketDigest([u8; 32]);

impl TicketDigest {
    /// The digest of a ticket's text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// A digest that was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
