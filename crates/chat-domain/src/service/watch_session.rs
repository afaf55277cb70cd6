//! Watch a session live.

use std::sync::Arc;

use super::ChatService;
use crate::error::{ChatError, Input, Invalid, Result};
use crate::model::{LiveEvent, MessageId, Principal, Published, Seq, SessionId};
use crate::policy::{self, Action};
use crate::ports::{EventStream, Follow, Start};

/// Where the caller wants to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFrom {
    /// With whatever happens next.
    Now,
    /// With the change right after this position.
    Position(Seq),
    /// With the change right after this message; `None` stands for an id that no message can have.
    Message(Option<MessageId>),
}

/// A live view of a session by someone who may see it.
pub struct SessionWatch {
    service: ChatService,
    viewer: Principal,
    session_id: SessionId,
    stream: Box<dyn EventStream>,
    /// The right was checked against the session as it was at this position. What happened before says nothing about
    /// it any more: a session that was once somebody else's may be the watcher's now.
    granted_at: Seq,
    access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Granted,
    /// The change that ended it has been given out, nothing more will be.
    Lost,
}

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum WatchItem {
    /// Something happened.
    Event(Arc<Published>),
    /// The watcher may not see the session any more; nothing follows.
    AccessLost,
    /// This node stops serving; the watcher should come back, to any node.
    Ended,
}

impl ChatService {
    /// Starts to watch a session. Every durable change after the start is seen once and in order.
    pub async fn watch_session(&self, who: &Principal, id: SessionId, from: Input<WatchFrom>) -> Result<SessionWatch> {
        policy::authorize(who, &Action::See(&self.session(id).await?))?;
        let start = match from? {
            WatchFrom::Now => Start::Now,
            WatchFrom::Position(seq) => Start::After(seq),
            WatchFrom::Message(message) => {
                let position = match message {
                    Some(message) => self.ports.events.position_of(id, message).await?,
                    None => None,
                };
                let unknown = || Invalid::new("after", "must be the id of a message of this session");
                Start::After(position.ok_or_else(unknown)?)
            }
        };
        let follow = Follow { session: id, viewer: who.id.clone(), start };
        let stream = self.ports.feed.follow(follow).await?;
        // The right may have gone between the check above and the moment from which changes are seen.
        let session = self.session(id).await?;
        policy::authorize(who, &Action::See(&session))?;
        Ok(SessionWatch {
            service: self.clone(),
            viewer: who.clone(),
            session_id: id,
            stream,
            granted_at: session.progress.last_seq,
            access: Access::Granted,
        })
    }
}

impl SessionWatch {
    /// The next thing that happens. Dropping the future loses no durable change.
    ///
    /// A change of the session is given out even when it ends the watcher's right to see it, so that they learn why.
    pub async fn next(&mut self) -> Result<WatchItem> {
        if self.access == Access::Lost {
            return Ok(WatchItem::AccessLost);
        }
        let Some(published) = self.stream.next().await? else { return Ok(WatchItem::Ended) };
        if let LiveEvent::Durable(event) = published.event()
            && event.seq > self.granted_at
            && let Some(session) = event.change.session()
            && policy::authorize(&self.viewer, &Action::See(session)).is_err()
        {
            self.access = Access::Lost;
        }
        Ok(WatchItem::Event(published))
    }

    /// Checks again that the watcher may see the session, from the stores and not from what the stream said.
    ///
    /// # Errors
    /// What a store fails with. A lost right is no error: `false`, and `next` gives nothing more.
    pub async fn recheck(&mut self) -> Result<bool> {
        match self.still_allowed().await {
            Ok(()) => Ok(true),
            Err(ChatError::Forbidden(_) | ChatError::NotFound(_)) => {
                self.access = Access::Lost;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn still_allowed(&self) -> Result<()> {
        self.service.admit(&self.viewer).await?;
        let session = self.service.session(self.session_id).await?;
        Ok(policy::authorize(&self.viewer, &Action::See(&session))?)
    }
}
