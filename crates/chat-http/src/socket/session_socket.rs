//! An open socket: what is due by the time, what the peer sends, what its jobs return, what happens in the session.
//!
//! All of it is looked at in this order whenever anything may be ready. So nothing is written after the token's end, and
//! nothing waits for a store. Events stay in the bounded subscription while many bytes wait to be written.

mod renewal;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chat_domain::ChatError;
use chat_domain::error::Refusal;
use chat_domain::model::{EventChange, LiveEvent, Seq};
use chat_domain::ports::{Replay, SharedEvent, StreamCloseReason, StreamItem};
use chat_domain::service::{AccessState, SessionSubscription};
use chat_websocket::{Frame, FrameLimits, Incoming, ReceiveError, WebSocket};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::access_check::AccessCheck;
use super::close_reason::SocketCloseReason;
use super::delivery_probe::DeliveryProbe;
use super::event_frame::{Recipient, event_frame, text_frame};
use super::frame_budget::FrameBudget;
use super::inbound::{FailedRequest, InboundAction, InboundState};
use super::jobs::{JobKind, JobOutcome, Jobs, in_time};
use super::liveness::{Liveness, LivenessAction};
use super::plan::SocketPlan;
use super::times::RETRY_AFTER;
use super::token_lifetime::TokenLifetime;
use super::unrecorded::{Unrecorded, log_unrecorded_delivery};
use super::wake_relay::{RelayedWaker, WakeRelay};
use crate::base_url::BaseUrl;
use crate::error::ApiError;
use crate::log_text::redacted;
use crate::metering::GaugeGuard;
use crate::rate_limits::PersonalRate;
use crate::socket_permits::SocketPermit;
use crate::socket_protocol::{CloseCode, Reference, ServerFrame, SocketMode};
use crate::state::App;

/// Events are taken while less than this waits to be written.
const QUEUED_BYTES: usize = 64 * 1024;
const QUEUED_FRAMES: usize = 64;
/// How often events are taken and written before other tasks have their turn.
const ROUNDS: usize = 8;
/// How often the event log is read again in vain before the socket is closed.
const MAX_RETRIES: u32 = 5;
/// How long a pong waits for what was sent before its ping to be recorded.
const PONG_PATIENCE: Duration = Duration::from_secs(1);

/// An open socket and what it knows.
pub(super) struct SessionSocket {
    /// Dropped before the connection, so that a client that sees the connection end knows that the subscription has ended.
    watch: SessionSubscription,
    /// How the subscription wakes this socket's task.
    waker: RelayedWaker,
    socket: WebSocket<TcpStream>,
    app: App,
    mode: SocketMode,
    opened_at: Instant,
    base: BaseUrl,
    /// The newest position that was sent on this socket, or that the client had when it connected.
    cursor: Seq,
    token: TokenLifetime,
    access: AccessCheck,
    /// No events are taken until then, because the event log could not be read.
    resume_watch_at: Option<Instant>,
    read_failures: u32,
    opened_while_draining: bool,
    liveness: Liveness,
    probe: DeliveryProbe,
    budget: FrameBudget,
    inbound: InboundState,
    /// The payload of a ping that is not answered yet, and when it is at the latest.
    pending_pong: Option<(Bytes, Instant)>,
    jobs: Jobs,
    written: WrittenCount,
    timer: Pin<Box<Sleep>>,
    _open: GaugeGuard<metrics::Gauge>,
    permit: SocketPermit,
}

/// A socket of which only the closing handshake is left. Its stream is open until then, and it keeps its permit.
pub(super) struct ClosingSocket {
    /// Dropped first.
    pub(super) socket: WebSocket<TcpStream>,
    pub(super) permit: SocketPermit,
}

/// What was written and not yet added to the metrics.
#[derive(Default)]
struct WrittenCount {
    frames: u64,
    bytes: u64,
}

impl SessionSocket {
    pub(super) fn new(plan: SocketPlan, stream: TcpStream, already_read: &BytesMut, relay: Arc<WakeRelay>) -> Self {
        let now = Instant::now();
        let SocketPlan { app, mode, base, watch, token_expires_at, opened_while_draining, permit } = plan;
        let settings = app.settings.sockets;
        let token = TokenLifetime::new(token_expires_at, now, app.clock.now());
        let outcome = watch.outcome();
        let cursor = match outcome.replay {
            Replay::Complete { missed } => Seq::new(outcome.head.get().saturating_sub(missed)),
            Replay::Fresh | Replay::Unavailable(_) => outcome.head,
        };
        tracing::debug!(
            session.id = %watch.session_id(), connection.id = %watch.socket_id(), user.id = %watch.viewer().id,
            mode = ?mode, "socket opened"
        );
        let mut socket = Self {
            waker: RelayedWaker::new(relay),
            socket: WebSocket::new(stream, already_read, FrameLimits::default()),
            mode,
            opened_at: now,
            base,
            cursor,
            timer: Box::pin(sleep_until(token.deadline())),
            token,
            access: AccessCheck::new(now, settings.recheck_every),
            resume_watch_at: None,
            read_failures: 0,
            opened_while_draining,
            liveness: Liveness::new(settings.ping_every, settings.silence_limit, now),
            probe: DeliveryProbe::new(settings.delivery_ping_after),
            budget: FrameBudget::new(now),
            inbound: InboundState::new(mode),
            pending_pong: None,
            jobs: Jobs::default(),
            written: WrittenCount::default(),
            _open: GaugeGuard::new(app.sockets.open(mode)),
            permit,
            watch,
            app,
        };
        if mode == SocketMode::Extended {
            socket.token = socket.token.with_warning(now);
            socket.send_hello(now);
        }
        socket
    }

    fn send_hello(&mut self, now: Instant) {
        let (every, wall_now) = (self.app.settings.sockets.ping_every, self.app.clock.now());
        let frame_bytes = FrameLimits::default().frame_bytes;
        let hello = ServerFrame::hello(&self.watch, every, frame_bytes, self.token.expires_at(), wall_now);
        self.queue(text_frame(&hello.encode()), now);
    }

    /// Ready when the socket ends.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SocketCloseReason> {
        let now = Instant::now();
        let outcome = self.advance(cx, now);
        let WrittenCount { frames, bytes } = std::mem::take(&mut self.written);
        if frames > 0 {
            self.app.sockets.written(frames, bytes);
        }
        match outcome {
            Ok(()) => Poll::Pending,
            Err(reason) => Poll::Ready(reason),
        }
    }

    /// Ends the subscription. What remains is the connection, with what may still be written to it, and what the client
    /// has confirmed.
    pub(super) fn close(mut self, reason: SocketCloseReason) -> (ClosingSocket, Option<Unrecorded>) {
        match reason.code() {
            None => self.log_end("socket lost", reason),
            Some(code) => {
                self.log_end("socket closed", reason);
                self.app.sockets.closed(code);
                if code == CloseCode::TokenExpired {
                    // Nothing of the session is sent after this moment.
                    self.socket.discard_queued();
                }
            }
        }
        let unrecorded =
            if reason.ends_access() { None } else { self.inbound.unrecorded(&self.app.service, &self.watch) };
        (ClosingSocket { socket: self.socket, permit: self.permit }, unrecorded)
    }

    fn log_end(&self, message: &str, reason: SocketCloseReason) {
        let code = reason.code().map(CloseCode::number);
        tracing::debug!(
            session.id = %self.watch.session_id(), connection.id = %self.watch.socket_id(),
            user.id = %self.watch.viewer().id, mode = ?self.mode, close.code = code, close.reason = reason.text(),
            seconds = self.opened_at.elapsed().as_secs(), "{message}"
        );
    }

    fn advance(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        self.on_time(now)?;
        self.on_frames(cx, now)?;
        self.on_jobs(cx, now)?;
        self.on_events(cx, now)?;
        self.sleep(cx);
        Ok(())
    }

    fn sleep(&mut self, cx: &mut Context<'_>) {
        let deadline = self.deadline();
        // A timer that is early costs one more look; setting it again costs more.
        if deadline < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn deadline(&self) -> Instant {
        let fixed = self.liveness.deadline().min(self.token.deadline()).min(self.access.deadline());
        let others = [
            self.probe.deadline(),
            self.resume_watch_at,
            self.inbound.deadline(),
            self.pending_pong.as_ref().map(|(_, at)| *at),
            self.too_slow_at(),
        ];
        others.into_iter().flatten().fold(fixed, Instant::min)
    }

    fn too_slow_at(&self) -> Option<Instant> {
        self.socket.stalled_since().map(|since| Instant::from_std(since) + self.app.settings.sockets.write_limit)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), SocketCloseReason> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if self.token.has_ended(now, self.app.clock.now()) {
            return Err(CloseCode::TokenExpired.into());
        }
        if is_due(self.too_slow_at()) {
            return Err(CloseCode::TooSlow.into());
        }
        if is_due(self.resume_watch_at) {
            self.resume_watch_at = None;
        }
        if self.token.take_warning(now) {
            self.send_frame(&ServerFrame::auth_expiring(self.token.expires_at()), now);
        }
        let recheck_is_due = self.access.take_due(now, self.app.settings.sockets.recheck_every);
        if recheck_is_due && !self.app.tokens.has_key_of(self.watch.viewer()) {
            return Err(SocketCloseReason::KeyRemoved);
        }
        if recheck_is_due && !self.jobs.is_running(JobKind::Recheck) {
            let right = self.watch.check_access(self.watch.viewer().clone());
            self.jobs.start(JobKind::Recheck, async { JobOutcome::Recheck(in_time(right).await) });
        }
        if is_due(self.pending_pong.as_ref().map(|(_, at)| *at)) {
            self.send_pending_pong(now);
        }
        self.start_jobs(now);
        match self.liveness.due(now) {
            LivenessAction::GiveUp => return Err(CloseCode::Silent.into()),
            LivenessAction::Ping => self.send_heartbeat_and_ping(now),
            LivenessAction::Nothing if is_due(self.probe.deadline()) => self.send_ping(now),
            LivenessAction::Nothing => {}
        }
        Ok(())
    }

    /// In both modes the peer has to answer the ping, which browsers do without help of the page.
    fn send_heartbeat_and_ping(&mut self, now: Instant) {
        if self.mode == SocketMode::Extended {
            self.send_heartbeat(now);
        }
        self.send_ping(now);
    }

    fn send_heartbeat(&mut self, now: Instant) {
        self.send_frame(&ServerFrame::heartbeat(self.cursor, self.app.clock.now()), now);
    }

    fn send_ping(&mut self, now: Instant) {
        let payload = self.probe.ping();
        self.liveness.pinged(now);
        self.queue(Frame::ping(&payload), now);
    }

    fn on_frames(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        // Bounded by the budget, and by tokio's: `poll_recv` is pending after a number of frames.
        while let Poll::Ready(received) = self.socket.poll_recv(cx) {
            match received {
                Ok(frame) => self.on_frame(frame, now)?,
                Err(ReceiveError::Protocol(_)) => return Err(CloseCode::ProtocolError.into()),
                Err(ReceiveError::TooLarge) => return Err(CloseCode::TooLarge.into()),
                Err(ReceiveError::InvalidUtf8) => return Err(CloseCode::InvalidText.into()),
                Err(ReceiveError::Io(_)) => return Err(SocketCloseReason::PeerGone),
            }
        }
        self.start_jobs(now);
        Ok(())
    }

    fn on_frame(&mut self, frame: Incoming, now: Instant) -> Result<(), SocketCloseReason> {
        self.liveness.heard();
        // A pong that answers a ping of the server is free; every other frame counts.
        let is_free = matches!(frame, Incoming::Pong(_)) && self.liveness.answered();
        if !is_free && !self.budget.take(now) {
            return Err(CloseCode::TooManyFrames.into());
        }
        match frame {
            Incoming::Ping(payload) => {
                // The pong says that what came before the ping is recorded. One answers all pings that wait (RFC 6455,
                // 5.5.3), and its time runs since the first of them.
                let at = self.pending_pong.take().map_or(now + PONG_PATIENCE, |(_, at)| at);
                self.pending_pong = Some((payload, at));
                Ok(())
            }
            Incoming::Pong(payload) => {
                if let Some(up_to) = self.probe.pong(&payload) {
                    self.inbound.delivered_up_to(up_to);
                }
                Ok(())
            }
            Incoming::Close(_) => Err(CloseCode::Done.into()),
            Incoming::Fragment => Ok(()),
            // In base mode the data frames of a client are ignored.
            Incoming::Text(_) | Incoming::Binary(_) if self.mode == SocketMode::Base => Ok(()),
            Incoming::Text(text) => self.on_text(&text, now),
            Incoming::Binary(_) => Err(CloseCode::Unsupported.into()),
        }
    }

    fn on_text(&mut self, text: &str, now: Instant) -> Result<(), SocketCloseReason> {
        let typing = || self.app.rates.check(PersonalRate::Typing, &self.watch.viewer().id);
        match self.inbound.on_text(text, self.cursor, typing)? {
            InboundAction::None => {}
            InboundAction::Refuse(error, reference) => self.send_error(&error, reference.as_ref(), now),
            InboundAction::Renew(token, reference) => self.renew(token, reference, now),
        }
        Ok(())
    }

    fn start_jobs(&mut self, now: Instant) {
        self.inbound.start_jobs(&mut self.jobs, &self.app.service, &self.watch, now);
    }

    fn on_jobs(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        while let Poll::Ready(outcome) = self.jobs.poll_next(cx) {
            self.on_outcome(outcome, now)?;
            self.start_jobs(now);
        }
        if !self.jobs.is_recording() {
            self.send_pending_pong(now);
        }
        Ok(())
    }

    fn send_pending_pong(&mut self, now: Instant) {
        if let Some((payload, _)) = self.pending_pong.take() {
            self.queue(Frame::pong(&payload), now);
        }
    }

    fn on_outcome(&mut self, outcome: JobOutcome, now: Instant) -> Result<(), SocketCloseReason> {
        match outcome {
            JobOutcome::Recheck(Ok(right)) => return self.on_right(right),
            JobOutcome::Recheck(Err(error)) => {
                let session = self.watch.session_id();
                tracing::warn!(session.id = %session, error.cause = %error, "recheck failed");
            }
            JobOutcome::TokenCheck(check) => self.on_token_check(*check, now),
            JobOutcome::Renewal(renewal, right) => {
                let (token, reference) = *renewal;
                return self.on_renewal(token, reference.as_ref(), right, now);
            }
            // Sooner than the directory is looked at. What was refused is not recorded when the socket has ended either: the
            // agent may be active again by then.
            JobOutcome::Delivered(_, Err(ChatError::Forbidden(Refusal::AgentDeactivated)))
            | JobOutcome::Read(_, Err(ChatError::Forbidden(Refusal::AgentDeactivated))) => {
                self.watch.set_access(AccessState::Lost);
                return Err(self.on_stream_closed(StreamCloseReason::AgentDeactivated));
            }
            JobOutcome::Delivered(up_to, outcome) => match self.inbound.on_delivered(up_to, outcome, now) {
                Some((error, _)) if self.mode == SocketMode::Base => {
                    log_unrecorded_delivery(self.watch.session_id(), &error);
                }
                failed => self.report(failed, now),
            },
            JobOutcome::Read(up_to, outcome) => {
                let failed = self.inbound.on_read(up_to, outcome, now);
                self.report(failed, now);
            }
            JobOutcome::Typing(reference, outcome) => self.report(outcome.err().map(|error| (error, reference)), now),
        }
        Ok(())
    }

    fn on_right(&mut self, access: AccessState) -> Result<(), SocketCloseReason> {
        self.watch.set_access(access);
        let reason = match access {
            AccessState::Granted => {
                self.access.confirmed(self.jobs.is_running(JobKind::Renewal));
                return Ok(());
            }
            AccessState::Lost => CloseCode::AccessLost.into(),
            AccessState::SignedOut => SocketCloseReason::SignedOut,
            AccessState::SessionGone => CloseCode::Gone.into(),
        };
        // It is unknown since when: the queue may hold what the viewer had no right to see any more.
        self.socket.discard_queued();
        Err(reason)
    }

    fn on_events(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        for _ in 0..ROUNDS {
            let drained = self.take_events(cx, now)?;
            match self.socket.poll_flush(cx, now.into_std()) {
                Poll::Ready(Ok(())) | Poll::Pending if drained => return Ok(()),
                Poll::Pending if !self.has_room() => return self.on_watch_end(cx),
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(_)) => return Err(SocketCloseReason::PeerGone),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// Looks only at whether the subscription has ended. A socket that takes no events at the moment, since its peer reads
    /// nothing or its right is being checked, is replaced or closed like every other one.
    fn on_watch_end(&mut self, cx: &Context<'_>) -> Result<(), SocketCloseReason> {
        let mut relayed = Context::from_waker(self.waker.of(cx));
        match self.watch.poll_closed(&mut relayed) {
            Poll::Ready(reason) => Err(self.on_stream_closed(reason)),
            Poll::Pending => Ok(()),
        }
    }

    fn has_room(&self) -> bool {
        self.socket.queued_bytes() < QUEUED_BYTES && self.socket.queued_frames() < QUEUED_FRAMES
    }

    /// Returns whether there is nothing more to take for now.
    fn take_events(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, SocketCloseReason> {
        while self.has_room() {
            if self.resume_watch_at.is_some() || self.access.is_pending() {
                self.on_watch_end(cx)?;
                return Ok(true);
            }
            let mut relayed = Context::from_waker(self.waker.of(cx));
            let Poll::Ready(item) = self.watch.poll_next(&mut relayed) else { return Ok(true) };
            self.on_item(item, now)?;
        }
        Ok(false)
    }

    fn on_item(&mut self, item: Result<StreamItem, ChatError>, now: Instant) -> Result<(), SocketCloseReason> {
        match item {
            Ok(StreamItem::Event(published)) => {
                self.read_failures = 0;
                self.write_event(&published, now);
                Ok(())
            }
            Ok(StreamItem::Closed(reason)) => Err(self.on_stream_closed(reason)),
            Err(error) => {
                self.read_failures += 1;
                let session = self.watch.session_id();
                tracing::warn!(session.id = %session, error.cause = %error, "socket cannot read the event log");
                if self.read_failures > MAX_RETRIES {
                    return Err(CloseCode::Overloaded.into());
                }
                self.resume_watch_at = Some(now + RETRY_AFTER);
                Ok(())
            }
        }
    }

    fn on_stream_closed(&mut self, reason: StreamCloseReason) -> SocketCloseReason {
        let reason = SocketCloseReason::of_stream(reason, self.opened_while_draining);
        if reason.ends_access() {
            self.socket.discard_queued();
        }
        reason
    }

    fn write_event(&mut self, published: &SharedEvent, now: Instant) {
        let recipient = Recipient {
            viewer: &self.watch.viewer().id,
            mode: self.mode,
            base: &self.base,
            base_is_configured: self.app.settings.public_url.is_some(),
        };
        if let Some(frame) = event_frame(published, &recipient) {
            self.queue(frame, now);
        }
        let LiveEvent::Durable(event) = published.event() else { return };
        self.cursor = self.cursor.max(event.seq);
        if matches!(event.change, EventChange::Unknown) {
            self.pass_over(now);
            return;
        }
        let is_of_another = event.actor != self.watch.viewer().id;
        if self.mode == SocketMode::Base && is_of_another && matches!(event.change, EventChange::Message(_)) {
            self.probe.wrote(event.seq, now);
        }
    }

    /// Passes over an event of a kind that only a newer version knows: it has no frame and takes its position all the same.
    /// In extended mode a heartbeat in its place moves the client past it, which would see a gap otherwise. The event may
    /// have taken the right to see the session away, so that is checked at once, and no events are sent until the result
    /// is known.
    fn pass_over(&mut self, now: Instant) {
        if self.mode == SocketMode::Extended {
            self.send_heartbeat(now);
        }
        if self.watch.was_granted_before(self.cursor) {
            self.access.require_recheck(now);
            // A recheck that runs may have read the session as it was before.
            self.jobs.stop(JobKind::Recheck);
        }
    }

    fn report(&mut self, failed: Option<FailedRequest>, now: Instant) {
        if let Some((error, reference)) = failed {
            self.send_error(&error.into(), reference.as_ref(), now);
        }
    }

    /// Sends what was not done, and why, in the words of the error table.
    fn send_error(&mut self, error: &ApiError, reference: Option<&Reference>, now: Instant) {
        if let Some(cause) = error.cause() {
            let (session, code) = (self.watch.session_id(), error.code().as_str());
            if error.is_fault() {
                tracing::warn!(session.id = %session, error.code = code, error.cause = cause, "socket request failed");
            } else {
                let cause = redacted(cause);
                tracing::debug!(session.id = %session, error.code = code, error.cause = cause, "socket request refused");
            }
        }
        self.send_frame(&ServerFrame::error(error, reference), now);
    }

    fn send_frame(&mut self, frame: &ServerFrame<'_>, now: Instant) {
        self.queue(text_frame(&frame.encode()), now);
    }

    fn queue(&mut self, frame: Frame, now: Instant) {
        self.written.frames += 1;
        self.written.bytes += frame.as_bytes().len() as u64;
        self.socket.queue(frame, now.into_std());
    }
}
