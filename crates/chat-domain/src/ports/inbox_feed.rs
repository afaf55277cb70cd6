//! Live inboxes.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use async_trait::async_trait;

use super::StreamCloseReason;
use crate::error::Result;
use crate::inbox::{InboxCounts, InboxOwner, InboxView};
use crate::model::{ChatSession, SessionId, UserId};

/// A session of a view as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxUpdate {
    /// The view.
    pub view: InboxView,
    /// The session.
    pub session_id: SessionId,
    /// The session as it is; `None` when it is not in the view any more.
    pub session: Option<Arc<ChatSession>>,
    /// The counts of the inbox after it.
    pub counts: InboxCounts,
}

/// The updates of an open inbox. Dropping it closes the inbox.
pub trait InboxStream: Send {
    /// Takes note of what the person was shown of a view, which was read after the inbox was opened. It may be newer than
    /// what updates have come from, or older: what of it has changed since becomes an update.
    fn note_snapshot(&mut self, view: InboxView, sessions: &[ChatSession]);

    /// The next update, or why none follows. Updates are states and not steps: of several changes of a session only the
    /// newest state is returned, and of a session and a view at most two a second.
    ///
    /// While it is pending, the task of `context` is woken by a change. It is not woken by the passing of time: see
    /// [`deadline`](Self::deadline).
    fn poll_next(&mut self, context: &Context<'_>, now: Instant) -> Poll<Result<InboxUpdate, StreamCloseReason>>;

    /// Ready once no update follows. Changes do not wake the task then.
    fn poll_closed(&mut self, context: &Context<'_>) -> Poll<StreamCloseReason>;

    /// When to ask again though nothing has changed, because a state waits for its turn.
    fn deadline(&self) -> Option<Instant>;
}

/// Opens live inboxes.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait InboxFeed: Send + Sync {
    /// Opens the inbox of a person with these views. Whatever changes in them after this has returned is an update of the
    /// stream, or is in a page that is read later: read now what the views hold, pass it to `note_snapshot`, and take the
    /// updates then. Updates that are lost on the way are found by reading the views again, at the latest after a minute.
    ///
    /// A person has a bounded number of inboxes open; one more closes the oldest with `StreamCloseReason::Replaced`.
    ///
    /// # Errors
    /// What the store fails with.
    async fn open(&self, person: &UserId, owner: InboxOwner, views: Vec<InboxView>) -> Result<Box<dyn InboxStream>>;
}
