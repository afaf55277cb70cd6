//! The frames of both modes. A client ignores what it does not know in extended mode, as the protocol asks; in base
//! mode there is nothing else.

use std::borrow::Cow;

use serde::Deserialize;

use super::ClientSocketMode;

/// A frame of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingFrame {
    /// The first frame of extended mode.
    Hello(Hello),
    /// A message was added.
    Message {
        /// Its id.
        id: String,
        /// Its text.
        content: String,
        /// Its sequence number, in extended mode.
        seq: Option<u64>,
    },
    /// Another durable event: of the session, or a receipt.
    Other {
        /// Its sequence number, in extended mode.
        seq: Option<u64>,
    },
    /// A participant begins or stops typing.
    Typing,
    /// Everything up to this sequence number was sent, or is of a kind that the service does not know.
    Heartbeat(Option<u64>),
    /// A command was refused, with this code.
    Refused(String),
    /// Anything else of extended mode.
    Unknown,
}

/// How a socket of extended mode begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Sequence numbers of another epoch mean nothing.
    pub epoch: String,
    /// The session's newest sequence number.
    pub seq: u64,
    /// Whether everything after the requested sequence number follows.
    pub resumed: bool,
    /// Why not.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    seq: Option<u64>,
    #[serde(default, borrow)]
    data: RawData<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawData<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    #[serde(borrow)]
    code: Cow<'a, str>,
    seq: Option<u64>,
    resumed: bool,
    reason: Option<String>,
}

/// Reads a frame; `None` when it is not as documented.
pub(crate) fn read(text: &str, mode: ClientSocketMode) -> Option<IncomingFrame> {
    let frame: RawFrame<'_> = serde_json::from_str(text).ok()?;
    let (seq, data) = (frame.seq, frame.data);
    // In extended mode every durable event has a sequence number.
    let is_numbered = seq.is_some() == (mode == ClientSocketMode::Extended);
    let incoming = match (frame.kind.as_ref(), mode) {
        ("message", _) if is_numbered => {
            IncomingFrame::Message { id: data.id.into_owned(), content: data.content.into_owned(), seq }
        }
        ("session_update", _) | ("receipt", ClientSocketMode::Extended) if is_numbered => IncomingFrame::Other { seq },
        ("typing", _) => IncomingFrame::Typing,
        ("message" | "session_update" | "receipt", _) | (_, ClientSocketMode::Base) => return None,
        ("hello", ClientSocketMode::Extended) => IncomingFrame::Hello(Hello {
            epoch: data.epoch.into_owned(),
            seq: data.seq?,
            resumed: data.resumed,
            reason: data.reason,
        }),
        ("heartbeat", ClientSocketMode::Extended) => IncomingFrame::Heartbeat(data.seq),
        ("error", ClientSocketMode::Extended) => IncomingFrame::Refused(data.code.into_owned()),
        (_, ClientSocketMode::Extended) => IncomingFrame::Unknown,
    };
    Some(incoming)
}

/// Whether a frame has this type, without reading more of it. The order of its members is the service's choice; when
/// the type comes first, as the service under test has it, nothing is searched.
pub(crate) fn is_type(text: &[u8], wanted: &str) -> bool {
    const MEMBER: &[u8] = br#""type":""#;
    let names_it = |rest: &[u8]| {
        rest.strip_prefix(MEMBER)
            .and_then(|rest| rest.strip_prefix(wanted.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&b'"'))
    };
    match text.strip_prefix(b"{") {
        Some(rest) if rest.starts_with(MEMBER) => names_it(rest),
        _ => (0..text.len()).any(|at| text.get(at..).is_some_and(names_it)),
    }
}

/// The acknowledgement of everything up to this sequence number.
pub(crate) fn ack(seq: u64) -> String {
    format!(r#"{{"type":"ack","data":{{"seq":{seq}}}}}"#)
}

/// The reply to a heartbeat.
pub(crate) fn heartbeat(seq: u64) -> String {
    format!(r#"{{"type":"heartbeat","data":{{"seq":{seq}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str, mode: ClientSocketMode) -> Option<IncomingFrame> {
        read(text, mode)
    }

    #[test]
    fn durable_events_have_a_seq_in_extended_mode_only() {
        let (plain, numbered) = (
            r#"{"type":"message","data":{"id":"m","content":"a\"b"}}"#,
            r#"{"type":"message","data":{"id":"m","content":"a\"b"},"seq":7,"idempotencyKey":"k"}"#,
        );
        let message = |seq| Some(IncomingFrame::Message { id: "m".to_owned(), content: "a\"b".to_owned(), seq });
        assert_eq!(
            (frame(plain, ClientSocketMode::Base), frame(numbered, ClientSocketMode::Extended)),
            (message(None), message(Some(7)))
        );
        assert_eq!((frame(numbered, ClientSocketMode::Base), frame(plain, ClientSocketMode::Extended)), (None, None));
    }

    #[test]
    fn unknown_frames_are_ignored_in_extended_mode_only() {
        let unknown = r#"{"type":"weather","data":{"sun":true}}"#;
        assert_eq!(
            (frame(unknown, ClientSocketMode::Extended), frame(unknown, ClientSocketMode::Base)),
            (Some(IncomingFrame::Unknown), None)
        );
        assert_eq!(frame("[]", ClientSocketMode::Extended), None);
        assert_eq!(frame(r#"{"type":"receipt","data":{"upToSeq":3},"seq":4}"#, ClientSocketMode::Base), None);
    }

    #[test]
    fn the_type_of_a_frame_is_found_at_any_place() {
        for text in [r#"{"type":"message","data":{}}"#, r#"{"data":{"id":"type"},"type":"message"}"#] {
            assert!(is_type(text.as_bytes(), "message") && !is_type(text.as_bytes(), "mess"), "{text}");
        }
        assert!(!is_type(br#"{"type":"receipt","data":{"type":"message"}}"#, "message"));
    }

    #[test]
    fn a_hello_states_whether_the_gap_follows() {
        let hello = r#"{"type":"hello","data":{"epoch":"e","seq":9,"resumed":false,"reason":"fresh","replayed":0}}"#;
        let wanted = Hello { epoch: "e".to_owned(), seq: 9, resumed: false, reason: Some("fresh".to_owned()) };
        assert_eq!(frame(hello, ClientSocketMode::Extended), Some(IncomingFrame::Hello(wanted)));
    }
}
