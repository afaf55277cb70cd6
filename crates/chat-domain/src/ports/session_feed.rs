//! Live event streams of sessions.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_trait::async_trait;

use crate::error::{ReplayUnavailable, Result};
use crate::model::{Epoch, LiveEvent, Seq, SessionId, SocketId, UserId};

/// Where a subscription starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartPosition {
    /// With the next event.
    Now,
    /// With the event right after this sequence number.
    After {
        /// The newest event that the subscriber knows.
        seq: Seq,
        /// The epoch that the number belongs to, if the subscriber names one.
        epoch: Option<Epoch>,
    },
}

/// What happens to a subscription whose missed events cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayFallback {
    /// It is refused.
    Refuse,
    /// It starts with the next event, and its outcome says so.
    StartNow,
}

/// The parameters of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// The session.
    pub session: SessionId,
    /// The subscriber's socket, by which the socket registry closes the stream.
    pub socket: SocketId,
    /// The subscriber, to whom their own typing is not shown.
    pub viewer: UserId,
    /// Where to start.
    pub start: StartPosition,
    /// What to do when the missed events cannot be replayed.
    pub fallback: ReplayFallback,
    /// The socket with many subscriptions that this is one of. Together they hold no more than a bound: what is beyond it
    /// they read from the event log, one after the other.
    pub part_of: Option<SocketId>,
}

/// The state of the session when a subscription began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOutcome {
    /// The epoch that sequence numbers belong to.
    pub epoch: Epoch,
    /// The sequence number of the newest event.
    pub head: Seq,
    /// What is replayed.
    pub replay: Replay,
}

/// Which of the missed events a subscription begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// All of them.
    Complete {
        /// How many there are.
        missed: u64,
    },
    /// None: the subscriber named no position.
    Fresh,
    /// None, for this reason: the stream begins after the head.
    Unavailable(ReplayUnavailable),
}

/// A new subscription.
pub struct Subscription {
    /// How it began.
    pub outcome: SubscribeOutcome,
    /// The events from there on.
    pub stream: Box<dyn EventStream>,
}

/// Subscribes to sessions.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionFeed: Send + Sync {
    /// Opens a subscription. Once this has returned, no event is missed: the stream returns every durable event after
    /// the start once, in `seq` order, without gap.
    ///
    /// # Errors
    /// With `ReplayFallback::Refuse`, `ReplayUnavailable` when the start lies in the session's future, too far in its
    /// past, or in another epoch; `NotFound(Session)`; what the event log fails with.
    async fn subscribe(&self, request: SubscribeRequest) -> Result<Subscription>;
}

/// An event that all streams of its session share, with one value that was derived from it, such as its encodings.
#[derive(Debug)]
pub struct SharedEvent {
    event: LiveEvent,
    derived: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl SharedEvent {
    /// Wraps an event for sharing.
    pub fn new(event: LiveEvent) -> Arc<Self> {
        Arc::new(Self { event, derived: OnceLock::new() })
    }

    /// The event.
    pub fn event(&self) -> &LiveEvent {
        &self.event
    }

    /// The value that the first call made, shared by all later calls. `None` if the first call made one of another type.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.derived.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

/// What a stream returns.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// An event of the session.
    Event(Arc<SharedEvent>),
    /// The stream is closed; no event follows.
    Closed(StreamCloseReason),
}

/// Why a stream is closed. A [`SessionFeed`] knows the first two reasons; a
/// [`SessionSubscription`](crate::service::SessionSubscription), which checks access too, has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamCloseReason {
    /// This node shuts down; the subscriber should reconnect, to any node.
    NodeStopping,
    /// A newer socket of the same person replaced this one.
    Replaced,
    /// The subscriber may not see the session any more.
    AccessLost,
    /// The subscriber is an agent who was deactivated. Events that were returned but not shown yet must not be shown.
    AgentDeactivated,
    /// The subscriber was signed out: their token is not valid any more. Events that were returned but not shown yet
    /// must not be shown.
    SignedOut,
    /// The subscriber was blocked. Events that were returned but not shown yet must not be shown.
    Blocked,
    /// The session does not exist any more.
    SessionGone,
}

/// The events of one subscription, in order.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait EventStream: Send {
    /// The next item; once the stream is closed, the close reason each time. If there is no item, the task of `context`
    /// is woken as soon as there may be one; only the task of the latest call is.
    ///
    /// # Errors
    /// What the event log fails with; the next call tries again at once, so the caller waits a moment before it.
    #[expect(clippy::elidable_lifetime_names, reason = "the mock needs a name")]
    fn poll_next<'a>(&mut self, context: &mut Context<'a>) -> Poll<Result<StreamItem>>;

    /// Ready once the stream is closed, for a subscriber that cannot take events at the moment. Events do not wake the
    /// task of `context`; they are kept until [`poll_next`](Self::poll_next) is called again.
    #[expect(clippy::elidable_lifetime_names, reason = "the mock needs a name")]
    fn poll_closed<'a>(&mut self, context: &mut Context<'a>) -> Poll<StreamCloseReason>;
}
