//! Watch a session live.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::ChatService;
use super::agent_sockets::AgentSocket;
use crate::error::{ChatError, Input, Invalid, Refusal, Result};
use crate::model::{Connection, ConnectionId, Epoch, LiveEvent, MessageId, Principal, Published, Role, Seq, SessionId};
use crate::policy::{self, Action};
use crate::ports::{ConnectionRegistry, End, EventStream, Follow, Following, Heard, Opening, Otherwise, Start};

/// Where the caller wants to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchFrom {
    /// With whatever happens next.
    Now,
    /// With the change right after this position, of this epoch if the caller says which.
    Position(Seq, Option<Epoch>),
    /// With the change right after this message; `None` stands for an id that no message can have.
    Message(Option<MessageId>),
}

/// How the caller wants to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRequest {
    /// Where to start.
    pub from: Input<WatchFrom>,
    /// What to do when what was missed cannot be replayed.
    pub otherwise: Otherwise,
}

/// A live view of a session by someone who may see it. It has a place in the registry of connections for as long as it
/// lives.
pub struct SessionWatch {
    service: ChatService,
    viewer: Principal,
    /// While the viewer is an agent.
    on_duty: Option<AgentSocket>,
    entered: Entered,
    opening: Opening,
    stream: Box<dyn EventStream>,
    /// The right was checked against the session as it was at this position. What happened before says nothing about
    /// it any more: a session that was once somebody else's may be the watcher's now.
    granted_at: Seq,
    access: Access,
}

/// A place in the registry, given back when it is dropped.
struct Entered {
    registry: Arc<dyn ConnectionRegistry>,
    connection: Connection,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.registry.leave(&self.connection);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Granted,
    /// The change that ended it has been given out, nothing more will be.
    Lost,
    /// There is no such session any more.
    Gone,
}

/// What the stores say about the right to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// The session may be watched.
    Held,
    /// It may not be watched by this person.
    Lost,
    /// There is no such session any more.
    Gone,
}

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum WatchItem {
    /// Something happened.
    Event(Arc<Published>),
    /// The watcher may not see the session any more; nothing follows.
    AccessLost,
    /// The watcher is an agent who was deactivated; nothing follows, and nothing that was given out but not shown yet is
    /// to be shown.
    Deactivated,
    /// The session does not exist any more; nothing follows.
    Gone,
    /// A newer connection of the same person took the place of this one; nothing follows.
    Replaced,
    /// This node stops serving; the watcher should come back, to any node.
    Ended,
}

impl From<End> for WatchItem {
    fn from(end: End) -> Self {
        match end {
            End::Stopping => Self::Ended,
            End::Replaced => Self::Replaced,
        }
    }
}

impl ChatService {
    /// Starts to watch a session. Every durable change after the start is seen once and in order.
    ///
    /// # Errors
    /// In this order: `NotFound`, `Forbidden`, `Invalid`, `ReplayUnavailable` (with `Otherwise::Refuse`),
    /// `LimitReached`.
    pub async fn watch_session(&self, who: &Principal, id: SessionId, request: WatchRequest) -> Result<SessionWatch> {
        // Before the last question about the right, so that a deactivation in between is noticed.
        let on_duty = self.agent_sockets.enter(who);
        policy::authorize(who, &Action::See(&self.session(id).await?))?;
        let start = match request.from? {
            WatchFrom::Now => Start::Now,
            WatchFrom::Position(seq, epoch) => Start::After { seq, epoch },
            WatchFrom::Message(message) => {
                let position = match message {
                    Some(message) => self.ports.events.position_of(id, message).await?,
                    None => None,
                };
                let unknown = || Invalid::new("after", "must be the id of a message of this session");
                Start::After { seq: position.ok_or_else(unknown)?, epoch: None }
            }
        };
        let connection =
            Connection { id: ConnectionId::new(self.ports.ids.next_id()), session_id: id, user_id: who.id.clone() };
        let follow = Follow {
            session: id,
            connection: connection.id,
            viewer: who.id.clone(),
            start,
            otherwise: request.otherwise,
        };
        let Following { opening, stream } = self.ports.feed.follow(follow).await?;
        // The right may have gone between the check above and the moment from which changes are seen.
        let session = self.session(id).await?;
        policy::authorize(who, &Action::See(&session))?;
        // Last, since it may end another connection of the same person: not for one that is refused.
        let entered = self.enter(connection).await?;
        Ok(SessionWatch {
            service: self.clone(),
            viewer: who.clone(),
            on_duty,
            entered,
            opening,
            stream,
            granted_at: session.progress.last_seq,
            access: Access::Granted,
        })
    }

    async fn may_watch(&self, who: &Principal, id: SessionId) -> Result<()> {
        self.admit(who).await?;
        Ok(policy::authorize(who, &Action::See(&self.session(id).await?))?)
    }

    async fn enter(&self, connection: Connection) -> Result<Entered> {
        // Made before it is entered, so that an entry is given back also when the caller goes away meanwhile.
        let entered = Entered { registry: Arc::clone(&self.ports.connections), connection };
        self.ports.connections.enter(&entered.connection, self.rules.connections).await?;
        Ok(entered)
    }
}

impl SessionWatch {
    /// The connection's name.
    pub fn connection_id(&self) -> ConnectionId {
        self.entered.connection.id
    }

    /// The session that is watched.
    pub fn session_id(&self) -> SessionId {
        self.entered.connection.session_id
    }

    /// Who watches.
    pub fn viewer(&self) -> &Principal {
        &self.viewer
    }

    /// How the watch began.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Whether the right was granted on a state of the session from before the change at this position. The grant has
    /// taken an older change into account.
    pub fn was_granted_before(&self, seq: Seq) -> bool {
        self.granted_at < seq
    }

    /// The next thing that happens; see [`EventStream::poll_next`].
    ///
    /// A change of the session is given out even when it ends the watcher's right to see it, so that they learn why.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem>> {
        match self.access {
            Access::Granted => {}
            Access::Lost => return Poll::Ready(Ok(WatchItem::AccessLost)),
            Access::Gone => return Poll::Ready(Ok(WatchItem::Gone)),
        }
        if self.poll_deactivated(context).is_ready() {
            return Poll::Ready(Ok(WatchItem::Deactivated));
        }
        let published = match ready!(self.stream.poll_next(context))? {
            Heard::Event(published) => published,
            Heard::Ended(end) => return Poll::Ready(Ok(end.into())),
        };
        if let LiveEvent::Durable(event) = published.event()
            && self.was_granted_before(event.seq)
            && let Some(session) = event.change.session()
            && policy::authorize(&self.viewer, &Action::See(session)).is_err()
        {
            self.access = Access::Lost;
        }
        Poll::Ready(Ok(WatchItem::Event(published)))
    }

    /// Ready with `Deactivated`, `Replaced` or `Ended` once that is the case, for a watcher who cannot take events at the
    /// moment; see [`EventStream::poll_end`].
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<WatchItem> {
        if self.poll_deactivated(context).is_ready() {
            return Poll::Ready(WatchItem::Deactivated);
        }
        self.stream.poll_end(context).map(WatchItem::from)
    }

    fn poll_deactivated(&self, context: &Context<'_>) -> Poll<()> {
        self.on_duty.as_ref().map_or(Poll::Pending, |socket| socket.poll_deactivated(context))
    }

    /// The next thing that happens. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<WatchItem> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Goes on in the name of the same person as a newer token describes them: their role may have changed. Checks
    /// their right as [`recheck`](Self::recheck) does.
    ///
    /// # Errors
    /// `Forbidden` when it is another person, and nothing has changed; what a store fails with.
    pub async fn renew(&mut self, viewer: Principal) -> Result<bool> {
        self.go_on_as(viewer)?;
        self.recheck().await
    }

    /// Goes on in the name of the same person as a newer token describes them, whose right has been asked for with
    /// [`right_of`](Self::right_of).
    ///
    /// # Errors
    /// `Forbidden` when it is another person, and nothing has changed.
    pub fn go_on_as(&mut self, viewer: Principal) -> Result<()> {
        if viewer.id != self.viewer.id {
            return Err(Refusal::NotAllowed("go on with the token of another person").into());
        }
        if viewer.role != self.viewer.role {
            self.on_duty = self.service.agent_sockets.enter(&viewer);
        }
        self.viewer = viewer;
        Ok(())
    }

    /// Judges what happens from now on by `role`, if that is lower than the watcher's: a newer token says so, and whether
    /// they may still see the session is being asked. Returns whether it is.
    pub fn lower_to(&mut self, role: Role) -> bool {
        let is_lower = role < self.viewer.role;
        if is_lower {
            self.viewer.role = role;
            self.on_duty = self.service.agent_sockets.enter(&self.viewer);
        }
        is_lower
    }

    /// Checks again that the watcher may see the session, from the stores and not from what the stream said.
    ///
    /// # Errors
    /// What a store fails with. A lost right is no error: `false`, and `next` says why and gives nothing more.
    pub async fn recheck(&mut self) -> Result<bool> {
        let right = self.right_of(self.viewer.clone()).await?;
        self.conclude(right);
        Ok(right == Right::Held)
    }

    /// Asks the stores whether `viewer` may see the session, for [`conclude`](Self::conclude). The watch itself is not
    /// held by the answer, which may take long: it goes on meanwhile.
    ///
    /// # Errors
    /// What a store fails with. A lost right is no error.
    pub fn right_of(&self, viewer: Principal) -> impl Future<Output = Result<Right>> + Send + use<> {
        let (service, id) = (self.service.clone(), self.session_id());
        async move {
            match service.may_watch(&viewer, id).await {
                Ok(()) => Ok(Right::Held),
                Err(ChatError::Forbidden(_)) => Ok(Right::Lost),
                Err(ChatError::NotFound(_)) => Ok(Right::Gone),
                Err(error) => Err(error),
            }
        }
    }

    /// Takes note of what the stores said: without the right, `next` says why and gives nothing more.
    pub fn conclude(&mut self, right: Right) {
        match right {
            Right::Held => {}
            Right::Lost => self.access = Access::Lost,
            Right::Gone => self.access = Access::Gone,
        }
    }
}
