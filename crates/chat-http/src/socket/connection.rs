//! The connection of an open socket: what it writes and when, whether the peer is there, and until when its token is
//! valid. It knows no session.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chat_domain::model::{SessionId, Timestamp};
use chat_websocket::{Frame, FrameLimits, Incoming, ReceiveError, WebSocket};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::close_reason::SocketCloseReason;
use super::delivery_probe::DeliveryProbe;
use super::event_frame::text_frame;
use super::frame_budget::FrameBudget;
use super::jobs::Jobs;
use super::liveness::Liveness;
use super::token_lifetime::TokenLifetime;
use super::wake_relay::{RelayedWaker, WakeRelay};
use crate::base_url::BaseUrl;
use crate::error::ApiError;
use crate::log_text::redacted;
use crate::metering::GaugeGuard;
use crate::socket_permits::SocketPermit;
use crate::socket_protocol::{CloseCode, HelloLimits, Reference, ServerFrame, SocketMode};
use crate::state::App;

/// Events are taken while less than this waits to be written.
const QUEUED_BYTES: usize = 64 * 1024;
const QUEUED_FRAMES: usize = 64;
/// How long a pong waits for what was sent before its ping to be recorded.
const PONG_PATIENCE: Duration = Duration::from_secs(1);

/// The connection of an open socket.
pub(super) struct SocketConnection {
    /// How subscriptions wake this socket's task.
    waker: RelayedWaker,
    socket: WebSocket<TcpStream>,
    pub(super) app: App,
    pub(super) mode: SocketMode,
    pub(super) opened_at: Instant,
    pub(super) base: BaseUrl,
    pub(super) token: TokenLifetime,
    pub(super) opened_while_draining: bool,
    pub(super) liveness: Liveness,
    /// Asks with the pings of base mode what has arrived.
    pub(super) probe: DeliveryProbe,
    budget: FrameBudget,
    /// The payload of a ping that is not answered yet, and when it is at the latest. On the heap, because few clients send
    /// pings.
    pending_pong: Option<Box<(Bytes, Instant)>>,
    /// The checks of a newer token.
    pub(super) jobs: Jobs,
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

/// What a connection is made of besides its stream.
pub(super) struct ConnectionParts {
    pub(super) app: App,
    pub(super) mode: SocketMode,
    pub(super) base: BaseUrl,
    pub(super) token_expires_at: Timestamp,
    pub(super) opened_while_draining: bool,
    pub(super) permit: SocketPermit,
}

/// What was written and not yet added to the metrics.
#[derive(Default)]
struct WrittenCount {
    frames: u64,
    bytes: u64,
}

impl SocketConnection {
    pub(super) fn new(
        parts: ConnectionParts,
        stream: TcpStream,
        already_read: &BytesMut,
        relay: Arc<WakeRelay>,
        now: Instant,
    ) -> Self {
        let ConnectionParts { app, mode, base, token_expires_at, opened_while_draining, permit } = parts;
        let settings = app.settings.sockets;
        let token = TokenLifetime::new(token_expires_at, now, app.clock.now());
        let token = if mode == SocketMode::Base { token } else { token.with_warning(now) };
        Self {
            waker: RelayedWaker::new(relay),
            socket: WebSocket::new(stream, already_read, FrameLimits::default()),
            mode,
            opened_at: now,
            base,
            timer: Box::pin(sleep_until(token.deadline())),
            token,
            opened_while_draining,
            liveness: Liveness::new(settings.ping_every, now),
            probe: DeliveryProbe::default(),
            budget: FrameBudget::new(now),
            pending_pong: None,
            jobs: Jobs::default(),
            written: WrittenCount::default(),
            _open: GaugeGuard::new(app.sockets.open(mode)),
            permit,
            app,
        }
    }

    /// What remains when the socket ends: the connection, with what may still be written to it.
    pub(super) fn into_closing(self) -> ClosingSocket {
        ClosingSocket { socket: self.socket, permit: self.permit }
    }

    /// The waker that subscriptions wake the task of this context by.
    pub(super) fn subscription_waker(&mut self, cx: &Context<'_>) -> &Waker {
        self.waker.of(cx)
    }

    /// The session as frames name it: a socket that has one by its address leaves it out.
    pub(super) fn name_of(&self, session: SessionId) -> Option<SessionId> {
        (self.mode == SocketMode::Multiplexed).then_some(session)
    }

    /// What `hello` says of times and limits.
    pub(super) fn hello_limits(&self) -> HelloLimits {
        HelloLimits {
            heartbeat: self.app.settings.sockets.ping_every,
            max_frame_bytes: FrameLimits::default().frame_bytes,
            token_expires_at: self.token.expires_at(),
            now: self.app.clock.now(),
        }
    }

    /// Adds what was written to the metrics.
    pub(super) fn count_written(&mut self) {
        let WrittenCount { frames, bytes } = std::mem::take(&mut self.written);
        if frames > 0 {
            self.app.sockets.written(frames, bytes);
        }
    }

    /// Lets the task of `cx` run again at `deadline`, or when something of the connection is due before.
    pub(super) fn sleep(&mut self, cx: &mut Context<'_>, deadline: Instant) {
        let deadline = deadline.min(self.deadline());
        // A timer that is early costs one more look; setting it again costs more.
        if deadline < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn deadline(&self) -> Instant {
        let fixed = self.liveness.deadline().min(self.token.deadline());
        let pong = self.pending_pong.as_ref().map(|pong| pong.1);
        [self.probe.deadline(), pong, self.too_slow_at()].into_iter().flatten().fold(fixed, Instant::min)
    }

    fn too_slow_at(&self) -> Option<Instant> {
        self.socket.stalled_since().map(|since| Instant::from_std(since) + self.app.settings.sockets.write_limit)
    }

    /// What ends the socket by the time: its token, and a peer that takes nothing.
    pub(super) fn check_time(&mut self, now: Instant) -> Result<(), SocketCloseReason> {
        if self.token.has_ended(now, self.app.clock.now()) {
            return Err(CloseCode::TokenExpired.into());
        }
        if is_due(self.too_slow_at(), now) {
            return Err(CloseCode::TooSlow.into());
        }
        if self.token.take_warning(now) {
            self.send_frame(&ServerFrame::auth_expiring(self.token.expires_at()), now);
        }
        if is_due(self.pending_pong.as_ref().map(|pong| pong.1), now) {
            self.send_pending_pong(now);
        }
        Ok(())
    }

    /// The next frame of the peer that something has to be done for, within its budget.
    ///
    /// Bounded by the budget, and by tokio's: `poll_recv` is pending after a number of frames.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketCloseReason>> {
        self.socket.poll_recv(cx).map_err(|error| match error {
            ReceiveError::Protocol(_) => CloseCode::ProtocolError.into(),
            ReceiveError::TooLarge => CloseCode::TooLarge.into(),
            ReceiveError::InvalidUtf8 => CloseCode::InvalidText.into(),
            ReceiveError::Io(_) => SocketCloseReason::PeerGone,
        })
    }

    /// Takes a frame from the peer's budget.
    pub(super) fn spend(&mut self, now: Instant) -> Result<(), SocketCloseReason> {
        if self.budget.take(now) { Ok(()) } else { Err(CloseCode::TooManyFrames.into()) }
    }

    /// The pong says that what came before the ping is recorded. One answers all pings that wait (RFC 6455, 5.5.3), and
    /// its time runs since the first of them.
    pub(super) fn on_ping(&mut self, payload: Bytes, now: Instant) {
        let at = self.pending_pong.take().map_or(now + PONG_PATIENCE, |earlier| earlier.1);
        self.pending_pong = Some(Box::new((payload, at)));
    }

    pub(super) fn has_pending_pong(&self) -> bool {
        self.pending_pong.is_some()
    }

    pub(super) fn send_pending_pong(&mut self, now: Instant) {
        if let Some(pong) = self.pending_pong.take() {
            self.queue(Frame::pong(&pong.0), now);
        }
    }

    pub(super) fn send_ping(&mut self, now: Instant) {
        let payload = self.probe.ping();
        self.liveness.pinged(now, &self.app.settings.sockets);
        self.queue(Frame::ping(&payload), now);
    }

    pub(super) fn has_room(&self) -> bool {
        self.socket.queued_bytes() < QUEUED_BYTES && self.socket.queued_frames() < QUEUED_FRAMES
    }

    /// Writes what waits. Ready when nothing is left.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<(), SocketCloseReason>> {
        self.socket.poll_flush(cx, now.into_std()).map_err(|_| SocketCloseReason::PeerGone)
    }

    /// Drops what waits to be written.
    pub(super) fn discard_queued(&mut self) {
        self.socket.discard_queued();
    }

    /// Drops what waits to be written of a subscription: where the socket has no other, all of it.
    pub(super) fn discard_of(&mut self, tag: u32) {
        if self.mode == SocketMode::Multiplexed {
            self.socket.discard_tagged(tag);
        } else {
            self.socket.discard_queued();
        }
    }

    /// Sends what was not done, and why, in the words of the error table. `session` is the session that it is about.
    pub(super) fn send_error(
        &mut self,
        error: &ApiError,
        reference: Option<&Reference>,
        session: Option<SessionId>,
        now: Instant,
    ) {
        if let Some(cause) = error.cause() {
            let (session, code) = (session.map(tracing::field::display), error.code().as_str());
            if error.is_fault() {
                tracing::warn!(session.id = session, error.code = code, error.cause = cause, "socket request failed");
            } else {
                let cause = redacted(cause);
                tracing::debug!(session.id = session, error.code = code, error.cause = cause, "socket request refused");
            }
        }
        let session = session.and_then(|session| self.name_of(session)).map(|session| session.to_string());
        self.send_frame(&ServerFrame::error(error, reference, session), now);
    }

    /// The same about what the client takes for a session.
    pub(super) fn send_error_about(
        &mut self,
        session: &str,
        error: &ApiError,
        reference: Option<&Reference>,
        now: Instant,
    ) {
        self.send_frame(&ServerFrame::error(error, reference, Some(session.to_owned())), now);
    }

    pub(super) fn send_frame(&mut self, frame: &ServerFrame<'_>, now: Instant) {
        self.queue(text_frame(&frame.encode()), now);
    }

    /// The same for a frame of a subscription.
    pub(super) fn send_frame_of(&mut self, tag: u32, frame: &ServerFrame<'_>, now: Instant) {
        self.queue_of(tag, text_frame(&frame.encode()), now);
    }

    /// Puts a frame behind what waits to be written.
    pub(super) fn queue(&mut self, frame: Frame, now: Instant) {
        self.queue_of(0, frame, now);
    }

    /// The same for a frame of a subscription, which is dropped with what waits of that one.
    pub(super) fn queue_of(&mut self, tag: u32, frame: Frame, now: Instant) {
        self.written.frames += 1;
        self.written.bytes += frame.as_bytes().len() as u64;
        self.socket.queue_tagged(frame, tag, now.into_std());
    }
}

/// Whether this moment has come.
pub(super) fn is_due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| now >= at)
}
