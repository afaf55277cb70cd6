//! An open socket: what is due by the time, what the peer says, what the stores answer, what happens in the session.
//!
//! All of it is looked at in this order whenever anything may be ready. So nothing is written after the token's end, and
//! nothing waits for a store. A peer that reads slowly leaves events in the watch, which is bounded: they are taken out
//! only while there is room among what waits to be written. What a client of the extended mode may say is in `commands`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chat_domain::ChatError;
use chat_domain::model::{Change, LiveEvent, Principal, Published, Seq, SessionId, Timestamp};
use chat_domain::ports::Replay;
use chat_domain::service::{ChatService, SessionWatch, WatchItem};
use chat_websocket::{Broken, Frame, Incoming, Limits, WebSocket};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::CloseCode;
use super::commands::Said;
use super::connection::{End, SocketPlan};
use super::cumulative::Cumulative;
use super::delivery_probe::DeliveryProbe;
use super::frame_budget::FrameBudget;
use super::jobs::{Done, Jobs, Kind, in_time};
use super::liveness::{Due, Liveness};
use super::protocol::{Mode, ServerFrame, encode_event};
use super::wake_relay::{RelayedWaker, WakeRelay};
use crate::handlers::App;
use crate::metering::GaugeGuard;
use crate::request::BaseUrl;
use crate::state::SocketPlace;

/// Events are taken while less than this waits to be written.
const QUEUED_BYTES: usize = 64 * 1024;
const QUEUED_FRAMES: usize = 64;
/// How often events are taken and written before other tasks have their turn.
const ROUNDS: usize = 8;
/// How long to wait before the log is read again after it could not be read.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRIES: u32 = 5;
/// How long before its end a client is reminded of a newer token.
const WARNING: Duration = Duration::from_mins(1);
/// What the client acknowledges is recorded at most this often.
pub(super) const RECORD_GAP: Duration = Duration::from_secs(1);
/// How long the answer to a ping waits for what was said before the ping to be recorded.
const PONG_PATIENCE: Duration = Duration::from_secs(1);

/// An open socket and what it knows.
pub(super) struct Conversation {
    /// Dropped before the connection, so that who sees that end knows that the session is left.
    pub(super) watch: SessionWatch,
    /// How what is watched wakes this socket's task.
    waker: RelayedWaker,
    socket: WebSocket<TcpStream>,
    pub(super) app: App,
    pub(super) mode: Mode,
    opened_at: Instant,
    base: BaseUrl,
    /// The newest position that this socket has given out, or that the peer said to know when it came.
    pub(super) cursor: Seq,
    /// When the token ends, by the monotonic clock and by the wall clock. Whichever comes first counts: the former stands
    /// still while a machine is suspended, the latter may be set back.
    token_ends: Instant,
    token_expires_at: Timestamp,
    warn_at: Option<Instant>,
    pub(super) recheck_at: Instant,
    /// Whether a newer token has lowered the role, and whether the session may be seen with the lower one is being asked:
    /// no events are taken until that is known.
    pub(super) right_is_asked: bool,
    /// An event that may have taken the right away was passed over, and no recheck that began after it has finished: no
    /// events are taken until then.
    pub(super) recheck_is_owed: bool,
    /// Until then the watch is left alone, after it has failed.
    resume_watch_at: Option<Instant>,
    failures: u32,
    /// The node was about to stop already when the client came.
    late: bool,
    liveness: Liveness,
    probe: DeliveryProbe,
    budget: FrameBudget,
    pub(super) delivered: Cumulative,
    /// On the heap, because most sockets say nothing but what arrived.
    pub(super) said: Option<Box<Said>>,
    owed_pong: Option<(Bytes, Instant)>,
    pub(super) jobs: Jobs,
    written: Written,
    timer: Pin<Box<Sleep>>,
    _open: GaugeGuard<metrics::Gauge>,
    _node_place: SocketPlace,
}

/// What was written since it was counted last.
#[derive(Default)]
struct Written {
    frames: u64,
    bytes: u64,
}

/// What a peer confirmed and no store has recorded yet.
pub(super) struct Unrecorded {
    service: ChatService,
    viewer: Principal,
    session: SessionId,
    delivered: Option<Seq>,
    read: Option<Seq>,
}

impl Conversation {
    pub(super) fn new(plan: SocketPlan, stream: TcpStream, already_read: &BytesMut, relay: Arc<WakeRelay>) -> Self {
        let now = Instant::now();
        let SocketPlan { app, mode, base, watch, token_expires_at, late, node_place } = plan;
        let settings = app.settings.sockets;
        let token_ends = now + token_expires_at.since(app.clock.now());
        let opening = watch.opening();
        let cursor = match opening.replay {
            Replay::Complete { missed } => Seq::new(opening.head.get().saturating_sub(missed)),
            Replay::Fresh | Replay::Unavailable(_) => opening.head,
        };
        tracing::debug!(
            session.id = %watch.session_id(), connection.id = %watch.connection_id(), user.id = %watch.viewer().id,
            mode = ?mode, "socket opened"
        );
        let mut conversation = Self {
            waker: RelayedWaker::new(relay),
            socket: WebSocket::new(stream, already_read, Limits::default()),
            mode,
            opened_at: now,
            base,
            cursor,
            token_ends,
            token_expires_at,
            warn_at: None,
            recheck_at: now + settings.recheck_every,
            right_is_asked: false,
            recheck_is_owed: false,
            resume_watch_at: None,
            failures: 0,
            late,
            liveness: Liveness::new(settings.ping_every, settings.silence_limit, now),
            probe: DeliveryProbe::new(settings.delivery_ping_after),
            budget: FrameBudget::new(now),
            // In base mode the pings have their own rhythm, and each is asked for once.
            delivered: Cumulative::new(if mode == Mode::Extended { RECORD_GAP } else { Duration::ZERO }),
            said: None,
            owed_pong: None,
            jobs: Jobs::default(),
            written: Written::default(),
            timer: Box::pin(sleep_until(token_ends)),
            _open: GaugeGuard::new(app.sockets.open(mode)),
            _node_place: node_place,
            watch,
            app,
        };
        if mode == Mode::Extended {
            conversation.warn_before_the_end(now);
            conversation.greet(now);
        }
        conversation
    }

    fn greet(&mut self, now: Instant) {
        let (every, now_there, expires_at) =
            (self.app.settings.sockets.ping_every, self.app.clock.now(), self.token_expires_at);
        let hello = ServerFrame::hello(&self.watch, every, Limits::default().frame_bytes, expires_at, now_there);
        let hello = text(&hello.encode());
        self.queue(hello, now);
    }

    /// Ready when it is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let now = Instant::now();
        let outcome = self.advance(cx, now);
        let Written { frames, bytes } = std::mem::take(&mut self.written);
        if frames > 0 {
            self.app.sockets.written(frames, bytes);
        }
        match outcome {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        }
    }

    /// Leaves the session. What remains is the connection, with what may still be written to it, and what the peer has
    /// confirmed.
    pub(super) fn end(mut self, end: End) -> (WebSocket<TcpStream>, Option<Unrecorded>) {
        let session = self.watch.session_id();
        match end {
            End::PeerGone => self.log_end("socket lost", None),
            End::Close(code) => {
                self.log_end("socket closed", Some(code.number()));
                self.app.sockets.closed(code);
                if code == CloseCode::TokenExpired {
                    // Nothing of the session goes out after this moment.
                    self.discard_queued();
                }
            }
        }
        let read = self.said.as_ref().and_then(|said| said.read.rest());
        let delivered = self.delivered.rest();
        let unrecorded = (delivered.is_some() || read.is_some()).then(|| Unrecorded {
            service: self.app.service.clone(),
            viewer: self.watch.viewer().clone(),
            session,
            delivered,
            read,
        });
        (self.socket, unrecorded)
    }

    fn log_end(&self, what: &str, code: Option<u16>) {
        tracing::debug!(
            session.id = %self.watch.session_id(), connection.id = %self.watch.connection_id(),
            user.id = %self.watch.viewer().id, mode = ?self.mode, close.code = code,
            seconds = self.opened_at.elapsed().as_secs(), "{what}"
        );
    }

    fn advance(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        self.on_time(now)?;
        self.on_frames(cx, now)?;
        self.on_jobs(cx, now)?;
        self.on_events(cx, now)?;
        self.sleep(cx);
        Ok(())
    }

    fn sleep(&mut self, cx: &mut Context<'_>) {
        let deadline = self.deadline();
        // A timer that is early costs a look, one that is set anew costs more.
        if deadline < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(deadline);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn deadline(&self) -> Instant {
        let fixed = self.liveness.deadline().min(self.token_ends).min(self.recheck_at);
        let others = [
            self.probe.deadline(),
            self.resume_watch_at,
            self.warn_at,
            self.delivered.deadline(),
            self.said.as_ref().and_then(|said| said.read.deadline()),
            self.owed_pong.as_ref().map(|(_, at)| *at),
            self.too_slow_at(),
        ];
        others.into_iter().flatten().fold(fixed, Instant::min)
    }

    fn too_slow_at(&self) -> Option<Instant> {
        self.socket.stuck_since().map(|since| Instant::from_std(since) + self.app.settings.sockets.write_limit)
    }

    fn on_time(&mut self, now: Instant) -> Result<(), End> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if now >= self.token_ends || self.app.clock.now() >= self.token_expires_at {
            return Err(End::Close(CloseCode::TokenExpired));
        }
        if is_due(self.too_slow_at()) {
            return Err(End::Close(CloseCode::TooSlow));
        }
        if is_due(self.resume_watch_at) {
            self.resume_watch_at = None;
        }
        if is_due(self.warn_at) {
            self.warn_at = None;
            self.say(&ServerFrame::auth_expiring(self.token_expires_at), now);
        }
        if now >= self.recheck_at {
            let every = self.app.settings.sockets.recheck_every;
            self.recheck_at = now + if self.right_is_unknown() { RETRY_AFTER.min(every) } else { every };
            if !self.jobs.is_running(Kind::Recheck) {
                let right = self.watch.right_of(self.watch.viewer().clone());
                self.jobs.start(Kind::Recheck, async { Done::Recheck(in_time(right).await) });
            }
        }
        if is_due(self.owed_pong.as_ref().map(|(_, at)| *at)) {
            self.pay_pong(now);
        }
        self.start_jobs(now);
        match self.liveness.due(now) {
            Due::GiveUp => return Err(End::Close(CloseCode::Silent)),
            Due::Ping => self.sign_of_life(now),
            Due::Nothing if is_due(self.probe.deadline()) => self.ping(now),
            Due::Nothing => {}
        }
        Ok(())
    }

    /// The ping is in both modes what a peer has to answer: browsers do so by themselves.
    fn sign_of_life(&mut self, now: Instant) {
        if self.mode == Mode::Extended {
            self.say(&ServerFrame::heartbeat(self.cursor, self.app.clock.now()), now);
        }
        self.ping(now);
    }

    fn ping(&mut self, now: Instant) {
        let payload = self.probe.ping();
        self.liveness.pinged(now);
        self.queue(Frame::ping(&payload), now);
    }

    fn on_frames(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        // Bounded by the budget, and by tokio's: `poll_recv` is pending after a number of frames.
        while let Poll::Ready(received) = self.socket.poll_recv(cx) {
            match received {
                Ok(frame) => self.on_frame(frame, now)?,
                Err(Broken::Protocol(_)) => return Err(End::Close(CloseCode::ProtocolError)),
                Err(Broken::TooLarge) => return Err(End::Close(CloseCode::TooLarge)),
                Err(Broken::InvalidUtf8) => return Err(End::Close(CloseCode::InvalidText)),
                Err(Broken::Io(_)) => return Err(End::PeerGone),
            }
        }
        self.start_jobs(now);
        Ok(())
    }

    fn on_frame(&mut self, frame: Incoming, now: Instant) -> Result<(), End> {
        self.liveness.heard();
        // A pong that answers a ping is what the server asked for; all else counts.
        let asked_for = matches!(frame, Incoming::Pong(_)) && self.liveness.answered();
        if !asked_for && !self.budget.take(now) {
            return Err(End::Close(CloseCode::TooManyFrames));
        }
        match frame {
            Incoming::Ping(payload) => {
                // The answer says that what came before the ping has been worked off. One answers all that wait (RFC
                // 6455, 5.5.3), and has waited since the first of them.
                let at = self.owed_pong.take().map_or(now + PONG_PATIENCE, |(_, at)| at);
                self.owed_pong = Some((payload, at));
                Ok(())
            }
            Incoming::Pong(payload) => {
                if let Some(up_to) = self.probe.pong(&payload) {
                    self.delivered.want(up_to);
                }
                Ok(())
            }
            Incoming::Close(_) => Err(End::Close(CloseCode::Done)),
            Incoming::Fragment => Ok(()),
            // In base mode nothing that a client says in a data frame means anything.
            Incoming::Text(_) | Incoming::Binary(_) if self.mode == Mode::Base => Ok(()),
            Incoming::Text(text) => self.on_text(&text, now),
            Incoming::Binary(_) => Err(End::Close(CloseCode::Unsupported)),
        }
    }

    fn pay_pong(&mut self, now: Instant) {
        if let Some((payload, _)) = self.owed_pong.take() {
            self.queue(Frame::pong(&payload), now);
        }
    }

    fn on_jobs(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        while let Poll::Ready(done) = self.jobs.poll_next(cx) {
            self.on_done(done, now)?;
            self.start_jobs(now);
        }
        let records = [Kind::Delivered, Kind::Read, Kind::Typing];
        if self.owed_pong.is_some() && !records.into_iter().any(|kind| self.jobs.is_running(kind)) {
            self.pay_pong(now);
        }
        Ok(())
    }

    fn on_events(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        for _ in 0..ROUNDS {
            let drained = self.take_events(cx, now)?;
            match self.socket.poll_flush(cx, now.into_std()) {
                Poll::Ready(Ok(())) | Poll::Pending if drained => return Ok(()),
                Poll::Pending if !self.has_room() => return self.on_end(cx, now),
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(_)) => return Err(End::PeerGone),
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// A peer for which no events are taken, since it takes nothing or its right is in question, is replaced or sent away
    /// like every other one.
    fn on_end(&mut self, cx: &Context<'_>, now: Instant) -> Result<(), End> {
        let mut relayed = Context::from_waker(self.waker.of(cx));
        match self.watch.poll_end(&mut relayed) {
            Poll::Ready(item) => self.on_item(Ok(item), now),
            Poll::Pending => Ok(()),
        }
    }

    fn has_room(&self) -> bool {
        self.socket.queued_bytes() < QUEUED_BYTES && self.socket.queued_frames() < QUEUED_FRAMES
    }

    /// Whether there is nothing more to take for now.
    fn take_events(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, End> {
        while self.has_room() {
            if self.resume_watch_at.is_some() || self.right_is_unknown() {
                self.on_end(cx, now)?;
                return Ok(true);
            }
            let mut relayed = Context::from_waker(self.waker.of(cx));
            let Poll::Ready(item) = self.watch.poll_next(&mut relayed) else { return Ok(true) };
            self.on_item(item, now)?;
        }
        Ok(false)
    }

    fn on_item(&mut self, item: Result<WatchItem, ChatError>, now: Instant) -> Result<(), End> {
        match item {
            Ok(WatchItem::Event(published)) => {
                self.failures = 0;
                self.write_event(&published, now);
                Ok(())
            }
            Ok(WatchItem::AccessLost) => Err(End::Close(CloseCode::AccessLost)),
            Ok(WatchItem::Deactivated) => {
                self.discard_queued();
                Err(End::Close(CloseCode::AccessLost))
            }
            Ok(WatchItem::Gone) => Err(End::Close(CloseCode::Gone)),
            Ok(WatchItem::Replaced) => Err(End::Close(CloseCode::Replaced)),
            Ok(WatchItem::Ended) if self.late => Err(End::Close(CloseCode::Restarting)),
            Ok(WatchItem::Ended) => Err(End::Close(CloseCode::GoingAway)),
            Err(error) => {
                self.failures += 1;
                let session = self.watch.session_id();
                tracing::warn!(session.id = %session, error.cause = %error, "socket cannot read the event log");
                if self.failures > MAX_RETRIES {
                    return Err(End::Close(CloseCode::Overloaded));
                }
                self.resume_watch_at = Some(now + RETRY_AFTER);
                Ok(())
            }
        }
    }

    fn write_event(&mut self, published: &Published, now: Instant) {
        if let Some(frame) = self.encode(published) {
            self.queue(frame, now);
        }
        let LiveEvent::Durable(event) = published.event() else { return };
        self.cursor = self.cursor.max(event.seq);
        if matches!(event.change, Change::Unknown) {
            self.pass_over(now);
            return;
        }
        let is_of_another = event.actor != self.watch.viewer().id;
        if self.mode == Mode::Base && is_of_another && matches!(event.change, Change::Message(_)) {
            self.probe.wrote(event.seq, now);
        }
    }

    /// A change of a kind that only a newer version knows has no frame and takes its position all the same. In extended
    /// mode a heartbeat in its place moves the client past it, which else sees a gap. What has changed may be the right
    /// to see the session, so that is checked at once, and no events are taken until the result is known. A recheck that
    /// runs already may have read the session as it was before, so it is replaced.
    fn pass_over(&mut self, now: Instant) {
        if self.mode == Mode::Extended {
            self.say(&ServerFrame::heartbeat(self.cursor, self.app.clock.now()), now);
        }
        if self.watch.was_granted_before(self.cursor) {
            self.recheck_is_owed = true;
            self.recheck_now(now);
        }
    }

    /// Starts a recheck of the right in the next look at the time, in place of one that runs.
    pub(super) fn recheck_now(&mut self, now: Instant) {
        self.jobs.stop(Kind::Recheck);
        self.recheck_at = now;
    }

    /// Whether no events may be taken, because the right to see the session is being checked.
    fn right_is_unknown(&self) -> bool {
        self.right_is_asked || self.recheck_is_owed
    }

    /// The event as a frame, if it is one in this mode. One encoding serves all sockets of a mode, except where it holds
    /// an address derived from the request, or the sender's key.
    fn encode(&self, published: &Published) -> Option<Frame> {
        let event = published.event();
        let mut apart = false;
        let mut own_key = false;
        if let LiveEvent::Durable(event) = event
            && let Change::Message(message) = &event.change
        {
            own_key = self.mode == Mode::Extended && event.key.is_some() && event.actor == self.watch.viewer().id;
            apart = own_key || (self.app.settings.public_url.is_none() && !message.attachments.is_empty());
        }
        if apart {
            return encode_event(event, self.mode, &self.base, own_key).as_deref().map(text);
        }
        let bytes = published.encoded(self.mode.form(), |event| {
            let json = encode_event(event, self.mode, &self.base, false);
            // What is no frame in this mode is kept as no bytes.
            json.as_deref().map(text).map(Frame::into_bytes).unwrap_or_default()
        });
        (!bytes.is_empty()).then(|| Frame::from_encoded(bytes))
    }

    pub(super) fn say(&mut self, frame: &ServerFrame<'_>, now: Instant) {
        self.queue(text(&frame.encode()), now);
    }

    fn queue(&mut self, frame: Frame, now: Instant) {
        self.written.frames += 1;
        self.written.bytes += frame.as_bytes().len() as u64;
        self.socket.queue(frame, now.into_std());
    }

    pub(super) fn discard_queued(&mut self) {
        let _dropped = self.socket.discard_queued();
    }

    /// Goes on with a token that ends at `expires_at`; `now_there` is the same moment as `now` by the wall clock.
    pub(super) fn renew_token(&mut self, expires_at: Timestamp, now: Instant, now_there: Timestamp) {
        self.token_ends = now + expires_at.since(now_there);
        self.token_expires_at = expires_at;
        self.warn_before_the_end(now);
    }

    /// Reminds the client in time of the end of its token.
    fn warn_before_the_end(&mut self, now: Instant) {
        self.warn_at = Some(self.token_ends.checked_sub(WARNING).map_or(now, |at| at.max(now)));
    }
}

fn text(json: &[u8]) -> Frame {
    // JSON is UTF-8 as it is made here.
    Frame::text(std::str::from_utf8(json).unwrap_or_default())
}

/// Logs that a delivery was not recorded. A refusal is no fault.
pub(super) fn note_unrecorded_delivery(session: SessionId, error: &ChatError) {
    if error.is_certain() {
        tracing::debug!(session.id = %session, error.cause = %error, "delivery not recorded");
    } else {
        tracing::warn!(session.id = %session, error.cause = %error, "delivery not recorded");
    }
}

impl Unrecorded {
    pub(super) async fn record(self) {
        let Self { service, viewer, session, delivered, read } = self;
        if let Some(up_to) = delivered
            && let Err(error) = service.mark_delivered(&viewer, session, up_to).await
        {
            note_unrecorded_delivery(session, &error);
        }
        if let Some(up_to) = read
            && let Err(error) = service.mark_read_up_to(&viewer, session, up_to).await
        {
            tracing::debug!(session.id = %session, error.cause = %error, "reading not recorded");
        }
    }
}
