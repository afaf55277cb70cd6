//! Subscribe to a session.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::ChatService;
use super::person_sockets::PersonSocket;
use crate::error::{ChatError, Input, Invalid, Refusal, Result};
use crate::model::{Epoch, LiveEvent, MessageId, OpenSocket, Principal, Role, Seq, SessionId, SocketId};
use crate::policy::{self, Action};
use crate::ports::{
    EventStream, ReplayFallback, SocketRegistry, StartPosition, StreamCloseReason, StreamItem, SubscribeOutcome,
    SubscribeRequest, Subscription,
};

/// Where the caller wants to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeFrom {
    /// With the next event.
    Now,
    /// With the event right after this sequence number, of this epoch if the caller names one.
    Position(Seq, Option<Epoch>),
    /// With the event right after this message; `None` stands for an id that no message can have.
    Message(Option<MessageId>),
}

/// How the caller wants to subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Where to start.
    pub from: Input<SubscribeFrom>,
    /// What to do when the missed events cannot be replayed.
    pub fallback: ReplayFallback,
}

/// A subscription to a session by a person who may see it. It has an entry in the socket registry for as long as it
/// lives.
pub struct SessionSubscription {
    service: ChatService,
    /// The subscriptions of one socket share theirs.
    viewer: Arc<Principal>,
    /// Of a socket with this subscription alone; others have one for all.
    person_socket: Option<PersonSocket>,
    session_id: SessionId,
    registration: SocketRegistration,
    outcome: SubscribeOutcome,
    stream: Box<dyn EventStream>,
    /// Access was checked against the session as it was at this sequence number. An older event does not change it any
    /// more: a session that once was another agent's may be the viewer's now.
    granted_at: Seq,
    access: AccessState,
}

/// What a subscription is to its socket.
#[derive(Clone, Copy)]
pub(super) enum SubscribeAs {
    /// All of it.
    Socket,
    /// One of those of the socket with this id.
    PartOf(SocketId),
}

/// An entry in the socket registry, removed when it is dropped.
pub(super) struct SocketRegistration {
    registry: Arc<dyn SocketRegistry>,
    socket: OpenSocket,
}

impl SocketRegistration {
    pub(super) fn socket_id(&self) -> SocketId {
        self.socket.id
    }
}

impl Drop for SocketRegistration {
    fn drop(&mut self) {
        self.registry.leave(&self.socket);
    }
}

/// Whether a viewer may see a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessState {
    /// They may.
    Granted,
    /// They may not any more. The event that ended their access is the last event that is returned.
    Lost,
    /// They are an agent who was deactivated.
    AgentDeactivated,
    /// Their token is not valid any more.
    SignedOut,
    /// The session does not exist any more.
    SessionGone,
}

impl AccessState {
    /// What a check of access has come to.
    ///
    /// # Errors
    /// What a store failed with. Lost access is no error.
    pub(super) fn of(check: Result<()>) -> Result<Self> {
        match check {
            Ok(()) => Ok(Self::Granted),
            Err(ChatError::Forbidden(Refusal::AgentDeactivated)) => Ok(Self::AgentDeactivated),
            Err(ChatError::Forbidden(_)) => Ok(Self::Lost),
            Err(ChatError::SignedOut) => Ok(Self::SignedOut),
            Err(ChatError::NotFound(_)) => Ok(Self::SessionGone),
            Err(error) => Err(error),
        }
    }

    /// The reason to close the stream, unless access is granted.
    fn close_reason(self) -> Option<StreamCloseReason> {
        match self {
            Self::Granted => None,
            Self::Lost => Some(StreamCloseReason::AccessLost),
            Self::AgentDeactivated => Some(StreamCloseReason::AgentDeactivated),
            Self::SignedOut => Some(StreamCloseReason::SignedOut),
            Self::SessionGone => Some(StreamCloseReason::SessionGone),
        }
    }
}

impl ChatService {
    /// Subscribes to a session. Every durable event after the start is returned once and in order.
    ///
    /// # Errors
    /// In this order: `NotFound`, `Forbidden`, `Invalid`, `ReplayUnavailable` (with `ReplayFallback::Refuse`),
    /// `LimitReached`.
    pub async fn subscribe_session(
        &self,
        who: &Principal,
        id: SessionId,
        options: SubscribeOptions,
    ) -> Result<SessionSubscription> {
        self.subscribe(Arc::new(who.clone()), id, options, SubscribeAs::Socket).await
    }

    pub(super) async fn subscribe(
        &self,
        who: Arc<Principal>,
        id: SessionId,
        options: SubscribeOptions,
        subscribe_as: SubscribeAs,
    ) -> Result<SessionSubscription> {
        let part_of = match subscribe_as {
            SubscribeAs::Socket => None,
            SubscribeAs::PartOf(socket) => Some(socket),
        };
        // Before the last check of access, so that what ends it in between is noticed.
        let person_socket = part_of.is_none().then(|| self.enter_socket(&who));
        policy::authorize(&who, &Action::See(&self.session(id).await?))?;
        let start = match options.from? {
            SubscribeFrom::Now => StartPosition::Now,
            SubscribeFrom::Position(seq, epoch) => StartPosition::After { seq, epoch },
            SubscribeFrom::Message(message) => {
                let seq = match message {
                    Some(message) => self.ports.events.position_of(id, message).await?,
                    None => None,
                };
                let unknown = || Invalid::new("after", "must be the id of a message of this session");
                StartPosition::After { seq: seq.ok_or_else(unknown)?, epoch: None }
            }
        };
        let socket = OpenSocket {
            id: SocketId::new(self.ports.ids.next_id()),
            session_id: Some(id),
            user_id: who.id.clone(),
            is_subscription: part_of.is_some(),
        };
        let request = SubscribeRequest {
            session: id,
            socket: socket.id,
            viewer: who.id.clone(),
            start,
            fallback: options.fallback,
            part_of,
        };
        let Subscription { outcome, stream } = self.ports.feed.subscribe(request).await?;
        // Access may have been lost between the check above and the moment from which events are seen.
        let session = self.session(id).await?;
        policy::authorize(&who, &Action::See(&session))?;
        // Last, since it may close another socket of the same person, and a socket that is refused must not.
        let registration = self.enter_registry(socket).await?;
        Ok(SessionSubscription {
            service: self.clone(),
            viewer: who,
            person_socket,
            session_id: id,
            registration,
            outcome,
            stream,
            granted_at: session.progress.last_seq,
            access: AccessState::Granted,
        })
    }

    async fn authorize_view(&self, who: &Principal, id: SessionId) -> Result<()> {
        self.admit(who).await?;
        Ok(policy::authorize(who, &Action::See(&self.session(id).await?))?)
    }

    pub(super) async fn enter_registry(&self, socket: OpenSocket) -> Result<SocketRegistration> {
        // Made before the socket is entered, so that it is removed also when the caller is cancelled meanwhile.
        let registration = SocketRegistration { registry: Arc::clone(&self.ports.sockets), socket };
        self.ports.sockets.enter(&registration.socket, self.rules.sockets).await?;
        Ok(registration)
    }
}

impl SessionSubscription {
    /// The socket's id.
    pub fn socket_id(&self) -> SocketId {
        self.registration.socket.id
    }

    /// The session.
    pub fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// The subscriber.
    pub fn viewer(&self) -> &Principal {
        &self.viewer
    }

    /// How the subscription began.
    pub fn outcome(&self) -> &SubscribeOutcome {
        &self.outcome
    }

    /// Whether access was granted on a state of the session from before this event. The grant has taken an older event
    /// into account.
    pub fn was_granted_before(&self, seq: Seq) -> bool {
        self.granted_at < seq
    }

    /// The next item; see [`EventStream::poll_next`].
    ///
    /// An event of the session is returned even when it ends the viewer's access, so that they learn why.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<StreamItem>> {
        if let Some(reason) = self.access.close_reason() {
            return Poll::Ready(Ok(StreamItem::Closed(reason)));
        }
        if let Poll::Ready(reason) = self.poll_person_closed(context) {
            return Poll::Ready(Ok(StreamItem::Closed(reason)));
        }
        let item = ready!(self.stream.poll_next(context))?;
        if let StreamItem::Event(published) = &item
            && let LiveEvent::Durable(event) = published.event()
            && self.was_granted_before(event.seq)
            && let Some(session) = event.change.session()
            && policy::authorize(&self.viewer, &Action::See(session)).is_err()
        {
            self.access = AccessState::Lost;
        }
        Poll::Ready(Ok(item))
    }

    /// Ready with `AgentDeactivated`, `SignedOut`, `Blocked`, `Replaced` or `NodeStopping` once that is the case, for a
    /// caller that cannot take events at the moment; see [`EventStream::poll_closed`].
    pub fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<StreamCloseReason> {
        match self.poll_person_closed(context) {
            Poll::Ready(reason) => Poll::Ready(reason),
            Poll::Pending => self.stream.poll_closed(context),
        }
    }

    fn poll_person_closed(&self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        self.person_socket.as_ref().map_or(Poll::Pending, |socket| socket.poll_closed(context))
    }

    /// The next item. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<StreamItem> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Continues for the same person as a newer token describes them, whose role may have changed, and checks their
    /// access as [`recheck_access`](Self::recheck_access) does.
    ///
    /// # Errors
    /// `Forbidden` when it is another person, and nothing has changed; what a store fails with.
    pub async fn renew(&mut self, viewer: Principal) -> Result<bool> {
        self.set_viewer(viewer)?;
        self.recheck_access().await
    }

    /// Continues for the same person as a newer token describes them, whose access has been checked with
    /// [`check_access`](Self::check_access).
    ///
    /// # Errors
    /// `Forbidden` when it is another person, and nothing has changed.
    pub fn set_viewer(&mut self, viewer: impl Into<Arc<Principal>>) -> Result<()> {
        let viewer = viewer.into();
        if viewer.id != self.viewer.id {
            return Err(Refusal::NotAllowed("go on with the token of another person").into());
        }
        if (viewer.role, viewer.token_issued_at) != (self.viewer.role, self.viewer.token_issued_at) {
            self.reenter(&viewer);
        }
        self.viewer = viewer;
        Ok(())
    }

    /// Judges later events by `role` if it is lower than the viewer's: a newer token has it, and a check whether they
    /// may still see the session is under way. Returns whether it is lower.
    pub fn restrict_role(&mut self, role: Role) -> bool {
        let is_lower = role < self.viewer.role;
        if is_lower {
            Arc::make_mut(&mut self.viewer).role = role;
            self.reenter(&Arc::clone(&self.viewer));
        }
        is_lower
    }

    fn reenter(&mut self, viewer: &Principal) {
        if let Some(socket) = &mut self.person_socket {
            *socket = self.service.enter_socket(viewer);
        }
    }

    /// Checks again that the viewer may see the session, by the stores and not by the events of the stream.
    ///
    /// # Errors
    /// What a store fails with. Lost access is no error: `false`, and `next` returns the reason and no more events.
    pub async fn recheck_access(&mut self) -> Result<bool> {
        let access = self.check_access(Principal::clone(&self.viewer)).await?;
        self.set_access(access);
        Ok(access == AccessState::Granted)
    }

    /// Checks by the stores whether `viewer` may see the session, for [`set_access`](Self::set_access). The check may
    /// take long; the subscription goes on meanwhile.
    ///
    /// # Errors
    /// What a store fails with. Lost access is no error.
    pub fn check_access(&self, viewer: Principal) -> impl Future<Output = Result<AccessState>> + Send + use<> {
        let (service, id) = (self.service.clone(), self.session_id());
        async move { AccessState::of(service.authorize_view(&viewer, id).await) }
    }

    /// Takes the result of a check: without access, `next` returns the reason and no more events.
    pub fn set_access(&mut self, access: AccessState) {
        if access != AccessState::Granted {
            self.access = access;
        }
    }
}
