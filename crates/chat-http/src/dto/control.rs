//! The frames of extended mode that are about the socket itself, in both directions: the data inside them.

use chat_domain::error::ReplayUnavailable;
use chat_domain::model::{Epoch, Seq, SessionId, SocketId, Timestamp};
use chat_domain::ports::Replay;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::inbox::InboxViewDto;
use super::wire::display;

/// The first frame of the server: where the client stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Hello)]
pub(crate) struct HelloDto<'a> {
    /// Names this socket in the server's log, as `socket.id`.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d3-5a10-7e21-9c0d-3f2b1a0e9d88")]
    pub(crate) connection_id: SocketId,
    /// The session of the socket.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d0-6e1b-7c40-8a52-1f0e5d1f7a11")]
    pub(crate) session_id: SessionId,
    /// Whom the server takes the client for.
    #[schema(example = "alice")]
    pub(crate) user_id: &'a str,
    /// Names the history that positions belong to; to be given back with `since`.
    #[schema(example = "0193a1b2-7c4d-7e5f-8a6b-9c0d1e2f3a4b")]
    pub(crate) epoch: &'a str,
    /// The position of the newest change when the socket was opened.
    #[schema(example = 17)]
    pub(crate) seq: u64,
    /// Whether the frames that follow continue from `since` or `after` without a gap.
    #[schema(example = true)]
    pub(crate) resumed: bool,
    /// Why not; absent when they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) reason: Option<NotResumedDto>,
    /// How many of the changes that follow happened before the socket was opened.
    #[schema(example = 3)]
    pub(crate) replayed: u64,
    /// How often the server sends `heartbeat`, in milliseconds.
    #[schema(example = 25_000)]
    pub(crate) heartbeat_ms: u64,
    /// The most bytes that a frame of the client has.
    #[schema(example = 16_384)]
    pub(crate) max_frame_bytes: u64,
    /// When the socket ends unless the token is renewed. RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T10:05:00.000Z")]
    pub(crate) token_expires_at: Timestamp,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:01.000Z")]
    pub(crate) server_time: Timestamp,
}

/// The first frame of the server on a socket of many sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MultiplexedHello)]
pub(crate) struct MultiplexedHelloDto<'a> {
    /// Names this socket in the server's log, as `socket.id`.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, example = "019370d3-5a10-7e21-9c0d-3f2b1a0e9d88")]
    pub(crate) connection_id: SocketId,
    /// Whom the server takes the client for.
    #[schema(example = "bob")]
    pub(crate) user_id: &'a str,
    /// Their role: `user`, `agent` or `admin`.
    #[schema(example = "agent")]
    pub(crate) role: &'a str,
    /// How often the server sends `heartbeat`, in milliseconds.
    #[schema(example = 25_000)]
    pub(crate) heartbeat_ms: u64,
    /// The most bytes that a frame of the client has.
    #[schema(example = 16_384)]
    pub(crate) max_frame_bytes: u64,
    /// The most subscriptions of this socket.
    #[schema(example = 100)]
    pub(crate) max_subscriptions: u64,
    /// When the socket ends unless the token is renewed. RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T10:05:00.000Z")]
    pub(crate) token_expires_at: Timestamp,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:01.000Z")]
    pub(crate) server_time: Timestamp,
}

/// How a subscription has begun.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscribed)]
pub(crate) struct SubscribedDto<'a> {
    /// The position of the newest change when the subscription began.
    #[schema(example = 17)]
    pub(crate) seq: u64,
    /// Names the history that positions belong to; to be given back with `since`.
    #[schema(example = "0193a1b2-7c4d-7e5f-8a6b-9c0d1e2f3a4b")]
    pub(crate) epoch: &'a str,
    /// Whether the frames that follow continue from `since` without a gap.
    #[schema(example = true)]
    pub(crate) resumed: bool,
    /// Why not; absent when they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) reason: Option<NotResumedDto>,
    /// How many of the changes that follow happened before the subscription began.
    #[schema(example = 3)]
    pub(crate) replayed: u64,
}

/// Why a subscription has ended, or was not begun.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unsubscribed)]
pub(crate) struct UnsubscribedDto<'a> {
    /// A close code: 1000 if it was asked for, else what a socket of the session would be closed with.
    #[schema(example = 4403)]
    pub(crate) code: u16,
    /// The same for people.
    #[schema(example = "access lost")]
    pub(crate) reason: &'a str,
}

/// The server is alive, on a socket of many sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MultiplexedHeartbeat)]
pub(crate) struct MultiplexedHeartbeatDto {
    /// With a session beside it: the position up to which everything was sent, or is of a kind that this server does not
    /// know. Else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 17)]
    pub(crate) seq: Option<u64>,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:26.000Z")]
    pub(crate) server_time: Timestamp,
}

/// Where a subscription begins.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = SubscribeFrom)]
pub(crate) struct SubscribeBody {
    /// Start right after this position, the last one that the client has; without it, with whatever happens next.
    #[serde(default, deserialize_with = "given_position")]
    #[schema(value_type = i64, minimum = 0, required = false, example = 17)]
    pub(crate) since: Option<Seq>,
    /// The history that `since` belongs to, from `subscribed`.
    #[serde(default, deserialize_with = "given_epoch")]
    #[schema(
        value_type = String, required = false, min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z-]+$",
        example = "0193a1b2-7c4d-7e5f-8a6b-9c0d1e2f3a4b"
    )]
    pub(crate) epoch: Option<Epoch>,
}

/// Which inbox is opened.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenInbox)]
pub(crate) struct OpenInboxBody {
    /// The views, of which some are the person's: see `GET /api/chat/inbox`.
    #[schema(value_type = Vec<InboxViewDto>, min_items = 1, example = json!(["mine", "waiting"]))]
    pub(crate) views: Vec<String>,
    /// How many items a snapshot has at most, 50 by default; more than 100 count as 100.
    #[serde(default, deserialize_with = "given_number")]
    #[schema(value_type = i64, minimum = 1, required = false, example = 50)]
    pub(crate) limit: Option<u64>,
}

/// Nothing; the data may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = NoData)]
pub(crate) struct NoDataBody {}

/// Why the frames that follow do not continue from where the client left off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotResumedReason)]
pub(crate) enum NotResumedDto {
    /// The client gave no position.
    Fresh,
    /// More than 1,000 changes were missed.
    TooManyMissed,
    /// The position lies in the session's future.
    Ahead,
    /// The position belongs to another history.
    Epoch,
}

impl NotResumedDto {
    /// The reason, unless the subscription continues.
    pub(crate) fn of(replay: Replay) -> Option<Self> {
        match replay {
            Replay::Complete { .. } => None,
            Replay::Fresh => Some(Self::Fresh),
            Replay::Unavailable(ReplayUnavailable::TooManyMissed { .. }) => Some(Self::TooManyMissed),
            Replay::Unavailable(ReplayUnavailable::AheadOfSession) => Some(Self::Ahead),
            Replay::Unavailable(ReplayUnavailable::OtherEpoch) => Some(Self::Epoch),
        }
    }
}

/// The server is alive.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Heartbeat)]
pub(crate) struct HeartbeatDto {
    /// The position up to which everything was sent to this socket, or is of a kind that this server does not know; that of
    /// the head in `hello` before anything was.
    #[schema(example = 17)]
    pub(crate) seq: u64,
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T09:05:26.000Z")]
    pub(crate) server_time: Timestamp,
}

/// When the token of this socket ends.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TokenExpiry)]
pub(crate) struct TokenExpiryDto {
    /// RFC 3339 in UTC with milliseconds.
    #[serde(serialize_with = "display")]
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T10:05:00.000Z")]
    pub(crate) expires_at: Timestamp,
}

/// What a frame of the client asked for was not done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SocketError)]
pub(crate) struct SocketErrorDto<'a> {
    /// One of the codes of the error reference.
    #[schema(example = "VALIDATION_FAILED")]
    pub(crate) code: &'a str,
    /// What went wrong, for people.
    #[schema(example = "seq must not lie beyond what was sent to this socket")]
    pub(crate) message: &'a str,
    /// The `ref` of the frame; absent when it had none.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "c-42")]
    pub(crate) reference: Option<&'a str>,
}

/// Everything up to a position.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpToPosition)]
pub(crate) struct UpToBody {
    /// The position of a durable event that this socket was sent.
    #[serde(deserialize_with = "position")]
    #[schema(value_type = i64, minimum = 0, example = 17)]
    pub(crate) seq: Seq,
}

/// The client is alive.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ClientHeartbeat)]
pub(crate) struct ClientHeartbeatBody {
    /// The position of the last durable event that the client has; may be left out.
    #[serde(default, deserialize_with = "given_position")]
    #[schema(value_type = i64, minimum = 0, required = false, example = 17)]
    pub(crate) seq: Option<Seq>,
}

/// Whether the caller is typing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TypingState)]
pub(crate) struct TypingStateBody {
    /// `true` when the person starts or goes on, `false` when they stop.
    #[schema(example = true)]
    pub(crate) is_typing: bool,
}

/// A newer token.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
pub(crate) struct NewTokenBody {
    /// It names the same person as the one before.
    #[schema(example = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl")]
    pub(crate) token: String,
}

/// A whole number from 0 to 2^63 - 1, which every store can hold.
fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seq, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if i64::try_from(number).is_err() {
        return Err(D::Error::invalid_value(Unexpected::Unsigned(number), &"a number below 2^63"));
    }
    Ok(Seq::new(number))
}

fn given_epoch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Epoch>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Epoch::parse(&text).map(Some).map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"an epoch"))
}

fn given_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(deserializer).map(Some)
}

fn given_position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Seq>, D::Error> {
    position(deserializer).map(Some)
}
