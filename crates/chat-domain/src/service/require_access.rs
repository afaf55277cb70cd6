//! Refuse people whose access was ended.

use super::ChatService;
use super::person_sockets::{CloseSignal, PersonSocket};
use crate::error::Result;
use crate::model::{AccessEnd, Principal, Revocation};
use crate::ports::StreamCloseReason;

impl ChatService {
    /// Comes before every other use case, and again where a write is made: the request may have taken its time. Looks
    /// at what this node knows and at no store.
    ///
    /// # Errors
    /// `SignedOut` for a token of before the sign-out of its holder; `Forbidden(Blocked)`.
    pub fn require_access(&self, who: &Principal) -> Result<()> {
        Ok(self.revocations.check(who)?)
    }

    /// Enters an open socket of `who`, which is closed when their access ends, also if it has ended already.
    pub(super) fn enter_socket(&self, who: &Principal) -> PersonSocket {
        let socket = self.person_sockets.enter(who);
        // After the entry: what ends the access from now on finds the socket.
        if let Err(end) = self.revocations.check(who) {
            socket.close(close_reason(end));
        }
        socket
    }

    /// Closes the sockets of a person that a revocation, of which note was taken before, refuses. Returns how many.
    pub(super) fn close_revoked_sockets(&self, revocation: &Revocation) -> usize {
        let reason = |socket: &CloseSignal| revocation.check(socket.token_issued_at()).err().map(close_reason);
        self.person_sockets.close(&revocation.person, reason)
    }
}

/// Why a socket closes whose access has ended.
fn close_reason(end: AccessEnd) -> StreamCloseReason {
    match end {
        AccessEnd::SignedOut => StreamCloseReason::SignedOut,
        AccessEnd::Blocked => StreamCloseReason::Blocked,
    }
}
