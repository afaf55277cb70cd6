//! What a node hears from the other nodes, and from the registry of its own sockets.

use crate::model::{ConnectionId, LiveEvent, SessionId};

/// Where events may have been lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// In any session.
    Everywhere,
    /// In the sessions whose `SessionId::shard(of)` is `index`.
    Shard {
        /// Which part.
        index: u16,
        /// Of how many.
        of: u16,
    },
}

impl Missed {
    /// Whether events of this session may have been lost.
    pub fn concerns(self, session: SessionId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Shard { index, of } => session.shard(of) == index,
        }
    }
}

/// Takes what other nodes say, on the way to the watchers of this one, and which of its own sockets were replaced.
///
/// What comes from other nodes may be late, doubled, out of order or missing, and says only where to look: the event log decides. Every
/// method MUST return at once.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait EventSink: Send + Sync {
    /// Another node published an event. A stop of typing that is `by_node` MUST NOT end the typing of someone who is
    /// connected to this node as well.
    fn deliver(&self, event: LiveEvent);

    /// Events may have been lost. The sessions concerned that are watched here MUST be compared with the log soon.
    fn missed(&self, missed: Missed);

    /// Whether the other nodes can be heard. While they cannot, every session that is watched here MUST be compared with
    /// the log about once a second.
    fn heard(&self, whether: bool);

    /// A newer connection of the same person took the place of this one, which MUST end.
    fn replaced(&self, session: SessionId, connection: ConnectionId);
}
