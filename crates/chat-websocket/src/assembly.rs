//! Messages out of frames: the order of fragments (RFC 6455 §5.4), their sum, UTF-8 (§8.1).

use std::str;

use bytes::Bytes;
use bytestring::ByteString;

use crate::frame_head::{FrameHead, Opcode, unmask};
use crate::{Broken, Limits, PeerClose};

/// What one frame of the client brought. Every frame gives exactly one of these, so that frames can be counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Incoming {
    /// A complete text message.
    Text(ByteString),
    /// A complete binary message.
    Binary(Bytes),
    /// A part of a message whose end is still to come. There is nothing to do with it but to count it.
    Fragment,
    /// To be answered with a pong that carries the same bytes, at most 125.
    Ping(Bytes),
    /// The answer to a ping, with its bytes, or one that nobody asked for.
    Pong(Bytes),
    /// The client closes; nothing comes after it. To be answered with a close frame, unless one has been sent.
    Close(Option<PeerClose>),
}

/// The message whose fragments are coming in, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    /// On the heap, because nearly no client sends fragments.
    begun: Option<Box<Begun>>,
}

#[derive(Debug)]
struct Begun {
    kind: Kind,
    fragments: u32,
    bytes: Vec<u8>,
    /// How many of the bytes are known to be UTF-8; what follows is a character whose end is missing.
    valid: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Binary,
}

impl Assembly {
    /// Bytes of memory held.
    pub(crate) fn held_bytes(&self) -> usize {
        self.begun.as_ref().map_or(0, |begun| size_of::<Begun>() + begun.bytes.capacity())
    }

    /// Whether a frame with this header may come now. Asked before its payload has arrived.
    ///
    /// # Errors
    /// It is out of order, or makes its message too large.
    pub(crate) fn admit(&self, head: &FrameHead, limits: &Limits) -> Result<(), Broken> {
        let before = match (&self.begun, head.opcode) {
            (_, Opcode::Close | Opcode::Ping | Opcode::Pong) => return Ok(()),
            (None, Opcode::Continuation) => return Err(Broken::Protocol("a continuation of nothing")),
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return Err(Broken::Protocol("a new message before the end of another"));
            }
            (None, Opcode::Text | Opcode::Binary) => (0, 0),
            (Some(begun), Opcode::Continuation) => (begun.bytes.len(), begun.fragments),
        };
        let (bytes, fragments) = before;
        if bytes.saturating_add(head.payload) > limits.message_bytes || fragments >= limits.fragments {
            return Err(Broken::TooLarge);
        }
        Ok(())
    }

    /// Takes a frame that was admitted, with its masked payload.
    ///
    /// # Errors
    /// Text that is not UTF-8, or a close that is not allowed.
    pub(crate) fn take(&mut self, head: &FrameHead, masked: &[u8]) -> Result<Incoming, Broken> {
        match head.opcode {
            Opcode::Ping => Ok(Incoming::Ping(unmasked(head, masked).into())),
            Opcode::Pong => Ok(Incoming::Pong(unmasked(head, masked).into())),
            Opcode::Close => PeerClose::parse(&unmasked(head, masked).into()).map(Incoming::Close),
            Opcode::Text => self.begin(Kind::Text, head, masked),
            Opcode::Binary => self.begin(Kind::Binary, head, masked),
            Opcode::Continuation => self.go_on(head, masked),
        }
    }

    fn begin(&mut self, kind: Kind, head: &FrameHead, masked: &[u8]) -> Result<Incoming, Broken> {
        let bytes = unmasked(head, masked);
        if head.fin {
            return complete(kind, bytes);
        }
        let mut begun = Box::new(Begun { kind, fragments: 1, bytes, valid: 0 });
        begun.check()?;
        self.begun = Some(begun);
        Ok(Incoming::Fragment)
    }

    fn go_on(&mut self, head: &FrameHead, masked: &[u8]) -> Result<Incoming, Broken> {
        let Some(begun) = &mut self.begun else { return Err(Broken::Protocol("a continuation of nothing")) };
        begun.fragments += 1;
        append_unmasked(&mut begun.bytes, head, masked);
        begun.check()?;
        match self.begun.take_if(|_| head.fin) {
            Some(begun) => complete(begun.kind, begun.bytes),
            None => Ok(Incoming::Fragment),
        }
    }
}

impl Begun {
    /// Refuses text at the fragment in which it goes wrong. A character may be cut by the end of a fragment.
    fn check(&mut self) -> Result<(), Broken> {
        if let Kind::Text = self.kind {
            let rest = self.bytes.get(self.valid..).unwrap_or_default();
            match str::from_utf8(rest) {
                Ok(_) => self.valid += rest.len(),
                Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
                Err(_) => return Err(Broken::InvalidUtf8),
            }
        }
        Ok(())
    }
}

fn complete(kind: Kind, bytes: Vec<u8>) -> Result<Incoming, Broken> {
    match kind {
        Kind::Text => match ByteString::try_from(bytes) {
            Ok(text) => Ok(Incoming::Text(text)),
            Err(_) => Err(Broken::InvalidUtf8),
        },
        Kind::Binary => Ok(Incoming::Binary(bytes.into())),
    }
}

fn unmasked(head: &FrameHead, masked: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(masked.len());
    append_unmasked(&mut bytes, head, masked);
    bytes
}

fn append_unmasked(bytes: &mut Vec<u8>, head: &FrameHead, masked: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(masked);
    if let Some(new) = bytes.get_mut(start..) {
        unmask(new, head.mask);
    }
}
