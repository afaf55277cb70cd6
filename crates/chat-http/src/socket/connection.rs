//! One open socket: the loop that writes events, answers pings, and watches time, token and rights.

use std::time::Duration;

use actix_ws::{CloseReason, Message, MessageStream, ProtocolError, Session};
use bytestring::ByteString;
use chat_domain::ChatError;
use chat_domain::model::{Change, LiveEvent, Principal, Published, SessionId};
use chat_domain::service::{SessionWatch, WatchItem};
use tokio::time::{Instant, sleep_until, timeout};

use super::delivery_probe::DeliveryProbe;
use super::frame_budget::FrameBudget;
use super::liveness::{Due, Liveness};
use super::{CloseCode, SocketSettings};
use crate::auth::VerifiedToken;
use crate::dto::FrameDto;
use crate::handlers::App;
use crate::metering::Raised;
use crate::request::BaseUrl;

const MAX_FRAME_BYTES: usize = 16 * 1024;
/// How long the close frame itself may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How long to wait before the log is read again after it could not be read.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const MAX_RETRIES: u32 = 5;

/// An open socket and what it knows.
pub(crate) struct Socket {
    app: App,
    viewer: Principal,
    session_id: SessionId,
    watch: SessionWatch,
    base: BaseUrl,
    settings: SocketSettings,
    liveness: Liveness,
    delivery: DeliveryProbe,
    budget: FrameBudget,
    token_ends: Instant,
    recheck_at: Instant,
    /// Until then the watch is left alone, after it has failed.
    resume_watch_at: Option<Instant>,
    failures: u32,
}

/// Why the loop ends: with a close frame, or because the peer is gone.
enum End {
    Close(CloseCode),
    PeerGone,
}

impl Socket {
    pub(crate) fn new(
        app: App,
        token: VerifiedToken,
        session_id: SessionId,
        watch: SessionWatch,
        base: BaseUrl,
    ) -> Self {
        let now = Instant::now();
        let settings = app.settings.sockets;
        Self {
            viewer: token.principal,
            session_id,
            watch,
            base,
            liveness: Liveness::new(settings.ping_every, settings.silence_limit, now),
            delivery: DeliveryProbe::new(settings.delivery_ping_after),
            budget: FrameBudget::new(now),
            token_ends: now + token.expires_at.since(app.clock.now()),
            recheck_at: now + settings.recheck_every,
            resume_watch_at: None,
            failures: 0,
            settings,
            app,
        }
    }

    /// Serves the socket until one side ends it.
    pub(crate) async fn run(mut self, mut outgoing: Session, incoming: MessageStream) {
        let _open = Raised::new(self.app.sockets_open.clone());
        let mut incoming = incoming.max_frame_size(MAX_FRAME_BYTES);
        tracing::debug!(session.id = %self.session_id, "socket opened");
        let end = loop {
            let deadline = self.deadline();
            let step = tokio::select! {
                // The token and the right come before whatever else is ready.
                biased;
                () = sleep_until(deadline) => self.on_time(&mut outgoing).await,
                frame = incoming.recv() => self.on_frame(frame, &mut outgoing).await,
                item = self.watch.next(), if self.resume_watch_at.is_none() => self.on_item(item, &mut outgoing).await,
            };
            if let Err(end) = step {
                break end;
            }
        };
        match end {
            End::PeerGone => tracing::debug!(session.id = %self.session_id, "socket lost"),
            End::Close(code) => {
                tracing::debug!(session.id = %self.session_id, close.code = code.number(), "socket closed");
                let reason = CloseReason { code: code.number().into(), description: Some(code.reason().to_owned()) };
                // A peer that does not even take the close frame is dropped with the connection.
                let _dropped = timeout(CLOSE_LIMIT, outgoing.close(Some(reason))).await;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let fixed = self.liveness.deadline().min(self.token_ends).min(self.recheck_at);
        [self.delivery.deadline(), self.resume_watch_at].into_iter().flatten().fold(fixed, Instant::min)
    }

    async fn on_time(&mut self, outgoing: &mut Session) -> Result<(), End> {
        let now = Instant::now();
        if now >= self.token_ends {
            return Err(End::Close(CloseCode::TokenExpired));
        }
        if self.resume_watch_at.is_some_and(|at| now >= at) {
            self.resume_watch_at = None;
        }
        if now >= self.recheck_at {
            self.recheck_at = now + self.settings.recheck_every;
            match self.watch.recheck().await {
                Ok(true) => {}
                Ok(false) => return Err(End::Close(CloseCode::AccessLost)),
                Err(error) => tracing::warn!(session.id = %self.session_id, error.cause = %error, "recheck failed"),
            }
        }
        let wants_ping = self.delivery.deadline().is_some_and(|at| now >= at);
        match self.liveness.due(now) {
            Due::GiveUp => Err(End::Close(CloseCode::Silent)),
            Due::Ping => self.ping(outgoing).await,
            Due::Nothing if wants_ping => self.ping(outgoing).await,
            Due::Nothing => Ok(()),
        }
    }

    async fn ping(&mut self, outgoing: &mut Session) -> Result<(), End> {
        let payload = self.delivery.ping();
        self.liveness.pinged(Instant::now());
        write(self.settings.write_limit, outgoing.ping(&payload)).await
    }

    async fn on_frame(
        &mut self,
        frame: Option<Result<Message, ProtocolError>>,
        outgoing: &mut Session,
    ) -> Result<(), End> {
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(ProtocolError::Overflow)) => return Err(End::Close(CloseCode::TooLarge)),
            Some(Err(ProtocolError::Io(_))) | None => return Err(End::PeerGone),
            Some(Err(_)) => return Err(End::Close(CloseCode::ProtocolError)),
        };
        self.liveness.heard();
        if let Message::Pong(payload) = &frame {
            self.confirm(payload).await;
        }
        // A pong that answers a ping is what the server asked for; all else counts.
        let asked_for = matches!(frame, Message::Pong(_)) && self.liveness.answered();
        if !asked_for && !self.budget.take(Instant::now()) {
            return Err(End::Close(CloseCode::TooManyFrames));
        }
        match frame {
            Message::Ping(payload) => write(self.settings.write_limit, outgoing.pong(&payload)).await,
            Message::Close(_) => Err(End::Close(CloseCode::Done)),
            // In base mode nothing that a client says in a data frame means anything.
            Message::Text(_) | Message::Binary(_) | Message::Continuation(_) | Message::Pong(_) | Message::Nop => {
                Ok(())
            }
        }
    }

    async fn confirm(&mut self, payload: &[u8]) {
        let Some(up_to) = self.delivery.pong(payload) else { return };
        match self.app.service.mark_delivered(&self.viewer, self.session_id, up_to).await {
            Ok(()) => self.delivery.recorded(up_to),
            Err(error) => {
                self.delivery.not_recorded(Instant::now());
                tracing::warn!(session.id = %self.session_id, error.cause = %error, "delivery not recorded yet");
            }
        }
    }

    async fn on_item(&mut self, item: Result<WatchItem, ChatError>, outgoing: &mut Session) -> Result<(), End> {
        match item {
            Ok(WatchItem::Event(published)) => {
                self.failures = 0;
                self.write_event(&published, outgoing).await
            }
            Ok(WatchItem::AccessLost) => Err(End::Close(CloseCode::AccessLost)),
            Ok(WatchItem::Ended) => Err(End::Close(CloseCode::GoingAway)),
            Err(error) => {
                self.failures += 1;
                tracing::warn!(session.id = %self.session_id, error.cause = %error, "socket cannot read the event log");
                if self.failures > MAX_RETRIES {
                    return Err(End::Close(CloseCode::Internal));
                }
                self.resume_watch_at = Some(Instant::now() + RETRY_AFTER);
                Ok(())
            }
        }
    }

    async fn write_event(&mut self, published: &Published, outgoing: &mut Session) -> Result<(), End> {
        let Some(frame) = self.encode(published) else { return Ok(()) };
        write(self.settings.write_limit, outgoing.text(frame)).await?;
        if let LiveEvent::Durable(event) = published.event()
            && let Change::Message(message) = &event.change
            && message.author != self.viewer.id
        {
            self.delivery.wrote(event.seq, Instant::now());
        }
        Ok(())
    }

    /// The frame's text. One encoding serves all sockets, except where it holds addresses derived from the request.
    fn encode(&self, published: &Published) -> Option<ByteString> {
        let event = published.event();
        let holds_derived_address = self.app.settings.public_url.is_none()
            && matches!(event, LiveEvent::Durable(event)
                if matches!(&event.change, Change::Message(message) if !message.attachments.is_empty()));
        let frame = FrameDto::of(event, &self.base)?;
        let bytes = if holds_derived_address {
            serde_json::to_vec(&frame).unwrap_or_default().into()
        } else {
            published.encoded(|_| serde_json::to_vec(&frame).unwrap_or_default().into())
        };
        // JSON is UTF-8, so the conversion cannot fail; an empty frame cannot come about either.
        ByteString::try_from(bytes).ok().filter(|text| !text.is_empty())
    }
}

/// A write with a time limit: the channel behind it waits for a peer that has stopped reading, for ever.
async fn write(limit: Duration, write: impl Future<Output = Result<(), actix_ws::Closed>>) -> Result<(), End> {
    match timeout(limit, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_closed)) => Err(End::PeerGone),
        Err(_elapsed) => Err(End::Close(CloseCode::TooSlow)),
    }
}
