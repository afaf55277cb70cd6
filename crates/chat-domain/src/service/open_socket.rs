//! Open a socket that subscribes to sessions one by one.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::person_sockets::PersonSocket;
use super::subscribe_session::{SocketRegistration, SubscribeAs};
use super::{AccessState, ChatService, OpenedInbox, SessionSubscription, SubscribeOptions};
use crate::error::{Refusal, Result};
use crate::inbox::InboxView;
use crate::model::{OpenSocket, PageLimit, Principal, Role, SessionId, SocketId};
use crate::ports::StreamCloseReason;

/// A socket of a person that has no session of its own. It has an entry in the socket registry for as long as it lives.
pub struct PersonalSocket {
    service: ChatService,
    /// Shared with the subscriptions, of which there may be many.
    viewer: Arc<Principal>,
    person_socket: PersonSocket,
    registration: SocketRegistration,
}

impl ChatService {
    /// Opens a socket that has no session of its own.
    ///
    /// # Errors
    /// `LimitReached`.
    pub async fn open_socket(&self, who: &Principal) -> Result<PersonalSocket> {
        let person_socket = self.enter_socket(who);
        let id = SocketId::new(self.ports.ids.next_id());
        let socket = OpenSocket { id, session_id: None, user_id: who.id.clone(), is_subscription: false };
        let registration = self.enter_registry(socket).await?;
        Ok(PersonalSocket { service: self.clone(), viewer: Arc::new(who.clone()), person_socket, registration })
    }
}

impl PersonalSocket {
    /// The socket's id.
    pub fn socket_id(&self) -> SocketId {
        self.registration.socket_id()
    }

    /// Whose socket it is.
    pub fn viewer(&self) -> &Principal {
        &self.viewer
    }

    /// The same, to be shared with the subscriptions.
    pub fn shared_viewer(&self) -> Arc<Principal> {
        Arc::clone(&self.viewer)
    }

    /// Subscribes to a session; see [`ChatService::subscribe_session`]. The subscriptions of a socket share a bound of what
    /// waits for them. What ends the person's access closes the socket, and not its subscriptions.
    pub fn subscribe(
        &self,
        id: SessionId,
        options: SubscribeOptions,
    ) -> impl Future<Output = Result<SessionSubscription>> + Send + use<> {
        let (service, viewer, socket) = (self.service.clone(), self.shared_viewer(), self.socket_id());
        async move { service.subscribe(viewer, id, options, SubscribeAs::PartOf(socket)).await }
    }

    /// Opens the inbox of the socket's person; see [`ChatService::open_inbox`].
    pub fn open_inbox(
        &self,
        views: Vec<InboxView>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<OpenedInbox>> + Send + use<> {
        let (service, viewer) = (self.service.clone(), self.shared_viewer());
        async move { service.open_inbox(&viewer, views, limit).await }
    }

    /// Ready with `AgentDeactivated`, `SignedOut`, `Blocked` or `NodeStopping` once that is the case. Else the task of
    /// `context` is woken then.
    pub fn poll_closed(&self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        self.person_socket.poll_closed(context)
    }

    /// Checks by the stores whether `viewer` may use the service, as at the beginning of every request.
    ///
    /// # Errors
    /// What a store fails with. Lost access is no error.
    pub fn check_access(&self, viewer: Principal) -> impl Future<Output = Result<AccessState>> + Send + use<> {
        let service = self.service.clone();
        async move { AccessState::of(service.admit(&viewer).await) }
    }

    /// Continues for the same person as a newer token describes them, whose access has been checked with
    /// [`check_access`](Self::check_access).
    ///
    /// # Errors
    /// `Forbidden` when it is another person, and nothing has changed.
    pub fn set_viewer(&mut self, viewer: Principal) -> Result<()> {
        if viewer.id != self.viewer.id {
            return Err(Refusal::NotAllowed("go on with the token of another person").into());
        }
        if (viewer.role, viewer.token_issued_at) != (self.viewer.role, self.viewer.token_issued_at) {
            self.person_socket = self.service.enter_socket(&viewer);
        }
        self.viewer = Arc::new(viewer);
        Ok(())
    }

    /// Goes on with `role` if it is lower than the person's: a newer token has it. Returns whether it is lower.
    pub fn restrict_role(&mut self, role: Role) -> bool {
        let is_lower = role < self.viewer.role;
        if is_lower {
            Arc::make_mut(&mut self.viewer).role = role;
            self.person_socket = self.service.enter_socket(&self.viewer);
        }
        is_lower
    }
}
