//! What nodes say to each other, one JSON object a message, and how it is read by nodes of other versions.
//!
//! ```json
//! {"v":1,"node":"…","counter":7,"session":"…","seq":12,"kind":"message","payload":{…}}
//! {"v":1,"node":"…","kind":"heartbeat","counters":[0,7,…]}
//! {"v":1,"node":"…","kind":"goodbye","counters":[0,7,…]}
//! ```
//!
//! `counter` counts the events of the node in the channel's shard, from 1. Fields that a reader does not know are ignored.
//! Something with a counter that cannot be read, since its kind or version is a newer one, is told as an unreadable event:
//! its session is compared with the log.

use std::borrow::Cow;

use chat_domain::model::{LiveEvent, Seq, SessionId};
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
pub(crate) struct Envelope {
    /// Who says it.
    pub(crate) node: Uuid,
    pub(crate) said: Said,
}

/// What a node said.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most are events, and none lives longer than it takes to act on it")]
pub(crate) enum Said {
    /// Something happened.
    Event { counter: u64, event: LiveEvent },
    /// Something happened that this version cannot read.
    Unreadable { counter: u64 },
    /// It lives, and has published so much.
    Heartbeat { counters: Vec<u64> },
    /// It ends, and has published so much.
    Goodbye { counters: Vec<u64> },
    /// Something else that is no event.
    Other,
}

#[derive(Serialize)]
struct EventOut<'a> {
    v: u16,
    #[serde(serialize_with = "as_text")]
    node: Uuid,
    counter: u64,
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
    kind: &'static str,
    counters: &'a [u64],
}

#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    #[serde(borrow)]
    node: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    counter: Option<u64>,
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
pub(crate) fn event(node: Uuid, counter: u64, event: &LiveEvent) -> Vec<u8> {
    let seq = match event {
        LiveEvent::Durable(event) => Some(event.seq.get()),
        LiveEvent::Typing(_) => None,
    };
    to_json(&EventOut {
        v: VERSION,
        node,
        counter,
        session: event.session_id(),
        seq,
        kind: payload::kind(event),
        payload: event.into(),
    })
}

/// A sign of life, with what was published.
pub(crate) fn heartbeat(node: Uuid, counters: &[u64]) -> Vec<u8> {
    to_json(&CountersOut { v: VERSION, node, kind: HEARTBEAT, counters })
}

/// The last word, with what was published.
pub(crate) fn goodbye(node: Uuid, counters: &[u64]) -> Vec<u8> {
    to_json(&CountersOut { v: VERSION, node, kind: GOODBYE, counters })
}

/// Numbers, texts and names of fields always make JSON; an empty message would be one that nobody can read.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads a message. `None` when it is none of ours.
pub(crate) fn read(bytes: &[u8]) -> Option<Envelope> {
    let envelope: EnvelopeIn<'_> = serde_json::from_slice(bytes).ok()?;
    let node = Uuid::try_parse(&envelope.node).ok()?;
    let said = match (&*envelope.kind, envelope.counter) {
        (HEARTBEAT, _) => Said::Heartbeat { counters: envelope.counters? },
        (GOODBYE, _) => Said::Goodbye { counters: envelope.counters? },
        (_, Some(counter)) => match read_event(&envelope) {
            Some(event) => Said::Event { counter, event },
            None => Said::Unreadable { counter },
        },
        (_, None) => Said::Other,
    };
    Some(Envelope { node, said })
}

fn read_event(envelope: &EnvelopeIn<'_>) -> Option<LiveEvent> {
    let session = SessionId::parse(envelope.session.as_ref()?)?;
    let payload = envelope.payload?.get();
    if envelope.kind == "typing" {
        return serde_json::from_str::<Typing<'_>>(payload).ok()?.read(session);
    }
    let seq = Seq::new(envelope.seq?);
    serde_json::from_str::<Durable<'_>>(payload).ok()?.read(&envelope.kind, session, seq)
}

#[cfg(test)]
mod tests;
