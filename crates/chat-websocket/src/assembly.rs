//! Messages out of frames: the order of fragments (RFC 6455 §5.4), their sum, UTF-8 (§8.1).

use std::str;

use bytes::Bytes;
use bytestring::ByteString;

use crate::frame_header::{FrameHeader, Opcode, unmask};
use crate::{FrameLimits, PeerClose, ReceiveError};

/// What one frame of the client brought. Every frame makes exactly one of these, so that frames can be counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// A complete text message.
    Text(ByteString),
    /// A complete binary message.
    Binary(Bytes),
    /// A part of a message whose end is still to come. It only counts as a frame.
    Fragment,
    /// A ping; the pong to it must carry the same bytes, at most 125.
    Ping(Bytes),
    /// A pong, with the bytes of the ping that it answers, or unsolicited.
    Pong(Bytes),
    /// The client closes; nothing comes after it. The response is a close frame, unless one has been sent.
    Close(Option<PeerClose>),
}

/// The message whose fragments are coming in, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    /// On the heap, because nearly no client sends fragments.
    partial: Option<Box<PartialMessage>>,
}

#[derive(Debug)]
struct PartialMessage {
    kind: MessageKind,
    fragments: u32,
    bytes: Vec<u8>,
    /// How many of the bytes are known to be UTF-8; what follows is a character whose end is missing.
    valid: usize,
}

#[derive(Clone, Copy, Debug)]
enum MessageKind {
    Text,
    Binary,
}

impl Assembly {
    /// Whether a frame with this header may come now. Asked before its payload has arrived.
    ///
    /// # Errors
    /// It is out of order, or makes its message too large.
    pub(crate) fn admit(&self, head: &FrameHeader, limits: &FrameLimits) -> Result<(), ReceiveError> {
        let before = match (&self.partial, head.opcode) {
            (_, Opcode::Close | Opcode::Ping | Opcode::Pong) => return Ok(()),
            (None, Opcode::Continuation) => return Err(ReceiveError::Protocol("a continuation without a message")),
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return Err(ReceiveError::Protocol("a new message before the end of another"));
            }
            (None, Opcode::Text | Opcode::Binary) => (0, 0),
            (Some(partial), Opcode::Continuation) => (partial.bytes.len(), partial.fragments),
        };
        let (bytes, fragments) = before;
        if bytes.saturating_add(head.payload) > limits.message_bytes || fragments >= limits.fragments {
            return Err(ReceiveError::TooLarge);
        }
        Ok(())
    }

    /// Takes a frame that was admitted, with its masked payload.
    ///
    /// # Errors
    /// Text that is not UTF-8, or a close that is not allowed.
    pub(crate) fn take(&mut self, head: &FrameHeader, masked: &[u8]) -> Result<Incoming, ReceiveError> {
        match head.opcode {
            Opcode::Ping => Ok(Incoming::Ping(unmasked(head, masked).into())),
            Opcode::Pong => Ok(Incoming::Pong(unmasked(head, masked).into())),
            Opcode::Close => PeerClose::parse(&unmasked(head, masked).into()).map(Incoming::Close),
            Opcode::Text => self.begin(MessageKind::Text, head, masked),
            Opcode::Binary => self.begin(MessageKind::Binary, head, masked),
            Opcode::Continuation => self.continue_with(head, masked),
        }
    }

    fn begin(&mut self, kind: MessageKind, head: &FrameHeader, masked: &[u8]) -> Result<Incoming, ReceiveError> {
        let bytes = unmasked(head, masked);
        if head.fin {
            return complete(kind, bytes);
        }
        let mut partial = Box::new(PartialMessage { kind, fragments: 1, bytes, valid: 0 });
        partial.check()?;
        self.partial = Some(partial);
        Ok(Incoming::Fragment)
    }

    fn continue_with(&mut self, head: &FrameHeader, masked: &[u8]) -> Result<Incoming, ReceiveError> {
        let Some(partial) = &mut self.partial else {
            return Err(ReceiveError::Protocol("a continuation without a message"));
        };
        partial.fragments += 1;
        append_unmasked(&mut partial.bytes, head, masked);
        partial.check()?;
        match self.partial.take_if(|_| head.fin) {
            Some(partial) => complete(partial.kind, partial.bytes),
            None => Ok(Incoming::Fragment),
        }
    }
}

#[cfg(test)]
impl Assembly {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<PartialMessage>() + partial.bytes.capacity())
    }
}

impl PartialMessage {
    /// Refuses text at the fragment in which it goes wrong. A character may be cut by the end of a fragment.
    fn check(&mut self) -> Result<(), ReceiveError> {
        if let MessageKind::Text = self.kind {
            let rest = self.bytes.get(self.valid..).unwrap_or_default();
            match str::from_utf8(rest) {
                Ok(_) => self.valid += rest.len(),
                Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
                Err(_) => return Err(ReceiveError::InvalidUtf8),
            }
        }
        Ok(())
    }
}

fn complete(kind: MessageKind, bytes: Vec<u8>) -> Result<Incoming, ReceiveError> {
    match kind {
        MessageKind::Text => match ByteString::try_from(bytes) {
            Ok(text) => Ok(Incoming::Text(text)),
            Err(_) => Err(ReceiveError::InvalidUtf8),
        },
        MessageKind::Binary => Ok(Incoming::Binary(bytes.into())),
    }
}

fn unmasked(head: &FrameHeader, masked: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(masked.len());
    append_unmasked(&mut bytes, head, masked);
    bytes
}

fn append_unmasked(bytes: &mut Vec<u8>, head: &FrameHeader, masked: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(masked);
    if let Some(new) = bytes.get_mut(start..) {
        unmask(new, head.mask);
    }
}
