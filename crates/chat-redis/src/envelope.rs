//! What nodes say to each other, one JSON object a message, and how it is read by nodes of other versions.
//!
//! ```json
//! {"v":1,"node":"…","counter":7,"database":"…","epoch":"…","at":1735689600000,"session":"…","seq":12,"kind":"message","payload":{…}}
//! {"v":1,"node":"…","counter":31,"database":"…","epoch":"…","at":…,"kind":"heartbeat","counters":[0,7,…]}
//! {"v":1,"node":"…","counter":32,"database":"…","epoch":"…","at":…,"kind":"goodbye","counters":[0,7,…]}
//! ```
//!
//! `counter` counts what the node says on the channel, from 1; `at` is when it says it, by its clock. Fields that a reader
//! does not know are ignored, and a durable event of a kind that it does not know only takes its position. An event without
//! a position is in no log: one of a kind that a reader does not know, such as a later version's counterpart of typing, is
//! passed over. What else cannot be read, since its form or version is a newer one, is told as unreadable: when it is on a
//! channel of events, its sessions are compared with the log. The 32 bytes behind the object are its signature.

use std::borrow::Cow;

use chat_domain::model::{LiveEvent, Seq, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::payload::{self, Durable, Payload, Typing, as_text};

/// The version that is written. A reader tries to read later ones too, which may only add.
const VERSION: u16 = 1;

const HEARTBEAT: &str = "heartbeat";
const GOODBYE: &str = "goodbye";

/// A message of a node.
#[derive(Debug, PartialEq)]
pub(crate) struct Envelope<'a> {
    /// Who says it.
    pub(crate) node: Uuid,
    /// Its number among what the node says on the channel.
    pub(crate) counter: u64,
    /// The database that the node is of.
    pub(crate) database: Cow<'a, str>,
    /// The epoch of the database.
    pub(crate) epoch: Cow<'a, str>,
    /// When it was said.
    pub(crate) at: Timestamp,
    pub(crate) said: Said,
}

/// What a node said.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most are events, and none lives longer than it takes to act on it")]
pub(crate) enum Said {
    /// Something happened.
    Event(LiveEvent),
    /// It lives, and has published so much.
    Heartbeat(Vec<u64>),
    /// It ends, and has published so much.
    Goodbye(Vec<u64>),
    /// Something of a kind that this version does not know, and without a position: no log has it.
    Ephemeral,
    /// Something that this version cannot read.
    Unreadable,
}

/// What every message of this node begins with.
#[derive(Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) node: Uuid,
    pub(crate) database: &'a str,
    pub(crate) epoch: &'a str,
    pub(crate) at: Timestamp,
}

#[derive(Serialize)]
struct EventOut<'a> {
    v: u16,
    #[serde(serialize_with = "as_text")]
    node: Uuid,
    counter: u64,
    database: &'a str,
    epoch: &'a str,
    at: i64,
    #[serde(serialize_with = "as_text")]
    session: SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    kind: &'static str,
    payload: Payload<'a>,
}

#[derive(Serialize)]
struct CountersOut<'a> {
    v: u16,
    #[serde(serialize_with = "as_text")]
    node: Uuid,
    counter: u64,
    database: &'a str,
    epoch: &'a str,
    at: i64,
    kind: &'static str,
    counters: &'a [u64],
}

#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    counter: u64,
    #[serde(borrow)]
    database: Cow<'a, str>,
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    at: i64,
    #[serde(borrow)]
    session: Option<Cow<'a, str>>,
    seq: Option<u64>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    counters: Option<Vec<u64>>,
}

/// What every message of this node's events begins with, to know them without reading them.
pub(crate) fn own_prefix(node: Uuid) -> Vec<u8> {
    format!("{{\"v\":{VERSION},\"node\":\"{node}\",\"counter\":").into_bytes()
}

/// An event as a message.
pub(crate) fn event(sender: Sender<'_>, counter: u64, event: &LiveEvent) -> Vec<u8> {
    let seq = match event {
        LiveEvent::Durable(event) => Some(event.seq.get()),
        LiveEvent::Typing(_) => None,
    };
    let Sender { node, database, epoch, at } = sender;
    to_json(&EventOut {
        v: VERSION,
        node,
        counter,
        database,
        epoch,
        at: at.unix_ms(),
        session: event.session_id(),
        seq,
        kind: payload::kind(event),
        payload: event.into(),
    })
}

/// A sign of life, with what was published.
pub(crate) fn heartbeat(sender: Sender<'_>, counter: u64, counters: &[u64]) -> Vec<u8> {
    of_node(sender, counter, HEARTBEAT, counters)
}

/// The last word, with what was published.
pub(crate) fn goodbye(sender: Sender<'_>, counter: u64, counters: &[u64]) -> Vec<u8> {
    of_node(sender, counter, GOODBYE, counters)
}

fn of_node(sender: Sender<'_>, counter: u64, kind: &'static str, counters: &[u64]) -> Vec<u8> {
    let Sender { node, database, epoch, at } = sender;
    to_json(&CountersOut { v: VERSION, node, counter, database, epoch, at: at.unix_ms(), kind, counters })
}

/// Numbers, texts and names of fields always make JSON; an empty message would be one that nobody can read.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads a message. `None` when it is none of a node's.
pub(crate) fn read(bytes: &[u8]) -> Option<Envelope<'_>> {
    let mut envelope: EnvelopeIn<'_> = serde_json::from_slice(bytes).ok()?;
    let node = Uuid::try_parse(&envelope.node).ok()?;
    let said = match (&*envelope.kind, envelope.counters.take()) {
        (HEARTBEAT, Some(counters)) => Said::Heartbeat(counters),
        (GOODBYE, Some(counters)) => Said::Goodbye(counters),
        _ => match read_event(&envelope) {
            Some(event) => Said::Event(event),
            None if is_ephemeral(&envelope) => Said::Ephemeral,
            None => Said::Unreadable,
        },
    };
    let EnvelopeIn { counter, database, epoch, at, .. } = envelope;
    Some(Envelope { node, counter, database, epoch, at: Timestamp::from_unix_ms(at), said })
}

/// Whether this is of an unknown kind and has no position. Every durable event has one, in later versions too.
fn is_ephemeral(envelope: &EnvelopeIn<'_>) -> bool {
    let is_of_node = envelope.kind == HEARTBEAT || envelope.kind == GOODBYE;
    envelope.seq.is_none() && !is_of_node && !payload::is_known_kind(&envelope.kind)
}

fn read_event(envelope: &EnvelopeIn<'_>) -> Option<LiveEvent> {
    let session = SessionId::parse(envelope.session.as_ref()?)?;
    let payload = envelope.payload?.get();
    if envelope.kind == payload::TYPING {
        return serde_json::from_str::<Typing<'_>>(payload).ok()?.read(session);
    }
    let seq = Seq::new(envelope.seq?);
    serde_json::from_str::<Durable<'_>>(payload).ok()?.read(&envelope.kind, session, seq)
}

#[cfg(test)]
mod tests;
