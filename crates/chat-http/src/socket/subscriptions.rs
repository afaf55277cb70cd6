//! What a socket is subscribed to: one session, which its address names, or any number of them, which its client names.
//! The socket treats both alike.

use std::task::Context;

use chat_domain::ChatError;
use chat_domain::model::{Principal, Role, Seq, SessionId, SocketId};
use chat_domain::service::AccessState;
use futures_util::future::Either;
use tokio::time::Instant;

use super::close_reason::SocketCloseReason;
use super::connection::SocketConnection;
use super::live_subscription::{LiveSubscription, TakeOutcome};
use super::pending_watermarks::UnfinishedWatermarks;
use super::subscription_set::SubscriptionSet;
use crate::socket_protocol::{ClientFrame, ServerFrame};

/// The subscriptions of a socket.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all sockets have one, whose memory is what a node's sockets cost"
)]
pub(super) enum Subscriptions {
    /// One, given by the address of the socket; it ends with it.
    One(LiveSubscription),
    /// Those that the client has asked for.
    Many(Box<SubscriptionSet>),
}

impl Subscriptions {
    pub(super) fn socket_id(&self) -> SocketId {
        match self {
            Self::One(only) => only.subscription().socket_id(),
            Self::Many(set) => set.socket_id(),
        }
    }

    /// Whose socket it is.
    pub(super) fn viewer(&self) -> &Principal {
        match self {
            Self::One(only) => only.subscription().viewer(),
            Self::Many(set) => set.viewer(),
        }
    }

    /// The session of a socket that has one.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::One(only) => Some(only.session_id()),
            Self::Many(_) => None,
        }
    }

    /// The position that a heartbeat tells: that of the session of a socket that has one.
    pub(super) fn position(&self) -> Option<Seq> {
        match self {
            Self::One(only) => Some(only.cursor()),
            Self::Many(_) => None,
        }
    }

    pub(super) fn send_hello(&self, connection: &mut SocketConnection, now: Instant) {
        let limits = connection.hello_limits();
        let hello = match self {
            Self::One(only) => ServerFrame::hello(only.subscription(), limits),
            Self::Many(set) => ServerFrame::multiplexed_hello(set.socket_id(), set.viewer(), limits),
        };
        connection.send_frame(&hello, now);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        match self {
            Self::One(only) => only.deadline(),
            Self::Many(set) => set.deadline(),
        }
    }

    /// Does what is due by the time.
    pub(super) fn on_time(&mut self, connection: &mut SocketConnection, now: Instant) -> Result<(), SocketCloseReason> {
        match self {
            Self::One(only) => {
                if only.on_time(connection, now)?.check {
                    only.recheck();
                }
                Ok(())
            }
            Self::Many(set) => set.on_time(connection, now),
        }
    }

    /// A pong of base mode says that everything up to here has arrived.
    pub(super) fn delivered_up_to(&mut self, seq: Seq) {
        if let Self::One(only) = self {
            only.inbound.delivered_up_to(seq);
        }
    }

    /// Does what a frame of the client asks for, if it is about a session.
    pub(super) fn on_command(
        &mut self,
        frame: ClientFrame,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        match self {
            Self::One(only) => {
                only.on_command(frame, connection, now);
                Ok(())
            }
            Self::Many(set) => set.on_command(frame, connection, now),
        }
    }

    /// Starts to record what the client has said.
    pub(super) fn start_jobs(&mut self, connection: &SocketConnection, now: Instant) {
        if let Self::One(only) = self {
            only.start_jobs(connection, now);
        }
    }

    /// Takes what jobs have come to.
    pub(super) fn on_jobs(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        match self {
            Self::One(only) => only.on_jobs(cx, connection, now),
            Self::Many(set) => set.on_jobs(cx, connection, now),
        }
    }

    /// Whether something that the client has said is being recorded or shown.
    pub(super) fn is_recording(&self) -> bool {
        match self {
            Self::One(only) => only.is_recording(),
            Self::Many(set) => set.is_recording(),
        }
    }

    /// Writes events while there is room for them; `cx` is that of wakes from other threads.
    pub(super) fn take_events(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<TakeOutcome, SocketCloseReason> {
        match self {
            Self::One(only) => only.take_events(cx, connection, usize::MAX, now),
            Self::Many(set) => set.take_events(cx, connection, now),
        }
    }

    /// While there is no room for events: looks only at whether a subscription has ended.
    pub(super) fn poll_closed(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        match self {
            Self::One(only) => only.poll_closed(cx, connection),
            Self::Many(set) => set.poll_closed(cx, connection, now),
        }
    }

    /// A newer token has come, whose check is under way: with a lower role, nothing is sent under the former one.
    pub(super) fn restrict_role(&mut self, role: Role, connection: &mut SocketConnection, now: Instant) {
        match self {
            Self::One(only) => only.restrict_role(role),
            Self::Many(set) => set.restrict_role(role, connection, now),
        }
    }

    /// Checks by the stores whether the person of a newer token may use the socket.
    pub(super) fn check_access(
        &self,
        viewer: Principal,
    ) -> impl Future<Output = Result<AccessState, ChatError>> + use<> {
        match self {
            Self::One(only) => Either::Left(only.subscription().check_access(viewer)),
            Self::Many(set) => Either::Right(set.check_access(viewer)),
        }
    }

    /// Takes the result of a check of the person's access.
    pub(super) fn on_access(
        &mut self,
        access: AccessState,
        connection: &mut SocketConnection,
    ) -> Result<(), SocketCloseReason> {
        match self {
            Self::One(only) => only.on_access(access, connection),
            Self::Many(_) => SubscriptionSet::on_access(access, connection),
        }
    }

    pub(super) fn renewal_failed(&mut self, now: Instant) {
        if let Self::One(only) = self {
            only.renewal_failed(now);
        }
    }

    pub(super) fn renewal_expired(&mut self, now: Instant) {
        if let Self::One(only) = self {
            only.renewal_expired(now);
        }
    }

    /// The newer token of the same person counts from now on.
    pub(super) fn renewed(
        &mut self,
        viewer: Principal,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), ChatError> {
        match self {
            Self::One(only) => only.renewed(viewer, now),
            Self::Many(set) => set.renewed(viewer, connection),
        }
    }

    /// What is to be recorded when the socket ends.
    pub(super) fn into_unfinished(self, connection: &SocketConnection) -> UnfinishedWatermarks {
        match self {
            Self::One(only) => UnfinishedWatermarks {
                not_started: only.pending_watermarks(&connection.app).into_iter().collect(),
                running: Vec::new(),
            },
            Self::Many(set) => set.into_unfinished(connection),
        }
    }
}
