//! The rights of a socket with many subscriptions: that of its person to be here, and that to see each session.

use std::task::{Context, Poll};

use chat_domain::ChatError;
use chat_domain::model::{Principal, Role};
use chat_domain::service::AccessState;
use tokio::time::Instant;

use super::SubscriptionSet;
use crate::socket::close_reason::SocketCloseReason;
use crate::socket::connection::SocketConnection;
use crate::socket::jobs::{JobKind, JobOutcome, in_time};
use crate::socket_protocol::CloseCode;

/// How many rights are checked at a time: those of a hundred subscriptions may be due at once.
const AT_A_TIME: usize = 8;

impl SubscriptionSet {
    /// Checks the person again if that is due. A socket without subscriptions is checked too.
    pub(super) fn check_person(
        &mut self,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        if now < self.person_check_at {
            return Ok(());
        }
        self.person_check_at = now + connection.app.settings.sockets.recheck_every;
        if !connection.app.tokens.has_key_of(self.viewer()) {
            return Err(SocketCloseReason::KeyRemoved);
        }
        if !connection.jobs.is_running(JobKind::Recheck) {
            let access = self.check_access(self.viewer().clone());
            connection.jobs.start(JobKind::Recheck, async { JobOutcome::Recheck(in_time(access).await) });
        }
        Ok(())
    }

    /// Ends the socket when the access of its person has ended, or the node stops.
    pub(super) fn check_person_socket(
        &self,
        cx: &Context<'_>,
        connection: &mut SocketConnection,
    ) -> Result<(), SocketCloseReason> {
        match self.person.poll_closed(cx) {
            Poll::Ready(reason) => {
                let reason = SocketCloseReason::of_stream(reason, connection.opened_while_draining);
                if reason.ends_access() {
                    connection.discard_queued();
                }
                Err(reason)
            }
            Poll::Pending => Ok(()),
        }
    }

    /// Checks by the stores whether a person may use the socket.
    pub(in crate::socket) fn check_access(
        &self,
        viewer: Principal,
    ) -> impl Future<Output = Result<AccessState, ChatError>> + use<> {
        self.person.check_access(viewer)
    }

    /// Takes the result of a check of the person.
    pub(in crate::socket) fn on_access(
        access: AccessState,
        connection: &mut SocketConnection,
    ) -> Result<(), SocketCloseReason> {
        let reason = match access {
            AccessState::Granted => return Ok(()),
            AccessState::Lost | AccessState::SessionGone => CloseCode::AccessLost.into(),
            AccessState::AgentDeactivated => SocketCloseReason::AgentDeactivated,
            AccessState::SignedOut => SocketCloseReason::SignedOut,
        };
        connection.discard_queued();
        Err(reason)
    }

    /// Puts a subscription among those whose right is to be checked.
    pub(super) fn want_check(&mut self, place: usize) {
        if let Some(entry) = self.entries.get_mut(place)
            && !std::mem::replace(&mut entry.wants_check, true)
        {
            self.to_check.push_back(place);
        }
    }

    /// Starts the next checks of those that are wanted.
    pub(super) fn start_checks(&mut self) {
        if self.to_check.is_empty() {
            return;
        }
        let mut running = self.entries.iter().filter(|(_, entry)| entry.is_being_checked()).count();
        while running < AT_A_TIME
            && let Some(place) = self.to_check.pop_front()
        {
            let Some(entry) = self.entries.get_mut(place) else { continue };
            // A place may be another subscription's by now, which wants none.
            if std::mem::replace(&mut entry.wants_check, false)
                && let Some(live) = entry.live()
            {
                live.recheck();
                self.woken.push(place);
                running += 1;
            }
        }
    }

    /// A newer token has come. If its role is lower, nothing more is sent of any session before the stores have said that
    /// this role may see it.
    pub(in crate::socket) fn restrict_role(&mut self, role: Role, connection: &mut SocketConnection, now: Instant) {
        if !self.person.restrict_role(role) {
            return;
        }
        for (_, entry) in &mut self.entries {
            if let Some(live) = entry.live() {
                live.restrict_to(self.person.shared_viewer(), now);
            }
        }
        self.next_due = now;
        self.restart_openings();
        self.reopen_inbox(connection);
    }

    /// The newer token of the same person counts from now on.
    pub(in crate::socket) fn renewed(
        &mut self,
        viewer: Principal,
        connection: &mut SocketConnection,
    ) -> Result<(), ChatError> {
        let role = self.viewer().role;
        self.person.set_viewer(viewer)?;
        if self.viewer().role != role {
            self.reopen_inbox(connection);
        }
        for (_, entry) in &mut self.entries {
            if let Some(live) = entry.live() {
                live.set_viewer(self.person.shared_viewer());
            }
        }
        Ok(())
    }
}
