//! The frames of a multiplexed socket, which has an inbox and subscriptions to many sessions: those of extended mode with
//! the session beside their type, and a few of its own.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Hello, IncomingFrame};

/// The path of a multiplexed socket.
pub const MULTIPLEXED_PATH: &str = "/ws/chat";

/// A frame of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MultiplexedFrame {
    /// The first frame.
    Hello,
    /// A subscription has begun, as a socket of its session would.
    Subscribed { session: String, hello: Hello },
    /// A subscription has ended, or has not begun, with this close code.
    Unsubscribed { session: String, code: u16 },
    /// What a socket of the session would receive.
    OfSession { session: String, frame: IncomingFrame },
    /// A view of the inbox.
    Snapshot { items: Vec<InboxItemPreview> },
    /// A session of a view as it is now; without an item it has left the view.
    Update { item: Option<InboxItemPreview> },
    /// The service is alive.
    Heartbeat,
    /// A frame of the client was refused, with this code.
    Refused(String),
    /// Anything else.
    Unknown,
}

/// What is timed of an item of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxItemPreview {
    pub(crate) session: String,
    /// How its newest message begins; empty when there is none.
    pub(crate) preview: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMultiplexedFrame<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
    seq: Option<u64>,
    #[serde(default, borrow)]
    data: RawMultiplexedData<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawMultiplexedData<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    /// A number or a text.
    code: Value,
    seq: Option<u64>,
    resumed: bool,
    reason: Option<String>,
    items: Vec<RawItem>,
    item: Option<RawItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawItem {
    id: String,
    last_message: Option<RawLastMessage>,
}

#[derive(Deserialize)]
struct RawLastMessage {
    preview: String,
}

impl From<RawItem> for InboxItemPreview {
    fn from(item: RawItem) -> Self {
        Self { session: item.id, preview: item.last_message.map(|message| message.preview).unwrap_or_default() }
    }
}

/// Reads a frame; `None` when it is not as documented.
pub(crate) fn read(text: &str) -> Option<MultiplexedFrame> {
    let frame: RawMultiplexedFrame<'_> = serde_json::from_str(text).ok()?;
    let (seq, data) = (frame.seq, frame.data);
    let session = frame.session_id.map(Cow::into_owned);
    let of_session = |frame| Some(MultiplexedFrame::OfSession { session: session.clone()?, frame });
    match frame.kind.as_ref() {
        "hello" => Some(MultiplexedFrame::Hello),
        "subscribed" => {
            let (epoch, reason) = (data.epoch.into_owned(), data.reason);
            let hello = Hello { epoch, seq: data.seq?, resumed: data.resumed, reason };
            Some(MultiplexedFrame::Subscribed { session: session?, hello })
        }
        "unsubscribed" => {
            let code = u16::try_from(data.code.as_u64()?).ok()?;
            Some(MultiplexedFrame::Unsubscribed { session: session?, code })
        }
        "message" => {
            let (id, content) = (data.id.into_owned(), data.content.into_owned());
            of_session(IncomingFrame::Message { id, content, seq: Some(seq?) })
        }
        "session_update" | "receipt" => of_session(IncomingFrame::Other { seq: Some(seq?) }),
        "typing" => of_session(IncomingFrame::Typing),
        "heartbeat" if session.is_some() => of_session(IncomingFrame::Heartbeat(data.seq)),
        "heartbeat" => Some(MultiplexedFrame::Heartbeat),
        "inbox" => {
            Some(MultiplexedFrame::Snapshot { items: data.items.into_iter().map(InboxItemPreview::from).collect() })
        }
        "inbox_update" => Some(MultiplexedFrame::Update { item: data.item.map(InboxItemPreview::from) }),
        "error" => Some(MultiplexedFrame::Refused(data.code.as_str()?.to_owned())),
        _ => Some(MultiplexedFrame::Unknown),
    }
}

/// Opens the inbox with these views.
pub(crate) fn open_inbox(views: &[String], limit: usize) -> String {
    json!({ "type": "open_inbox", "data": { "views": views, "limit": limit } }).to_string()
}

/// Subscribes to a session, from a position on where one is known.
pub(crate) fn subscribe(session: &str, since: Option<(u64, &str)>) -> String {
    let data = match since {
        Some((seq, epoch)) => json!({ "since": seq, "epoch": epoch }),
        None => json!({}),
    };
    json!({ "type": "subscribe", "sessionId": session, "data": data }).to_string()
}

/// The acknowledgement of everything up to this sequence number of a session.
pub(crate) fn ack_of(session: &str, seq: u64) -> String {
    format!(r#"{{"type":"ack","sessionId":"{session}","data":{{"seq":{seq}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_session_are_those_of_its_own_socket() {
        let message = r#"{"type":"message","sessionId":"s","seq":7,"data":{"id":"m","content":"a"}}"#;
        let frame = IncomingFrame::Message { id: "m".to_owned(), content: "a".to_owned(), seq: Some(7) };
        assert_eq!(read(message), Some(MultiplexedFrame::OfSession { session: "s".to_owned(), frame }));
        let passed = r#"{"type":"heartbeat","sessionId":"s","data":{"seq":8,"serverTime":"t"}}"#;
        let frame = IncomingFrame::Heartbeat(Some(8));
        assert_eq!(read(passed), Some(MultiplexedFrame::OfSession { session: "s".to_owned(), frame }));
        for wrong in [r#"{"type":"message","seq":7,"data":{}}"#, r#"{"type":"message","sessionId":"s","data":{}}"#] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_is_a_number_or_a_text() {
        let ended = r#"{"type":"unsubscribed","sessionId":"s","data":{"code":4403,"reason":"access lost"}}"#;
        assert_eq!(read(ended), Some(MultiplexedFrame::Unsubscribed { session: "s".to_owned(), code: 4403 }));
        let refused = r#"{"type":"error","data":{"code":"NOT_SUBSCRIBED","message":"m","ref":"read"}}"#;
        assert_eq!(read(refused), Some(MultiplexedFrame::Refused("NOT_SUBSCRIBED".to_owned())));
    }

    #[test]
    fn an_item_has_the_beginning_of_its_newest_message() {
        let update = r#"{"type":"inbox_update","sessionId":"s","data":{"view":"mine","item":{"id":"s",
            "lastMessage":{"id":"m","preview":"@1@"},"seq":4},"counts":{}}}"#;
        let item = InboxItemPreview { session: "s".to_owned(), preview: "@1@".to_owned() };
        assert_eq!(read(update), Some(MultiplexedFrame::Update { item: Some(item) }));
        let gone = r#"{"type":"inbox_update","sessionId":"s","data":{"view":"mine","item":null,"counts":{}}}"#;
        assert_eq!(read(gone), Some(MultiplexedFrame::Update { item: None }));
        let snapshot = r#"{"type":"inbox","data":{"view":"mine","items":[{"id":"s","lastMessage":null}],"counts":{}}}"#;
        let item = InboxItemPreview { session: "s".to_owned(), preview: String::new() };
        assert_eq!(read(snapshot), Some(MultiplexedFrame::Snapshot { items: vec![item] }));
    }

    #[test]
    fn a_subscription_resumes_after_a_position() {
        assert_eq!(subscribe("s", None), r#"{"data":{},"sessionId":"s","type":"subscribe"}"#);
        let resumed: Value = serde_json::from_str(&subscribe("s", Some((4, "e")))).unwrap();
        assert_eq!(resumed["data"], json!({ "since": 4, "epoch": "e" }));
    }
}
