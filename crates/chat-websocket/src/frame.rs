//! Frames of the server, encoded and ready to be written to any number of clients.

use actix_http::ws::{OpCode, Parser};
use bytes::{Bytes, BytesMut};

use crate::frame_header::CONTROL_BYTES;

/// An encoded frame: header and payload, unmasked as a server's frames are (RFC 6455 §5.1), never a fragment.
///
/// A clone shares the bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text message.
    #[must_use]
    pub fn text(payload: &str) -> Self {
        Self::encode(OpCode::Text, payload.as_bytes())
    }

    /// A ping. Of its payload no more than 125 bytes are sent.
    #[must_use]
    pub fn ping(payload: &[u8]) -> Self {
        Self::control(OpCode::Ping, payload)
    }

    /// The pong that answers a ping, with the ping's payload. Of that no more than 125 bytes are sent.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        Self::control(OpCode::Pong, payload)
    }

    /// A close frame; nothing may follow it. Of the reason no more than 123 bytes are sent, in whole characters.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        let end = reason.floor_char_boundary(CONTROL_BYTES - payload.len());
        payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
        Self::control(OpCode::Close, &payload)
    }

    /// A frame that was encoded before: the bytes of [`into_bytes`](Self::into_bytes), kept to share them.
    #[must_use]
    pub fn from_encoded(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes that go over the wire, to be kept.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The bytes that go over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn control(opcode: OpCode, payload: &[u8]) -> Self {
        Self::encode(opcode, payload.get(..CONTROL_BYTES).unwrap_or(payload))
    }

    fn encode(opcode: OpCode, payload: &[u8]) -> Self {
        let mut bytes = BytesMut::new();
        Parser::write_message(&mut bytes, payload, opcode, true, false);
        Self(bytes.freeze())
    }
}
