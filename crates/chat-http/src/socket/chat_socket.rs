//! An open socket: what is due by the time, what the peer sends, what its jobs return, what happens in its sessions.
//!
//! All of it is looked at in this order whenever anything may be ready. So nothing is written after the token's end, and
//! nothing waits for a store. Events stay in the bounded subscription while many bytes wait to be written.

mod renewal;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use chat_websocket::Incoming;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::close_reason::SocketCloseReason;
use super::connection::{ClosingSocket, ConnectionParts, SocketConnection, is_due};
use super::jobs::JobOutcome;
use super::live_subscription::{LiveSubscription, TakeOutcome};
use super::liveness::LivenessAction;
use super::pending_watermarks::UnfinishedWatermarks;
use super::plan::{PlannedSubscriptions, SocketPlan};
use super::subscription_set::SubscriptionSet;
use super::subscriptions::Subscriptions;
use super::wake_relay::WakeRelay;
use crate::socket_protocol::{ClientCommand, CloseCode, ServerFrame, SocketMode, parse_client_frame};

/// How often events are taken and written before other tasks have their turn.
const ROUNDS: usize = 8;

/// An open socket and what it knows.
pub(super) struct ChatSocket {
    /// Dropped before the connection, so that a client that sees the connection end knows that they have ended.
    subscriptions: Subscriptions,
    connection: SocketConnection,
}

impl ChatSocket {
    pub(super) fn new(plan: SocketPlan, stream: TcpStream, already_read: &BytesMut, relay: Arc<WakeRelay>) -> Self {
        let now = Instant::now();
        let SocketPlan { app, mode, base, subscriptions, token_expires_at, opened_while_draining, permit } = plan;
        let parts = ConnectionParts { app, mode, base, token_expires_at, opened_while_draining, permit };
        let connection = SocketConnection::new(parts, stream, already_read, relay, now);
        let subscriptions = match subscriptions {
            PlannedSubscriptions::One(subscription) => {
                Subscriptions::One(LiveSubscription::new(subscription, mode, &connection.app, now))
            }
            PlannedSubscriptions::Many(person) => {
                Subscriptions::Many(Box::new(SubscriptionSet::new(person, &connection, now)))
            }
        };
        let mut socket = Self { subscriptions, connection };
        socket.log("socket opened", None);
        if mode != SocketMode::Base {
            socket.subscriptions.send_hello(&mut socket.connection, now);
        }
        socket
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

    /// Ends the subscriptions. What remains is the connection, with what may still be written to it, and what the client
    /// has confirmed.
    pub(super) fn close(mut self, reason: SocketCloseReason) -> (ClosingSocket, UnfinishedWatermarks) {
        match reason.code() {
            None => self.log("socket lost", Some(reason)),
            Some(code) => {
                self.log("socket closed", Some(reason));
                self.connection.app.sockets.closed(code);
                if code == CloseCode::TokenExpired {
                    // Nothing of any session is sent after this moment.
                    self.connection.discard_queued();
                }
            }
        }
        let Self { subscriptions, connection } = self;
        let pending = if reason.ends_access() {
            UnfinishedWatermarks::default()
        } else {
            subscriptions.into_unfinished(&connection)
        };
        (connection.into_closing(), pending)
    }

    fn log(&self, message: &str, end: Option<SocketCloseReason>) {
        let code = end.and_then(SocketCloseReason::code).map(CloseCode::number);
        tracing::debug!(
            session.id = self.subscriptions.session().map(tracing::field::display),
            socket.id = %self.subscriptions.socket_id(), user.id = %self.subscriptions.viewer().id,
            mode = ?self.connection.mode, close.code = code, close.reason = end.map(SocketCloseReason::text),
            seconds = self.connection.opened_at.elapsed().as_secs(), "{message}"
        );
    }

    fn advance(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        self.on_time(now)?;
        self.on_frames(cx, now)?;
        self.on_jobs(cx, now)?;
        self.on_events(cx, now)?;
        self.connection.sleep(cx, self.subscriptions.deadline());
        Ok(())
    }

    fn on_time(&mut self, now: Instant) -> Result<(), SocketCloseReason> {
        self.connection.check_time(now)?;
        self.subscriptions.on_time(&mut self.connection, now)?;
        match self.connection.liveness.due(now) {
            LivenessAction::GiveUp => return Err(CloseCode::Silent.into()),
            LivenessAction::Ping => self.send_heartbeat_and_ping(now),
            LivenessAction::Nothing if is_due(self.connection.probe.deadline(), now) => self.connection.send_ping(now),
            LivenessAction::Nothing => {}
        }
        Ok(())
    }

    /// In all modes the peer has to answer the ping, which browsers do without help of the page.
    fn send_heartbeat_and_ping(&mut self, now: Instant) {
        if self.connection.mode != SocketMode::Base {
            let wall_now = self.connection.app.clock.now();
            let heartbeat = match self.subscriptions.position() {
                Some(seq) => ServerFrame::heartbeat(seq, wall_now),
                None => ServerFrame::Alive { now: wall_now },
            };
            self.connection.send_frame(&heartbeat, now);
        }
        self.connection.send_ping(now);
    }

    fn on_frames(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        while let Poll::Ready(frame) = self.connection.poll_frame(cx) {
            self.on_frame(frame?, now)?;
        }
        self.subscriptions.start_jobs(&self.connection, now);
        Ok(())
    }

    fn on_frame(&mut self, frame: Incoming, now: Instant) -> Result<(), SocketCloseReason> {
        self.connection.liveness.heard();
        // A pong that answers a ping of the server is free; every other frame counts.
        let is_free = matches!(frame, Incoming::Pong(_)) && self.connection.liveness.answered();
        // On a socket of many sessions some have a budget of their own, which the text decides.
        let is_for_later = self.connection.mode == SocketMode::Multiplexed && matches!(frame, Incoming::Text(_));
        if !is_free && !is_for_later {
            self.connection.spend(now)?;
        }
        match frame {
            Incoming::Ping(payload) => self.connection.on_ping(payload, now),
            Incoming::Pong(payload) => {
                if let Some(up_to) = self.connection.probe.pong(&payload) {
                    self.subscriptions.delivered_up_to(up_to);
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
        let frame = parse_client_frame(text, self.connection.mode)?;
        let has_own_budget = matches!(
            frame.command,
            ClientCommand::Subscribe(_) | ClientCommand::Unsubscribe | ClientCommand::OpenInbox(..)
        );
        if self.connection.mode == SocketMode::Multiplexed && !has_own_budget {
            self.connection.spend(now)?;
        }
        match frame.command {
            ClientCommand::Auth(token) => {
                self.renew(token, frame.reference, now);
                Ok(())
            }
            _ => self.subscriptions.on_command(frame, &mut self.connection, now),
        }
    }

    fn on_jobs(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        while let Poll::Ready(outcome) = self.connection.jobs.poll_next(cx) {
            match outcome {
                JobOutcome::TokenCheck(check) => self.on_token_check(*check, now),
                JobOutcome::Renewal(renewal, right) => {
                    let (token, reference) = *renewal;
                    self.on_renewal(token, reference.as_ref(), right, now)?;
                }
                JobOutcome::Recheck(Ok(access)) => self.subscriptions.on_access(access, &mut self.connection)?,
                JobOutcome::Recheck(Err(error)) => {
                    let socket = self.subscriptions.socket_id();
                    tracing::warn!(socket.id = %socket, error.cause = %error, "recheck failed");
                }
                // Jobs of subscriptions.
                JobOutcome::Delivered(..) | JobOutcome::Read(..) | JobOutcome::Typing(..) => {}
            }
        }
        self.subscriptions.on_jobs(cx, &mut self.connection, now)?;
        if self.connection.has_pending_pong() && !self.subscriptions.is_recording() {
            self.connection.send_pending_pong(now);
        }
        Ok(())
    }

    fn on_events(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), SocketCloseReason> {
        let waker = self.connection.subscription_waker(cx).clone();
        let mut relayed = Context::from_waker(&waker);
        for _ in 0..ROUNDS {
            let taken = self.subscriptions.take_events(&mut relayed, &mut self.connection, now)?;
            match self.connection.poll_flush(cx, now)? {
                _ if taken == TakeOutcome::Empty => return Ok(()),
                Poll::Pending if !self.connection.has_room() => {
                    return self.subscriptions.poll_closed(&mut relayed, &mut self.connection, now);
                }
                Poll::Ready(()) | Poll::Pending => {}
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }
}
