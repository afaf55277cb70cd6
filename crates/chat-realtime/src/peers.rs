//! The ports between a hub and the other nodes: what a node publishes to its peers, and what it receives from them. An adapter
//! such as `chat-redis` implements [`PeerNotifier`] and calls [`PeerSink`], which the hub implements.

use chat_domain::model::{LiveEvent, SessionEvent, SessionId, Timestamp, TypingEvent, UserId};
use chat_domain::ports::LogLimit;

/// About how many bytes a typing event takes.
pub(crate) const TYPING_BYTES: usize = 256;

/// An event between nodes.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every event is durable: a box would cost each an allocation")]
pub enum PeerEvent {
    /// A durable event.
    Durable(SessionEvent),
    /// A typing event.
    Typing(PeerTyping),
}

impl PeerEvent {
    /// The session it is about.
    pub fn session_id(&self) -> SessionId {
        match self {
            Self::Durable(event) => event.session_id,
            Self::Typing(event) => event.session_id,
        }
    }

    /// About how many bytes it takes to keep or to write it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Durable(event) => LogLimit::bytes_of(event),
            Self::Typing(_) => TYPING_BYTES,
        }
    }
}

impl From<LiveEvent> for PeerEvent {
    fn from(event: LiveEvent) -> Self {
        match event {
            LiveEvent::Durable(event) => Self::Durable(event),
            LiveEvent::Typing(event) => Self::Typing(event.into()),
        }
    }
}

impl From<PeerEvent> for LiveEvent {
    fn from(event: PeerEvent) -> Self {
        match event {
            PeerEvent::Durable(event) => Self::Durable(event),
            PeerEvent::Typing(event) => Self::Typing(event.into()),
        }
    }
}

/// A typing event between nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTyping {
    /// The session they type in.
    pub session_id: SessionId,
    /// Who types.
    pub user_id: UserId,
    /// Whether they started or stopped.
    pub is_typing: bool,
    /// When.
    pub at: Timestamp,
    /// Whether the node caused it and not the person. Such a stop means that their last socket on that node was closed,
    /// and holds unless they have one on another; such a start is how that other node contradicts it.
    pub by_node: bool,
}

impl From<TypingEvent> for PeerTyping {
    /// An event that the person caused.
    fn from(TypingEvent { session_id, user_id, is_typing, at }: TypingEvent) -> Self {
        Self { session_id, user_id, is_typing, at, by_node: false }
    }
}

impl From<PeerTyping> for TypingEvent {
    fn from(PeerTyping { session_id, user_id, is_typing, at, by_node: _ }: PeerTyping) -> Self {
        Self { session_id, user_id, is_typing, at }
    }
}

/// The sessions in which events may have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuspectedGap {
    /// Any session.
    AllSessions,
    /// The sessions whose [`session_shard`] of `of` is `index`.
    Shard {
        /// The number of the shard.
        index: u16,
        /// How many shards there are.
        of: u16,
    },
}

impl SuspectedGap {
    /// Whether events of this session may have been missed.
    pub fn includes(self, session: SessionId) -> bool {
        match self {
            Self::AllSessions => true,
            Self::Shard { index, of } => session_shard(session, of) == index,
        }
    }
}

/// The shard of a session, from 0, if all sessions are divided into `of` equal shards. Every node of every version MUST
/// agree about it: it is the remainder of the id's last 8 bytes, as a number, most significant byte first.
pub fn session_shard(session: SessionId, of: u16) -> u16 {
    let (_, low) = session.as_uuid().as_u64_pair();
    u16::try_from(low % u64::from(of.max(1))).unwrap_or(0)
}

/// Publishes a hub's typing events to the other nodes. It may lose them. It MUST return at once and MUST NOT call the hub.
pub trait PeerNotifier: Send + Sync {
    /// Publishes a typing event.
    fn publish(&self, event: PeerTyping);
}

/// Takes the events of other nodes for the sockets of this one.
///
/// Events of other nodes may be late, doubled, out of order or missing. They only say where to look: the event log
/// decides. Every method MUST return at once.
pub trait PeerSink: Send + Sync {
    /// Another node published an event. A stop of typing that is `by_node` MUST NOT end the typing of a person who has a
    /// socket on this node as well.
    fn deliver(&self, event: PeerEvent);

    /// Events may have been missed. The sessions concerned that have sockets here MUST be compared with the log soon.
    fn mark_suspect(&self, gap: SuspectedGap);

    /// Whether the other nodes are reachable. While they are not, every session that has sockets here MUST be compared
    /// with the log about once a second.
    fn set_peers_reachable(&self, reachable: bool);
}
