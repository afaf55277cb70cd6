//! The subscription of a socket to one session: its events as frames, the right to see them, and what the client has
//! confirmed of them. How it speaks to the client is the connection's.

use std::sync::Arc;
use std::task::{Context, Poll};

use chat_domain::ChatError;
use chat_domain::error::Refusal;
use chat_domain::model::{EventChange, LiveEvent, Principal, Role, Seq, SessionId};
use chat_domain::ports::{Replay, SharedEvent, StreamCloseReason, StreamItem};
use chat_domain::service::{AccessState, SessionSubscription};
use tokio::time::Instant;

use super::access_check::AccessCheck;
use super::close_reason::SocketCloseReason;
use super::connection::{SocketConnection, is_due};
use super::event_frame::{Recipient, event_frame};
use super::inbound::{FailedRequest, InboundState};
use super::jobs::{JobKind, JobOutcome, Jobs, in_time};
use super::pending_watermarks::{PendingWatermarks, log_failed_delivery};
use super::times::RETRY_AFTER;
use crate::rate_limits::PersonalRate;
use crate::socket_protocol::{ClientFrame, CloseCode, ServerFrame, SocketMode};
use crate::state::App;

/// How often the event log is read again in vain before the subscription ends.
const MAX_RETRIES: u32 = 5;

/// What a socket knows of one session.
pub(super) struct LiveSubscription {
    subscription: SessionSubscription,
    /// The newest position that was sent, or that the client had when it subscribed.
    cursor: Seq,
    access: AccessCheck,
    /// No events are taken until then, because the event log could not be read.
    resume_at: Option<Instant>,
    read_failures: u32,
    pub(super) inbound: InboundState,
    /// What is being recorded and checked.
    jobs: Jobs,
    /// Of its frames that wait to be written, if the socket has other subscriptions; else 0.
    tag: u32,
}

/// What is left to do after something was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DueWork {
    /// The right is to be checked again, soon.
    pub(super) check: bool,
    /// There may be events, or the outcome of a job.
    pub(super) poll: bool,
}

/// Whether a subscription has more events to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakeOutcome {
    /// There is nothing more for now; the waker of the call is woken when there is.
    Empty,
    /// There may be more, for which there is no room, or no turn.
    More,
}

impl LiveSubscription {
    pub(super) fn new(subscription: SessionSubscription, mode: SocketMode, app: &App, now: Instant) -> Self {
        let outcome = subscription.outcome();
        let cursor = match outcome.replay {
            Replay::Complete { missed } => Seq::new(outcome.head.get().saturating_sub(missed)),
            Replay::Fresh | Replay::Unavailable(_) => outcome.head,
        };
        Self {
            subscription,
            cursor,
            access: AccessCheck::new(now, app.settings.sockets.recheck_every),
            resume_at: None,
            read_failures: 0,
            inbound: InboundState::new(mode),
            jobs: Jobs::default(),
            tag: 0,
        }
    }

    /// The same as one of several, whose frames have this tag.
    pub(super) fn with_tag(mut self, tag: u32) -> Self {
        self.tag = tag;
        self
    }

    pub(super) fn subscription(&self) -> &SessionSubscription {
        &self.subscription
    }

    pub(super) fn session_id(&self) -> SessionId {
        self.subscription.session_id()
    }

    pub(super) fn cursor(&self) -> Seq {
        self.cursor
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        let others = self.resume_at.into_iter().chain(self.inbound.deadline());
        others.fold(self.access.deadline(), Instant::min)
    }

    /// Does what is due.
    pub(super) fn on_time(
        &mut self,
        connection: &SocketConnection,
        now: Instant,
    ) -> Result<DueWork, SocketCloseReason> {
        let resumes = is_due(self.resume_at, now);
        if resumes {
            self.resume_at = None;
        }
        let is_due = self.access.take_due(now, connection.app.settings.sockets.recheck_every);
        if is_due && !connection.app.tokens.has_key_of(self.subscription.viewer()) {
            return Err(SocketCloseReason::KeyRemoved);
        }
        self.start_jobs(connection, now);
        Ok(DueWork { check: is_due && !self.is_being_checked(), poll: resumes || self.is_recording() })
    }

    pub(super) fn is_being_checked(&self) -> bool {
        self.jobs.is_running(JobKind::Recheck)
    }

    /// Checks by the stores whether the viewer may still see the session.
    pub(super) fn recheck(&mut self) {
        let right = self.subscription.check_access(self.subscription.viewer().clone());
        self.jobs.start(JobKind::Recheck, async { JobOutcome::Recheck(in_time(right).await) });
    }

    /// Starts to record and to show what the client has said.
    pub(super) fn start_jobs(&mut self, connection: &SocketConnection, now: Instant) {
        self.inbound.start_jobs(&mut self.jobs, &connection.app.service, &self.subscription, now);
    }

    /// Whether something that the client has said is being recorded or shown.
    pub(super) fn is_recording(&self) -> bool {
        self.jobs.is_recording()
    }

    /// Takes what its jobs have come to.
    pub(super) fn on_jobs(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        while let Poll::Ready(outcome) = self.jobs.poll_next(cx) {
            self.on_outcome(outcome, connection, now)?;
            self.start_jobs(connection, now);
        }
        Ok(())
    }

    fn on_outcome(
        &mut self,
        outcome: JobOutcome,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        match outcome {
            JobOutcome::Recheck(Ok(access)) => return self.on_access(access, connection),
            JobOutcome::Recheck(Err(error)) => {
                let session = self.session_id();
                tracing::warn!(session.id = %session, error.cause = %error, "recheck failed");
            }
            // Sooner than the directory is looked at.
            JobOutcome::Delivered(_, Err(ChatError::Forbidden(Refusal::AgentDeactivated)))
            | JobOutcome::Read(_, Err(ChatError::Forbidden(Refusal::AgentDeactivated))) => {
                return self.on_access(AccessState::AgentDeactivated, connection);
            }
            JobOutcome::Delivered(up_to, outcome) => match self.inbound.on_delivered(up_to, outcome, now) {
                Some((error, _)) if connection.mode == SocketMode::Base => {
                    log_failed_delivery(self.session_id(), &error);
                }
                failed => self.report(failed, connection, now),
            },
            JobOutcome::Read(up_to, outcome) => {
                let failed = self.inbound.on_read(up_to, outcome, now);
                self.report(failed, connection, now);
            }
            JobOutcome::Typing(reference, outcome) => {
                self.report(outcome.err().map(|error| (error, reference)), connection, now);
            }
            // Jobs of the connection.
            JobOutcome::TokenCheck(_) | JobOutcome::Renewal(..) => {}
        }
        Ok(())
    }

    fn report(&self, failed: Option<FailedRequest>, connection: &mut SocketConnection, now: Instant) {
        if let Some((error, reference)) = failed {
            connection.send_error(&error.into(), reference.as_ref(), Some(self.session_id()), now);
        }
    }

    /// Takes the result of a check of the right.
    pub(super) fn on_access(
        &mut self,
        access: AccessState,
        connection: &mut SocketConnection,
    ) -> Result<(), SocketCloseReason> {
        self.subscription.set_access(access);
        let reason = match access {
            AccessState::Granted => {
                self.access.confirmed(connection.jobs.is_running(JobKind::Renewal));
                return Ok(());
            }
            AccessState::Lost => CloseCode::AccessLost.into(),
            AccessState::AgentDeactivated => SocketCloseReason::AgentDeactivated,
            AccessState::SignedOut => SocketCloseReason::SignedOut,
            AccessState::SessionGone => CloseCode::Gone.into(),
        };
        // It is unknown since when: the queue may hold what the viewer had no right to see any more.
        if reason.ends_socket() {
            connection.discard_queued();
        } else {
            connection.discard_of(self.tag);
        }
        Err(reason)
    }

    /// Looks only at whether the subscription has ended. One whose events are not taken at the moment, since the peer reads
    /// nothing or the right is being checked, is replaced or closed like every other one.
    pub(super) fn poll_closed(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
    ) -> Result<(), SocketCloseReason> {
        match self.subscription.poll_closed(cx) {
            Poll::Ready(reason) => Err(on_stream_closed(reason, connection)),
            Poll::Pending => Ok(()),
        }
    }

    /// Writes at most `most` events, while there is room for them.
    pub(super) fn take_events(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut SocketConnection,
        most: usize,
        now: Instant,
    ) -> Result<TakeOutcome, SocketCloseReason> {
        for _ in 0..most {
            if !connection.has_room() {
                return Ok(TakeOutcome::More);
            }
            if self.resume_at.is_some() || self.access.is_pending() {
                self.poll_closed(cx, connection)?;
                return Ok(TakeOutcome::Empty);
            }
            let Poll::Ready(item) = self.subscription.poll_next(cx) else { return Ok(TakeOutcome::Empty) };
            self.on_item(item, connection, now)?;
        }
        Ok(TakeOutcome::More)
    }

    fn on_item(
        &mut self,
        item: Result<StreamItem, ChatError>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        match item {
            Ok(StreamItem::Event(published)) => {
                self.read_failures = 0;
                self.write_event(&published, connection, now);
                Ok(())
            }
            Ok(StreamItem::Closed(reason)) => Err(on_stream_closed(reason, connection)),
            Err(error) => {
                self.read_failures += 1;
                let session = self.session_id();
                tracing::warn!(session.id = %session, error.cause = %error, "socket cannot read the event log");
                if self.read_failures > MAX_RETRIES {
                    return Err(CloseCode::Overloaded.into());
                }
                self.resume_at = Some(now + RETRY_AFTER);
                Ok(())
            }
        }
    }

    fn write_event(&mut self, published: &SharedEvent, connection: &mut SocketConnection, now: Instant) {
        let recipient = Recipient {
            viewer: &self.subscription.viewer().id,
            mode: connection.mode,
            base: &connection.base,
            base_is_configured: connection.app.settings.public_url.is_some(),
        };
        if let Some(frame) = event_frame(published, &recipient) {
            connection.queue_of(self.tag, frame, now);
        }
        let LiveEvent::Durable(event) = published.event() else { return };
        self.cursor = self.cursor.max(event.seq);
        if matches!(event.change, EventChange::Unknown) {
            self.pass_over(connection, now);
            return;
        }
        let is_of_another = event.actor != self.subscription.viewer().id;
        if connection.mode == SocketMode::Base && is_of_another && matches!(event.change, EventChange::Message(_)) {
            connection.probe.wrote(event.seq, now, connection.app.settings.sockets.delivery_ping_after);
        }
    }

    /// Passes over an event of a kind that only a newer version knows: it has no frame and takes its position all the same.
    /// In extended mode a heartbeat in its place moves the client past it, which would see a gap otherwise. The event may
    /// have taken the right to see the session away, so that is checked at once, and no events are sent until the result
    /// is known.
    fn pass_over(&mut self, connection: &mut SocketConnection, now: Instant) {
        if connection.mode != SocketMode::Base {
            let session = connection.name_of(self.session_id());
            let passed = ServerFrame::passed(session, self.cursor, connection.app.clock.now());
            connection.send_frame_of(self.tag, &passed, now);
        }
        if self.subscription.was_granted_before(self.cursor) {
            self.require_recheck(now);
        }
    }

    /// Lets no event through until a check that begins after this moment has confirmed the right.
    fn require_recheck(&mut self, now: Instant) {
        self.access.require_recheck(now);
        // A recheck that runs may have read the session as it was before.
        self.jobs.stop(JobKind::Recheck);
    }

    /// A newer token has come, whose check is under way. With a lower role than before, nothing is sent under the former
    /// one from here on: events wait for the outcome.
    pub(super) fn restrict_role(&mut self, role: Role) {
        if self.subscription.restrict_role(role) {
            self.access.role_lowered();
            // It checks the former role.
            self.jobs.stop(JobKind::Recheck);
        }
    }

    /// A newer token has a lower role than this subscription was opened with: nothing is sent before the stores have said
    /// that this role may see the session.
    pub(super) fn restrict_to(&mut self, viewer: Arc<Principal>, now: Instant) {
        self.set_viewer(viewer);
        self.require_recheck(now);
    }

    /// Goes on for the same person as a newer token describes them.
    pub(super) fn set_viewer(&mut self, viewer: Arc<Principal>) {
        // The socket has checked that it is the same person.
        let _same_person = self.subscription.set_viewer(viewer);
    }

    /// Does what a frame of the client asks for, or reports why not.
    pub(super) fn on_command(&mut self, frame: ClientFrame, connection: &mut SocketConnection, now: Instant) {
        let typing = || connection.app.rates.check(PersonalRate::Typing, &self.subscription.viewer().id);
        let outcome = self.inbound.on_command(&frame.command, frame.reference, self.cursor, typing);
        if let Err((error, reference)) = outcome {
            connection.send_error(&error, reference.as_ref(), Some(self.session_id()), now);
        }
    }

    pub(super) fn renewal_failed(&mut self, now: Instant) {
        self.access.renewal_failed(now);
    }

    pub(super) fn renewal_expired(&mut self, now: Instant) {
        self.access.renewal_expired(now);
    }

    /// The newer token of the same person counts from now on, and its right has been checked.
    pub(super) fn renewed(&mut self, viewer: Principal, now: Instant) -> Result<(), ChatError> {
        self.subscription.set_viewer(viewer)?;
        if self.access.renewed(now) {
            self.jobs.stop(JobKind::Recheck);
        }
        Ok(())
    }

    /// What is to be recorded when the subscription ends.
    pub(super) fn pending_watermarks(&self, app: &App) -> Option<PendingWatermarks> {
        self.inbound.pending_watermarks(&app.service, &self.subscription)
    }
}

fn on_stream_closed(reason: StreamCloseReason, connection: &mut SocketConnection) -> SocketCloseReason {
    let reason = SocketCloseReason::of_stream(reason, connection.opened_while_draining);
    if reason.ends_access() {
        connection.discard_queued();
    }
    reason
}
