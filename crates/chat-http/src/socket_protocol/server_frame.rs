//! The text of everything that the server sends.

use std::time::Duration;

use bytes::Bytes;
use chat_domain::model::{LiveEvent, Seq, SessionId, SocketId, Timestamp, UserId};
use chat_domain::ports::{Replay, SubscribeOutcome};
use chat_domain::service::SessionSubscription;
use serde::Serialize;

use super::client_frame::Reference;
use super::mode::SocketMode;
use crate::base_url::BaseUrl;
use crate::dto::{EventFrameDto, HeartbeatDto, HelloDto, NotResumedDto, SocketErrorDto, TokenExpiryDto};
use crate::error::{ApiError, ErrorCode};

/// How much room a frame is given at first; most fit.
const USUAL_BYTES: usize = 512;

/// The JSON text of an event's frame; `None` when the mode has no frame for it.
///
/// With `own_key`, which only sockets of the one who did it may be given, a message has its idempotency key beside it.
pub(crate) fn encode_event(event: &LiveEvent, mode: SocketMode, base: &BaseUrl, own_key: bool) -> Option<Bytes> {
    match mode {
        SocketMode::Base => EventFrameDto::plain(event, base).map(|frame| to_json(&frame)),
        SocketMode::Extended => EventFrameDto::positioned(event, base, own_key).map(|frame| to_json(&frame)),
    }
}

/// A frame of extended mode about the socket itself.
#[derive(Debug)]
pub(crate) enum ServerFrame<'a> {
    /// The first frame.
    Hello(HelloFrame<'a>),
    /// The server is alive.
    Heartbeat {
        /// Everything up to here was sent, or is of a kind that cannot be; the head of `hello` before anything was.
        seq: Seq,
        /// The time of the server.
        now: Timestamp,
    },
    /// The token ends soon.
    AuthExpiring {
        /// When.
        expires_at: Timestamp,
    },
    /// The new token has been accepted.
    AuthOk {
        /// When that one ends.
        expires_at: Timestamp,
    },
    /// What a frame of the client asked for was not done; the socket lives on.
    Error {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: &'a str,
        /// The `ref` of the client's frame.
        reference: Option<&'a str>,
    },
}

/// What the client is greeted with.
#[derive(Debug)]
pub(crate) struct HelloFrame<'a> {
    /// The name of the socket.
    pub(crate) connection: SocketId,
    /// What it watches.
    pub(crate) session: SessionId,
    /// Who watches.
    pub(crate) user: &'a UserId,
    /// How the watch began.
    pub(crate) outcome: &'a SubscribeOutcome,
    /// How often a heartbeat is sent.
    pub(crate) heartbeat: Duration,
    /// The most bytes that a frame of the client has.
    pub(crate) max_frame_bytes: usize,
    /// When the token ends.
    pub(crate) token_expires_at: Timestamp,
    /// The time of the server.
    pub(crate) now: Timestamp,
}

impl<'a> ServerFrame<'a> {
    /// The first frame of a socket that has just begun to watch.
    pub(crate) fn hello(
        watch: &'a SessionSubscription,
        heartbeat: Duration,
        max_frame_bytes: usize,
        token_expires_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self::Hello(HelloFrame {
            connection: watch.socket_id(),
            session: watch.session_id(),
            user: &watch.viewer().id,
            outcome: watch.outcome(),
            heartbeat,
            max_frame_bytes,
            token_expires_at,
            now,
        })
    }

    /// The sign of life. Everything up to `seq` was sent, or is of a kind that cannot be.
    pub(crate) fn heartbeat(seq: Seq, now: Timestamp) -> Self {
        Self::Heartbeat { seq, now }
    }

    /// Says when the token ends, a while before it does.
    pub(crate) fn auth_expiring(expires_at: Timestamp) -> Self {
        Self::AuthExpiring { expires_at }
    }

    /// Says that a new token counts from now on, and when that one ends.
    pub(crate) fn auth_ok(expires_at: Timestamp) -> Self {
        Self::AuthOk { expires_at }
    }

    /// Tells of a failure what the caller may know of it.
    pub(crate) fn error(failure: &'a ApiError, reference: Option<&'a Reference>) -> Self {
        let reference = reference.map(Reference::as_str);
        Self::Error { code: failure.code(), message: failure.message(), reference }
    }

    /// The type, as it stands in the frame.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Heartbeat { .. } => "heartbeat",
            Self::AuthExpiring { .. } => "auth_expiring",
            Self::AuthOk { .. } => "auth_ok",
            Self::Error { .. } => "error",
        }
    }

    /// The frame's JSON text.
    pub(crate) fn encode(&self) -> Bytes {
        let kind = self.kind();
        match self {
            Self::Hello(hello) => control(kind, hello.dto()),
            Self::Heartbeat { seq, now } => control(kind, HeartbeatDto { seq: seq.get(), server_time: *now }),
            Self::AuthExpiring { expires_at } | Self::AuthOk { expires_at } => {
                control(kind, TokenExpiryDto { expires_at: *expires_at })
            }
            Self::Error { code, message, reference } => {
                control(kind, SocketErrorDto { code: code.as_str(), message, reference: *reference })
            }
        }
    }
}

impl<'a> HelloFrame<'a> {
    fn dto(&self) -> HelloDto<'a> {
        let SubscribeOutcome { epoch, head, replay } = self.outcome;
        let replayed = match replay {
            Replay::Complete { missed } => *missed,
            Replay::Fresh | Replay::Unavailable(_) => 0,
        };
        let reason = NotResumedDto::of(*replay);
        HelloDto {
            connection_id: self.connection,
            session_id: self.session,
            user_id: self.user.as_str(),
            epoch: epoch.as_str(),
            seq: head.get(),
            resumed: reason.is_none(),
            reason,
            replayed,
            heartbeat_ms: u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX),
            max_frame_bytes: u64::try_from(self.max_frame_bytes).unwrap_or(u64::MAX),
            token_expires_at: self.token_expires_at,
            server_time: self.now,
        }
    }
}

#[derive(Serialize)]
struct ControlFrame<D> {
    #[serde(rename = "type")]
    kind: &'static str,
    data: D,
}

fn control(kind: &'static str, data: impl Serialize) -> Bytes {
    to_json(&ControlFrame { kind, data })
}

fn to_json(frame: &impl Serialize) -> Bytes {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    // Neither strings and numbers nor writing to memory can fail.
    let _infallible = serde_json::to_writer(&mut text, frame);
    text.into()
}
