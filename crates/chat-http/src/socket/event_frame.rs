//! Events of the session as encoded frames, shared by the sockets of a mode where they can be.

use chat_domain::model::{EventChange, LiveEvent, UserId};
use chat_domain::ports::SharedEvent;
use chat_websocket::Frame;

use crate::base_url::BaseUrl;
use crate::socket_protocol::{EncodedFrames, SocketMode, encode_event};

/// Who gets the frame, and how.
pub(super) struct Recipient<'a> {
    pub(super) viewer: &'a UserId,
    pub(super) mode: SocketMode,
    pub(super) base: &'a BaseUrl,
    /// Whether the operator has configured the public address, so that `base` is the same for all sockets.
    pub(super) base_is_configured: bool,
}

/// The event as a frame, if the mode has one for it. One encoding serves all sockets of a mode, except where it holds an
/// address derived from the request, or the sender's idempotency key.
pub(super) fn event_frame(published: &SharedEvent, recipient: &Recipient<'_>) -> Option<Frame> {
    let Recipient { viewer, mode, base, base_is_configured } = *recipient;
    let event = published.event();
    let mut is_individual = false;
    let mut own_key = false;
    if let LiveEvent::Durable(event) = event
        && let EventChange::Message(message) = &event.change
    {
        own_key = mode != SocketMode::Base && event.key.is_some() && event.actor == *viewer;
        is_individual = own_key || (!base_is_configured && !message.attachments.is_empty());
    }
    if is_individual {
        return encode_event(event, mode, base, own_key).as_deref().map(text_frame);
    }
    let encode = || {
        let json = encode_event(event, mode, base, false);
        // An event without a frame in this mode is kept as no bytes.
        json.as_deref().map(text_frame).map(Frame::into_bytes).unwrap_or_default()
    };
    let bytes = match published.derived(EncodedFrames::default) {
        Some(frames) => frames.get(mode, encode),
        None => encode(),
    };
    (!bytes.is_empty()).then(|| Frame::from_encoded(bytes))
}

/// JSON as a text frame.
pub(super) fn text_frame(json: &[u8]) -> Frame {
    // serde_json writes UTF-8.
    Frame::text(std::str::from_utf8(json).unwrap_or_default())
}
