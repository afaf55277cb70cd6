//! What a client's text means in extended mode, and on a socket of many sessions.

use std::fmt;

use chat_domain::model::Seq;
use chat_domain::service::SubscribeFrom;
use chat_identity::UniqueJson;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::mode::SocketMode;
use crate::dto::{
    ClientHeartbeatBody, NewTokenBody, NoDataBody, OpenInboxBody, SubscribeBody, TypingStateBody, UpToBody,
};

/// The most characters of a frame's `ref`.
pub(crate) const MAX_REFERENCE_CHARS: usize = 64;

/// A frame of the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFrame {
    /// What it asks for.
    pub(crate) command: ClientCommand,
    /// The session that it is about, as the client names it; `None` where the address of the socket does.
    pub(crate) session: Option<Box<str>>,
    /// The client's own name for it, given back when it is answered with an error.
    ///
    /// On a socket of many sessions, a frame without a name is named by its type.
    pub(crate) reference: Option<Reference>,
}

/// A client's own name for a frame: at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference(Box<str>);

impl Reference {
    /// The type of a frame that has no name of its own. `None` if it is longer than a name may be: no such type gets an
    /// answer.
    fn of_kind(kind: String) -> Option<Self> {
        kind.chars().nth(MAX_REFERENCE_CHARS).is_none().then(|| Self(kind.into()))
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a client asks for.
#[derive(PartialEq, Eq)]
pub(crate) enum ClientCommand {
    /// Everything up to here has arrived.
    Ack(Seq),
    /// Everything up to here has been read.
    Read(Seq),
    /// The person starts or stops typing.
    Typing(bool),
    /// The client is alive, and has everything up to here if it says so.
    Heartbeat(Option<Seq>),
    /// A newer token.
    Auth(String),
    /// Subscribe to a session.
    Subscribe(SubscribeFrom),
    /// End the subscription to a session.
    Unsubscribe,
    /// Open the inbox, with the views of these names.
    OpenInbox(Vec<String>, Option<u64>),
    /// A type of a later version; it is ignored.
    Unknown,
}

impl ClientCommand {
    /// Whether it is about one session.
    fn is_of_session(&self) -> bool {
        match self {
            Self::Ack(_) | Self::Read(_) | Self::Typing(_) | Self::Subscribe(_) | Self::Unsubscribe => true,
            Self::Heartbeat(_) | Self::Auth(_) | Self::OpenInbox(..) | Self::Unknown => false,
        }
    }
}

/// The token is left out: it must not reach a log.
impl fmt::Debug for ClientCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ack(seq) => f.debug_tuple("Ack").field(seq).finish(),
            Self::Read(seq) => f.debug_tuple("Read").field(seq).finish(),
            Self::Typing(is_typing) => f.debug_tuple("Typing").field(is_typing).finish(),
            Self::Heartbeat(seq) => f.debug_tuple("Heartbeat").field(seq).finish(),
            Self::Auth(_) => f.write_str("Auth"),
            Self::Subscribe(from) => f.debug_tuple("Subscribe").field(from).finish(),
            Self::Unsubscribe => f.write_str("Unsubscribe"),
            Self::OpenInbox(views, limit) => f.debug_tuple("OpenInbox").field(views).field(limit).finish(),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

/// The text is no frame of the protocol. Says which rule it breaks, and nothing of what the client wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MalformedFrame(&'static str);

/// Reads a frame. Types and fields that it does not know are ignored, wherever they stand; a known one must fit.
///
/// # Errors
/// The text is not JSON of at most 127 levels without repeated keys, or no object, or the frame breaks the rules of its
/// type.
pub(crate) fn parse_client_frame(text: &str, mode: SocketMode) -> Result<ClientFrame, MalformedFrame> {
    let UniqueJson(frame) = serde_json::from_str(text).map_err(|_| MalformedFrame("the text is not strict JSON"))?;
    let Value::Object(mut frame) = frame else { return Err(MalformedFrame("the frame is not an object")) };
    let Some(Value::String(kind)) = frame.remove("type") else { return Err(MalformedFrame("type is not a string")) };
    let reference = reference(&mut frame)?;
    let data = frame.remove("data");
    let is_multiplexed = mode == SocketMode::Multiplexed;
    let command = match kind.as_str() {
        "subscribe" if is_multiplexed => ClientCommand::Subscribe(start(data)?),
        "unsubscribe" if is_multiplexed => {
            data.map_or(Ok(NoDataBody {}), |data| body::<NoDataBody>(Some(data)))?;
            ClientCommand::Unsubscribe
        }
        "open_inbox" if is_multiplexed => {
            let OpenInboxBody { views, limit } = body(data)?;
            ClientCommand::OpenInbox(views, limit)
        }
        "ack" => ClientCommand::Ack(body::<UpToBody>(data)?.seq),
        "read" => ClientCommand::Read(body::<UpToBody>(data)?.seq),
        "typing" => ClientCommand::Typing(body::<TypingStateBody>(data)?.is_typing),
        "heartbeat" => ClientCommand::Heartbeat(match data {
            None => None,
            data => body::<ClientHeartbeatBody>(data)?.seq,
        }),
        "auth" => ClientCommand::Auth(body::<NewTokenBody>(data)?.token),
        _ => ClientCommand::Unknown,
    };
    if !is_multiplexed {
        return Ok(ClientFrame { command, session: None, reference });
    }
    let session = if command.is_of_session() { Some(session(&mut frame)?) } else { None };
    Ok(ClientFrame { command, session, reference: reference.or_else(|| Reference::of_kind(kind)) })
}

/// The session beside the type of a frame. What is no id of a session is answered like the id of an unknown one.
fn session(frame: &mut Map<String, Value>) -> Result<Box<str>, MalformedFrame> {
    match frame.remove("sessionId") {
        Some(Value::String(text)) => Ok(text.into()),
        _ => Err(MalformedFrame("sessionId is not a string")),
    }
}

fn start(data: Option<Value>) -> Result<SubscribeFrom, MalformedFrame> {
    let Some(data) = data else { return Ok(SubscribeFrom::Now) };
    let SubscribeBody { since, epoch } = body(Some(data))?;
    Ok(since.map_or(SubscribeFrom::Now, |since| SubscribeFrom::Position(since, epoch)))
}

fn reference(frame: &mut Map<String, Value>) -> Result<Option<Reference>, MalformedFrame> {
    match frame.remove("ref") {
        None => Ok(None),
        Some(Value::String(text)) if text.chars().nth(MAX_REFERENCE_CHARS).is_none() => {
            Ok(Some(Reference(text.into())))
        }
        Some(_) => Err(MalformedFrame("ref is not a string of at most 64 characters")),
    }
}

/// The data of a frame. serde would take an array too, field by field, so the shape is checked first.
fn body<T: DeserializeOwned>(data: Option<Value>) -> Result<T, MalformedFrame> {
    let data = data.filter(Value::is_object).ok_or(MalformedFrame("data is not an object"))?;
    serde_json::from_value(data).map_err(|_| MalformedFrame("data does not fit the type"))
}
