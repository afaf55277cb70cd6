//! An open socket: what is due by the time, what the peer sends, what its jobs return, what happens in the session.
//!
//! All of it is looked at in this order whenever anything may be ready. So nothing is written after the token's end, and
//! nothing waits for a store. Events stay in the bounded subscription while many bytes wait to be written.

mod renewal;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use chat_websocket::{FrameLimits, Incoming};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::close_reason::SocketCloseReason;
use super::connection::{ClosingSocket, ConnectionParts, SocketConnection, is_due};
use super::inbound::InboundAction;
use super::jobs::JobOutcome;
use super::live_subscription::{LiveSubscription, Taken};
use super::liveness::LivenessAction;
use super::plan::SocketPlan;
use super::unrecorded::Unrecorded;
use super::wake_relay::WakeRelay;
use crate::rate_limits::PersonalRate;
use crate::socket_protocol::{CloseCode, ServerFrame, SocketMode};

/// How often events are taken and written before other tasks have their turn.
const ROUNDS: usize = 8;

/// An open socket and what it knows.
pub(super) struct ChatSocket {
    /// Dropped before the connection, so that a client that sees the connection end knows that the subscription has ended.
    subscription: LiveSubscription,
    connection: SocketConnection,
}

impl ChatSocket {
    pub(super) fn new(plan: SocketPlan, stream: TcpStream, already_read: &BytesMut, relay: Arc<WakeRelay>) -> Self {
        let now = Instant::now();
        let SocketPlan { app, mode, base, watch, token_expires_at, opened_while_draining, permit } = plan;
        tracing::debug!(
            session.id = %watch.session_id(), connection.id = %watch.socket_id(), user.id = %watch.viewer().id,
            mode = ?mode, "socket opened"
        );
        let subscription = LiveSubscription::new(watch, mode, &app, now);
        let parts = ConnectionParts { app, mode, base, token_expires_at, opened_while_draining, permit };
        let connection = SocketConnection::new(parts, stream, already_read, relay, now);
        let mut socket = Self { subscription, connection };
        if mode == SocketMode::Extended {
            socket.send_hello(now);
        }
        socket
    }

    fn send_hello(&mut self, now: Instant) {
        let app = &self.connection.app;
        let (every, wall_now) = (app.settings.sockets.ping_every, app.clock.now());
        let frame_bytes = FrameLimits::default().frame_bytes;
        let expires_at = self.connection.token.expires_at();
        let hello = ServerFrame::hello(self.subscription.watch(), every, frame_bytes, expires_at, wall_now);
        self.connection.send_frame(&hello, now);
    }

    /// Ready when the socket ends.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SocketCloseReason> {
        let now = Instant::now();
        let outcome = self.advance(cx, now);
        self.connection.count_written();
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
                self.connection.app.sockets.closed(code);
                if code == CloseCode::TokenExpired {
                    // Nothing of the session is sent after this moment.
                    self.connection.discard_queued();
                }
            }
        }
        let Self { subscription, connection } = self;
        let unrecorded = if reason.ends_access() { None } else { subscription.unrecorded(&connection.app) };
        drop(subscription);
        (connection.into_closing(), unrecorded)
    }

    fn log_end(&self, message: &str, reason: SocketCloseReason) {
        let code = reason.code().map(CloseCode::number);
        let watch = self.subscription.watch();
        tracing::debug!(
            session.id = %watch.session_id(), connection.id = %watch.socket_id(), user.id = %watch.viewer().id,
            mode = ?self.connection.mode, close.code = code, close.reason = reason.text(),
            seconds = self.connection.opened_at.elapsed().as_secs(), "{message}"
        );
    }

    fn advance(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        self.on_time(now)?;
        self.on_frames(cx, now)?;
        self.on_jobs(cx, now)?;
        self.on_events(cx, now)?;
        self.connection.sleep(cx, self.subscription.deadline());
        Ok(())
    }

    fn on_time(&mut self, now: Instant) -> Result<(), SocketCloseReason> {
        self.connection.check_time(now)?;
        if self.subscription.on_time(&self.connection, now)? {
            self.subscription.recheck();
        }
        match self.connection.liveness.due(now) {
            LivenessAction::GiveUp => return Err(CloseCode::Silent.into()),
            LivenessAction::Ping => self.send_heartbeat_and_ping(now),
            LivenessAction::Nothing if is_due(self.connection.probe.deadline(), now) => self.connection.send_ping(now),
            LivenessAction::Nothing => {}
        }
        Ok(())
    }

    /// In both modes the peer has to answer the ping, which browsers do without help of the page.
    fn send_heartbeat_and_ping(&mut self, now: Instant) {
        if self.connection.mode == SocketMode::Extended {
            let heartbeat = ServerFrame::heartbeat(self.subscription.cursor(), self.connection.app.clock.now());
            self.connection.send_frame(&heartbeat, now);
        }
        self.connection.send_ping(now);
    }

    fn on_frames(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        while let Poll::Ready(frame) = self.connection.poll_frame(cx) {
            self.on_frame(frame?, now)?;
        }
        self.subscription.start_jobs(&self.connection, now);
        Ok(())
    }

    fn on_frame(&mut self, frame: Incoming, now: Instant) -> Result<(), SocketCloseReason> {
        self.connection.liveness.heard();
        // A pong that answers a ping of the server is free; every other frame counts.
        let is_free = matches!(frame, Incoming::Pong(_)) && self.connection.liveness.answered();
        if !is_free {
            self.connection.spend(now)?;
        }
        match frame {
            Incoming::Ping(payload) => self.connection.on_ping(payload, now),
            Incoming::Pong(payload) => {
                if let Some(up_to) = self.connection.probe.pong(&payload) {
                    self.subscription.inbound.delivered_up_to(up_to);
                }
            }
            Incoming::Close(_) => return Err(CloseCode::Done.into()),
            Incoming::Fragment => {}
            // In base mode the data frames of a client are ignored.
            Incoming::Text(_) | Incoming::Binary(_) if self.connection.mode == SocketMode::Base => {}
            Incoming::Text(text) => return self.on_text(&text, now),
            Incoming::Binary(_) => return Err(CloseCode::Unsupported.into()),
        }
        Ok(())
    }

    fn on_text(&mut self, text: &str, now: Instant) -> Result<(), SocketCloseReason> {
        let subscription = &mut self.subscription;
        let (rates, sent_up_to) = (&self.connection.app.rates, subscription.cursor());
        let viewer = subscription.watch().viewer().id.clone();
        let typing = || rates.check(PersonalRate::Typing, &viewer);
        match subscription.inbound.on_text(text, sent_up_to, typing)? {
            InboundAction::None => {}
            InboundAction::Refuse(error, reference) => {
                self.connection.send_error(&error, reference.as_ref(), Some(subscription.session_id()), now);
            }
            InboundAction::Renew(token, reference) => self.renew(token, reference, now),
        }
        Ok(())
    }

    fn on_jobs(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        while let Poll::Ready(outcome) = self.connection.jobs.poll_next(cx) {
            match outcome {
                JobOutcome::TokenCheck(check) => self.on_token_check(*check, now),
                JobOutcome::Renewal(renewal, right) => {
                    let (token, reference) = *renewal;
                    self.on_renewal(token, reference.as_ref(), right, now)?;
                }
                // Jobs of the subscription.
                JobOutcome::Recheck(_) | JobOutcome::Delivered(..) | JobOutcome::Read(..) | JobOutcome::Typing(..) => {}
            }
        }
        self.subscription.on_jobs(cx, &mut self.connection, now)?;
        if !self.subscription.is_recording() {
            self.connection.send_pending_pong(now);
        }
        Ok(())
    }

    fn on_events(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        let waker = self.connection.subscription_waker(cx).clone();
        let mut relayed = Context::from_waker(&waker);
        for _ in 0..ROUNDS {
            let taken = self.subscription.take_events(&mut relayed, &mut self.connection, usize::MAX, now)?;
            match self.connection.poll_flush(cx, now)? {
                _ if taken == Taken::All => return Ok(()),
                Poll::Pending if !self.connection.has_room() => {
                    return self.subscription.poll_closed(&mut relayed, &mut self.connection);
                }
                Poll::Ready(()) | Poll::Pending => {}
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }
}
