//! Watching a session live.

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Published, Seq, SessionId, UserId};

/// Where a watcher starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With whatever happens next.
    Now,
    /// With the change right after this position.
    After(Seq),
}

/// Who wants to watch what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The session.
    pub session: SessionId,
    /// The watcher, who does not hear of their own typing.
    pub viewer: UserId,
    /// Where to start.
    pub start: Start,
}

/// Lets people watch sessions.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SessionFeed: Send + Sync {
    /// Starts to watch. From the moment this returns, no change is missed: the stream gives every durable change after
    /// the start once, in `seq` order, without gap.
    ///
    /// # Errors
    /// `ReplayUnavailable` when the start lies in the session's future or too far in its past;
    /// `NotFound(Session)`; what the event log fails with.
    async fn follow(&self, follow: Follow) -> Result<Box<dyn EventStream>>;
}

/// What a watcher hears.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait EventStream: Send {
    /// The next event; `None` when this node stops serving. Dropping the future loses no durable event.
    ///
    /// # Errors
    /// What the event log fails with; the next call tries again at once, so the caller waits a moment before it.
    async fn next(&mut self) -> Result<Option<Arc<Published>>>;
}
