//! Watching a session live.

use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;

use crate::error::{ReplayUnavailable, Result};
use crate::model::{ConnectionId, Epoch, Published, Seq, SessionId, UserId};

/// Where a watcher starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With whatever happens next.
    Now,
    /// With the change right after this position.
    After {
        /// The newest change that the watcher knows.
        seq: Seq,
        /// The history that the position belongs to, if the watcher says so.
        epoch: Option<Epoch>,
    },
}

/// What becomes of a watcher whose start cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// They are refused.
    Refuse,
    /// They start with whatever happens next, and are told so.
    StartNow,
}

/// Who wants to watch what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The session.
    pub session: SessionId,
    /// The watcher's connection, by which the registry of connections ends the stream.
    pub connection: ConnectionId,
    /// The watcher, who does not hear of their own typing.
    pub viewer: UserId,
    /// Where to start.
    pub start: Start,
    /// What to do when that is impossible.
    pub otherwise: Otherwise,
}

/// How a watch begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The history that positions belong to.
    pub epoch: Epoch,
    /// The position of the newest change when the watch began.
    pub head: Seq,
    /// What was missed.
    pub replay: Replay,
}

/// What a watcher gets of what they missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// All of it: the stream begins with it.
    Complete {
        /// How many changes that are.
        missed: u64,
    },
    /// They did not say what they know.
    Fresh,
    /// Nothing: the stream begins after the head.
    Unavailable(ReplayUnavailable),
}

/// A stream with how it begins.
pub struct Following {
    /// What the watcher is told first.
    pub opening: Opening,
    /// Everything after it.
    pub stream: Box<dyn EventStream>,
}

/// Lets people watch sessions.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionFeed: Send + Sync {
    /// Starts to watch. From the moment this returns, no change is missed: the stream gives every durable change after
    /// the start once, in `seq` order, without gap.
    ///
    /// # Errors
    /// With `Otherwise::Refuse`, `ReplayUnavailable` when the start lies in the session's future, too far in its past,
    /// or in another epoch; `NotFound(Session)`; what the event log fails with.
    async fn follow(&self, follow: Follow) -> Result<Following>;
}

/// What a watcher hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// Something happened.
    Event(Arc<Published>),
    /// Nothing more will come.
    Ended(End),
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This node stops serving.
    Stopping,
    /// A newer connection of the same person took the place of this one.
    Replaced,
}

/// What a watcher hears, one after the other.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait EventStream: Send {
    /// The next thing to hear; after the end, the end again. When nothing is there, the task of `context` is woken as
    /// soon as there may be something; only the task that asked last is.
    ///
    /// # Errors
    /// What the event log fails with; the next call tries again at once, so the caller waits a moment before it.
    #[expect(clippy::elidable_lifetime_names, reason = "the mock needs a name")]
    fn poll_next<'a>(&mut self, context: &mut Context<'a>) -> Poll<Result<Heard>>;

    /// Ready once the stream has ended, for a watcher who cannot take events at the moment: these wake nobody, and stay
    /// until [`poll_next`](Self::poll_next) is called again.
    #[expect(clippy::elidable_lifetime_names, reason = "the mock needs a name")]
    fn poll_end<'a>(&mut self, context: &mut Context<'a>) -> Poll<End>;
}
