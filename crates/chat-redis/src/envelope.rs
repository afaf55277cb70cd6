//! The messages between nodes, one JSON object each, and how nodes of other versions read them.
//!
//! ```json
//! {"v":1,"node":"…","counter":7,"database":"…","epoch":"…","at":1735689600000,"session":"…","seq":12,"kind":"message","payload":{…}}
//! {"v":1,"node":"…","counter":31,"database":"…","epoch":"…","at":…,"kind":"heartbeat","counters":[0,7,…]}
//! {"v":1,"node":"…","counter":32,"database":"…","epoch":"…","at":…,"kind":"goodbye","counters":[0,7,…]}
//! ```
//!
//! `counter` counts the node's messages on the channel, from 1; `at` is when it was sent, by the node's clock. Fields
//! that a reader does not know are ignored, and a durable event of an unknown kind only takes its number in the
//! session. An event without `seq` is in no log: one of an unknown kind, such as a later version's counterpart of
//! typing, is skipped. Any other message that cannot be read, since its form or version is a newer one, is unreadable:
//! on a channel of events, its sessions are suspected. The 32 bytes behind the object are its signature.

use std::borrow::Cow;

use chat_domain::model::{Seq, SessionId, Timestamp};
use chat_realtime::PeerEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::payload::{self, Durable, Payload, Typing, as_text};

/// The version that is written. A reader tries to read later ones too, which may only add fields.
const VERSION: u16 = 1;

const HEARTBEAT: &str = "heartbeat";
const GOODBYE: &str = "goodbye";

/// A message of a node.
#[derive(Debug, PartialEq)]
pub(crate) struct Envelope<'a> {
    /// Its sender.
    pub(crate) node: Uuid,
    /// Its number among the node's messages on the channel.
    pub(crate) counter: u64,
    /// The node's database.
    pub(crate) database: Cow<'a, str>,
    /// The epoch of the database.
    pub(crate) epoch: Cow<'a, str>,
    /// When it was sent.
    pub(crate) at: Timestamp,
    pub(crate) body: EnvelopeBody,
}

/// The content of a message.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most are events, and none lives longer than it takes to act on it")]
pub(crate) enum EnvelopeBody {
    /// An event.
    Event(PeerEvent),
    /// The node is alive and has published this many events, by shard.
    Heartbeat(Vec<u64>),
    /// The node shuts down and has published this many events, by shard.
    Goodbye(Vec<u64>),
    /// An event of an unknown kind without `seq`: no log has it.
    Ephemeral,
    /// A message that this version cannot read.
    Unreadable,
}

/// The fields that all messages of this node share.
#[derive(Clone, Copy)]
pub(crate) struct EnvelopeHead<'a> {
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

/// The first bytes of this node's events, by which they are recognised without parsing.
pub(crate) fn own_prefix(node: Uuid) -> Vec<u8> {
    format!("{{\"v\":{VERSION},\"node\":\"{node}\",\"counter\":").into_bytes()
}

/// An event as a message.
pub(crate) fn event(head: EnvelopeHead<'_>, counter: u64, event: &PeerEvent) -> Vec<u8> {
    let seq = match event {
        PeerEvent::Durable(event) => Some(event.seq.get()),
        PeerEvent::Typing(_) => None,
    };
    let EnvelopeHead { node, database, epoch, at } = head;
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

/// A heartbeat, with the counts of what was published.
pub(crate) fn heartbeat(head: EnvelopeHead<'_>, counter: u64, counters: &[u64]) -> Vec<u8> {
    of_node(head, counter, HEARTBEAT, counters)
}

/// A goodbye, with the counts of what was published.
pub(crate) fn goodbye(head: EnvelopeHead<'_>, counter: u64, counters: &[u64]) -> Vec<u8> {
    of_node(head, counter, GOODBYE, counters)
}

fn of_node(head: EnvelopeHead<'_>, counter: u64, kind: &'static str, counters: &[u64]) -> Vec<u8> {
    let EnvelopeHead { node, database, epoch, at } = head;
    to_json(&CountersOut { v: VERSION, node, counter, database, epoch, at: at.unix_ms(), kind, counters })
}

/// Numbers and texts always make JSON; an empty message would be malformed.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads a message. `None` when it has not the form of a message.
pub(crate) fn read(bytes: &[u8]) -> Option<Envelope<'_>> {
    let mut envelope: EnvelopeIn<'_> = serde_json::from_slice(bytes).ok()?;
    let node = Uuid::try_parse(&envelope.node).ok()?;
    let body = match (&*envelope.kind, envelope.counters.take()) {
        (HEARTBEAT, Some(counters)) => EnvelopeBody::Heartbeat(counters),
        (GOODBYE, Some(counters)) => EnvelopeBody::Goodbye(counters),
        _ => match read_event(&envelope) {
            Some(event) => EnvelopeBody::Event(event),
            None if is_ephemeral(&envelope) => EnvelopeBody::Ephemeral,
            None => EnvelopeBody::Unreadable,
        },
    };
    let EnvelopeIn { counter, database, epoch, at, .. } = envelope;
    Some(Envelope { node, counter, database, epoch, at: Timestamp::from_unix_ms(at), body })
}

/// Whether this is of an unknown kind and has no `seq`. Every durable event has one, in later versions too.
fn is_ephemeral(envelope: &EnvelopeIn<'_>) -> bool {
    let is_of_node = envelope.kind == HEARTBEAT || envelope.kind == GOODBYE;
    envelope.seq.is_none() && !is_of_node && !payload::is_known_kind(&envelope.kind)
}

fn read_event(envelope: &EnvelopeIn<'_>) -> Option<PeerEvent> {
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
