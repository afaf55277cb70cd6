//! The text of everything that the server sends.

use std::time::Duration;

use bytes::Bytes;
use chat_domain::model::{LiveEvent, Principal, Seq, SessionId, SocketId, Timestamp, UserId};
use chat_domain::ports::{Replay, SubscribeOutcome};
use chat_domain::service::SessionSubscription;
use serde::Serialize;

use super::client_frame::Reference;
use super::close_code::CloseCode;
use super::frame_rate::MAX_SUBSCRIPTIONS;
use super::mode::SocketMode;
use crate::base_url::BaseUrl;
use crate::dto::{
    EventFrameDto, HeartbeatDto, HelloDto, InboxSnapshotDto, InboxUpdateDto, MultiplexedHeartbeatDto,
    MultiplexedHelloDto, NotResumedDto, SocketErrorDto, SubscribedDto, TokenExpiryDto, UnsubscribedDto,
};
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
        SocketMode::Multiplexed => {
            EventFrameDto::positioned(event, base, own_key).map(|frame| to_json(&frame.of_session(event.session_id())))
        }
    }
}

/// A frame of extended mode about the socket itself.
#[derive(Debug)]
pub(crate) enum ServerFrame<'a> {
    /// The first frame of a socket of one session.
    Hello(HelloFrame<'a>),
    /// The first frame of a socket of many sessions.
    MultiplexedHello {
        /// The name of the socket.
        connection: SocketId,
        /// Whose socket it is.
        viewer: &'a Principal,
        /// Times and limits.
        limits: HelloLimits,
    },
    /// The server is alive, on a socket of many sessions.
    Alive {
        /// The time of the server.
        now: Timestamp,
    },
    /// On a socket of many sessions: this one's events have come up to here.
    Passed {
        /// The session.
        session: SessionId,
        /// Everything up to here was sent, or is of a kind that cannot be.
        seq: Seq,
        /// The time of the server.
        now: Timestamp,
    },
    /// A subscription has begun.
    Subscribed {
        /// The session.
        session: SessionId,
        /// How it began.
        outcome: &'a SubscribeOutcome,
    },
    /// A subscription has ended, or was not begun.
    Unsubscribed {
        /// The session, as the client has named it.
        session: &'a str,
        /// Why: what a socket of the session would be closed with.
        code: u16,
        /// The same for people.
        reason: String,
    },
    /// A view of the inbox as it was when the inbox was opened.
    Inbox(InboxSnapshotDto<'a>),
    /// A session of a view of the inbox as it is now.
    InboxUpdate {
        /// The session.
        session: SessionId,
        /// What is said of it.
        update: Box<InboxUpdateDto<'a>>,
    },
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
        /// The session that it is about, where frames name it.
        session: Option<String>,
    },
}

/// What `hello` says of times and limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HelloLimits {
    /// How often a heartbeat is sent.
    pub(crate) heartbeat: Duration,
    /// The most bytes that a frame of the client has.
    pub(crate) max_frame_bytes: usize,
    /// When the token ends.
    pub(crate) token_expires_at: Timestamp,
    /// The time of the server.
    pub(crate) now: Timestamp,
}

/// What the client is greeted with.
#[derive(Debug)]
pub(crate) struct HelloFrame<'a> {
    /// The name of the socket.
    pub(crate) connection: SocketId,
    /// The session.
    pub(crate) session: SessionId,
    /// Whose socket it is.
    pub(crate) user: &'a UserId,
    /// How the subscription began.
    pub(crate) outcome: &'a SubscribeOutcome,
    /// Times and limits.
    pub(crate) limits: HelloLimits,
}

impl<'a> ServerFrame<'a> {
    /// The first frame of a socket.
    pub(crate) fn hello(subscription: &'a SessionSubscription, limits: HelloLimits) -> Self {
        Self::Hello(HelloFrame {
            connection: subscription.socket_id(),
            session: subscription.session_id(),
            user: &subscription.viewer().id,
            outcome: subscription.outcome(),
            limits,
        })
    }

    /// The first frame of a socket of many sessions.
    pub(crate) fn multiplexed_hello(connection: SocketId, viewer: &'a Principal, limits: HelloLimits) -> Self {
        Self::MultiplexedHello { connection, viewer, limits }
    }

    /// Says how a subscription has begun.
    pub(crate) fn subscribed(session: SessionId, outcome: &'a SubscribeOutcome) -> Self {
        Self::Subscribed { session, outcome }
    }

    /// Says that a subscription has ended, or was not begun, and why.
    pub(crate) fn unsubscribed(session: &'a str, code: CloseCode, reason: String) -> Self {
        Self::Unsubscribed { session, code: code.number(), reason }
    }

    /// The sign of life. Everything up to `seq` was sent, or is of a kind that cannot be.
    pub(crate) fn heartbeat(seq: Seq, now: Timestamp) -> Self {
        Self::Heartbeat { seq, now }
    }

    /// The same in place of an event, with the session where frames name it.
    pub(crate) fn passed(session: Option<SessionId>, seq: Seq, now: Timestamp) -> Self {
        session.map_or(Self::Heartbeat { seq, now }, |session| Self::Passed { session, seq, now })
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
    pub(crate) fn error(failure: &'a ApiError, reference: Option<&'a Reference>, session: Option<String>) -> Self {
        let reference = reference.map(Reference::as_str);
        Self::Error { code: failure.code(), message: failure.message(), reference, session }
    }

    /// The type, as it stands in the frame.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) | Self::MultiplexedHello { .. } => "hello",
            Self::Heartbeat { .. } | Self::Alive { .. } | Self::Passed { .. } => "heartbeat",
            Self::Subscribed { .. } => "subscribed",
            Self::Unsubscribed { .. } => "unsubscribed",
            Self::Inbox(_) => "inbox",
            Self::InboxUpdate { .. } => "inbox_update",
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
            Self::MultiplexedHello { connection, viewer, limits } => {
                control(kind, multiplexed_hello(*connection, viewer, limits))
            }
            Self::Alive { now } => control(kind, MultiplexedHeartbeatDto { seq: None, server_time: *now }),
            Self::Passed { session, seq, now } => {
                let data = MultiplexedHeartbeatDto { seq: Some(seq.get()), server_time: *now };
                of_session(kind, &session.to_string(), data)
            }
            Self::Subscribed { session, outcome } => of_session(kind, &session.to_string(), subscribed(outcome)),
            Self::Unsubscribed { session, code, reason } => {
                of_session(kind, session, UnsubscribedDto { code: *code, reason })
            }
            Self::Inbox(snapshot) => control(kind, snapshot),
            Self::InboxUpdate { session, update } => of_session(kind, &session.to_string(), update),
            Self::Error { code, message, reference, session } => {
                let data = SocketErrorDto { code: code.as_str(), message, reference: *reference };
                match session {
                    Some(session) => of_session(kind, session, data),
                    None => control(kind, data),
                }
            }
        }
    }
}

impl<'a> HelloFrame<'a> {
    fn dto(&self) -> HelloDto<'a> {
        let SubscribedDto { epoch, seq, resumed, reason, replayed } = subscribed(self.outcome);
        HelloDto {
            connection_id: self.connection,
            session_id: self.session,
            user_id: self.user.as_str(),
            epoch,
            seq,
            resumed,
            reason,
            replayed,
            heartbeat_ms: milliseconds(self.limits.heartbeat),
            max_frame_bytes: number(self.limits.max_frame_bytes),
            token_expires_at: self.limits.token_expires_at,
            server_time: self.limits.now,
        }
    }
}

fn multiplexed_hello<'a>(connection: SocketId, viewer: &'a Principal, limits: &HelloLimits) -> MultiplexedHelloDto<'a> {
    MultiplexedHelloDto {
        connection_id: connection,
        user_id: viewer.id.as_str(),
        role: viewer.role.as_str(),
        heartbeat_ms: milliseconds(limits.heartbeat),
        max_frame_bytes: number(limits.max_frame_bytes),
        max_subscriptions: number(MAX_SUBSCRIPTIONS),
        token_expires_at: limits.token_expires_at,
        server_time: limits.now,
    }
}

fn subscribed(outcome: &SubscribeOutcome) -> SubscribedDto<'_> {
    let SubscribeOutcome { epoch, head, replay } = outcome;
    let replayed = match replay {
        Replay::Complete { missed } => *missed,
        Replay::Fresh | Replay::Unavailable(_) => 0,
    };
    let reason = NotResumedDto::of(*replay);
    SubscribedDto { seq: head.get(), epoch: epoch.as_str(), resumed: reason.is_none(), reason, replayed }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ControlFrame<'a, D> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    data: D,
}

fn control(kind: &'static str, data: impl Serialize) -> Bytes {
    to_json(&ControlFrame { kind, session_id: None, data })
}

fn of_session(kind: &'static str, session: &str, data: impl Serialize) -> Bytes {
    to_json(&ControlFrame { kind, session_id: Some(session), data })
}

fn to_json(frame: &impl Serialize) -> Bytes {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    // Neither strings and numbers nor writing to memory can fail.
    let _infallible = serde_json::to_writer(&mut text, frame);
    text.into()
}
