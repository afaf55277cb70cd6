//! The frames of both modes as a client understands them. What it does not know it ignores in extended mode, as the
//! protocol asks; in base mode there is nothing else.

use std::borrow::Cow;

use serde::Deserialize;

use super::Mode;

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first frame of extended mode.
    Hello(Hello),
    /// A message was added.
    Message {
        /// Its id.
        id: String,
        /// What it says.
        content: String,
        /// Its position, in extended mode.
        seq: Option<u64>,
    },
    /// Another durable event: of the session, or a receipt.
    Other {
        /// Its position, in extended mode.
        seq: Option<u64>,
    },
    /// Somebody types or stops.
    Typing,
    /// The service lives; everything up to the position was sent, or is of a kind that it does not know.
    Heartbeat(Option<u64>),
    /// A command was refused, with this code.
    Refused(String),
    /// Anything else of extended mode.
    Unknown,
}

/// How a socket of extended mode begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Positions of another epoch mean nothing.
    pub epoch: String,
    /// The session's newest position.
    pub seq: u64,
    /// Whether everything after the position that was asked for follows.
    pub resumed: bool,
    /// Why not.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    seq: Option<u64>,
    #[serde(default, borrow)]
    data: Data<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data<'a> {
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
pub(crate) fn read(text: &[u8], mode: Mode) -> Option<Seen> {
    let frame: Frame<'_> = serde_json::from_slice(text).ok()?;
    let (seq, data) = (frame.seq, frame.data);
    // Where there are positions, every durable event has one.
    let is_placed = seq.is_some() == (mode == Mode::Extended);
    let seen = match (frame.kind.as_ref(), mode) {
        ("message", _) if is_placed => {
            Seen::Message { id: data.id.into_owned(), content: data.content.into_owned(), seq }
        }
        ("session_update", _) | ("receipt", Mode::Extended) if is_placed => Seen::Other { seq },
        ("typing", _) => Seen::Typing,
        ("message" | "session_update" | "receipt", _) | (_, Mode::Base) => return None,
        ("hello", Mode::Extended) => Seen::Hello(Hello {
            epoch: data.epoch.into_owned(),
            seq: data.seq?,
            resumed: data.resumed,
            reason: data.reason,
        }),
        ("heartbeat", Mode::Extended) => Seen::Heartbeat(data.seq),
        ("error", Mode::Extended) => Seen::Refused(data.code.into_owned()),
        (_, Mode::Extended) => Seen::Unknown,
    };
    Some(seen)
}

/// Whether a frame has this type, without reading more of it. The order of its members is the service's choice; when the type
/// comes first, as the service under test has it, nothing is searched.
pub(crate) fn is_kind(text: &[u8], kind: &str) -> bool {
    const MEMBER: &[u8] = br#""type":""#;
    let names_it = |rest: &[u8]| {
        rest.strip_prefix(MEMBER)
            .and_then(|rest| rest.strip_prefix(kind.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&b'"'))
    };
    match text.strip_prefix(b"{") {
        Some(rest) if rest.starts_with(MEMBER) => names_it(rest),
        _ => (0..text.len()).any(|at| text.get(at..).is_some_and(names_it)),
    }
}

/// Everything up to this position has come.
pub(crate) fn ack(seq: u64) -> String {
    format!(r#"{{"type":"ack","data":{{"seq":{seq}}}}}"#)
}

/// The answer to a heartbeat.
pub(crate) fn heartbeat(seq: u64) -> String {
    format!(r#"{{"type":"heartbeat","data":{{"seq":{seq}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, mode: Mode) -> Option<Seen> {
        read(text.as_bytes(), mode)
    }

    #[test]
    fn durable_events_have_a_position_in_extended_mode_and_none_in_base_mode() {
        let (plain, placed) = (
            r#"{"type":"message","data":{"id":"m","content":"a\"b"}}"#,
            r#"{"type":"message","data":{"id":"m","content":"a\"b"},"seq":7,"idempotencyKey":"k"}"#,
        );
        let message = |seq| Some(Seen::Message { id: "m".to_owned(), content: "a\"b".to_owned(), seq });
        assert_eq!((seen(plain, Mode::Base), seen(placed, Mode::Extended)), (message(None), message(Some(7))));
        assert_eq!((seen(placed, Mode::Base), seen(plain, Mode::Extended)), (None, None));
    }

    #[test]
    fn what_is_unknown_is_ignored_in_extended_mode_alone() {
        let unknown = r#"{"type":"weather","data":{"sun":true}}"#;
        assert_eq!((seen(unknown, Mode::Extended), seen(unknown, Mode::Base)), (Some(Seen::Unknown), None));
        assert_eq!(seen("[]", Mode::Extended), None);
        assert_eq!(seen(r#"{"type":"receipt","data":{"upToSeq":3},"seq":4}"#, Mode::Base), None);
    }

    #[test]
    fn the_type_of_a_frame_is_found_wherever_it_stands() {
        for text in [r#"{"type":"message","data":{}}"#, r#"{"data":{"id":"type"},"type":"message"}"#] {
            assert!(is_kind(text.as_bytes(), "message") && !is_kind(text.as_bytes(), "mess"), "{text}");
        }
        assert!(!is_kind(br#"{"type":"receipt","data":{"type":"message"}}"#, "message"));
    }

    #[test]
    fn a_hello_says_whether_the_gap_follows() {
        let hello = r#"{"type":"hello","data":{"epoch":"e","seq":9,"resumed":false,"reason":"fresh","replayed":0}}"#;
        let wanted = Hello { epoch: "e".to_owned(), seq: 9, resumed: false, reason: Some("fresh".to_owned()) };
        assert_eq!(seen(hello, Mode::Extended), Some(Seen::Hello(wanted)));
    }
}
