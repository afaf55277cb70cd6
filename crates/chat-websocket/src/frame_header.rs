//! The header of a client's frame (RFC 6455 §5.2), and what is refused on sight of it.
//!
//! A header is refused as soon as the byte that is wrong has arrived, before room is made for the payload that it claims:
//! the parser of `actix_http` waits for the whole frame first, so that a header that claims 2^40 bytes fills the memory.
//! It also needs the frame in a buffer of the connection's own, where this one reads from a buffer that all connections
//! of a thread share. What a frame means within its message is the concern of `assembly`.

use crate::{FrameLimits, ReceiveError};

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;
/// In place of a length: the next two bytes have it.
const LENGTH_IN_2: u8 = 126;
/// In place of a length: the next eight bytes have it.
const LENGTH_IN_8: u8 = 127;
/// The most that a control frame may carry (RFC 6455 §5.5).
pub(crate) const CONTROL_BYTES: usize = 125;

/// The kinds of frames (RFC 6455 §11.8).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Continuation),
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            8 => Some(Self::Close),
            9 => Some(Self::Ping),
            10 => Some(Self::Pong),
            _ => None,
        }
    }

    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A header that is allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameHeader {
    /// Whether the frame is the last one of its message.
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    pub(crate) mask: [u8; 4],
    /// Bytes of the payload.
    pub(crate) payload: usize,
    /// Bytes of the header itself: 6, 8 or 14.
    pub(crate) bytes: usize,
}

impl FrameHeader {
    /// The header at the beginning of `input`; `None` while bytes of it are missing.
    ///
    /// # Errors
    /// No client may send this, whatever follows.
    pub(crate) fn parse(input: &[u8], limits: &FrameLimits) -> Result<Option<Self>, ReceiveError> {
        let Some((&first, input)) = input.split_first() else { return Ok(None) };
        let fin = first & FIN != 0;
        if first & RESERVED != 0 {
            return Err(ReceiveError::Protocol("reserved bits are set"));
        }
        let opcode = Opcode::parse(first & OPCODE).ok_or(ReceiveError::Protocol("unknown opcode"))?;
        if opcode.is_control() && !fin {
            return Err(ReceiveError::Protocol("fragmented control frame"));
        }

        let Some((&second, input)) = input.split_first() else { return Ok(None) };
        if second & MASKED == 0 {
            return Err(ReceiveError::Protocol("unmasked frame"));
        }
        if opcode.is_control() && usize::from(second & LENGTH) > CONTROL_BYTES {
            return Err(ReceiveError::Protocol("control frame of more than 125 bytes"));
        }
        let extended_bytes = match second & LENGTH {
            LENGTH_IN_2 => 2,
            LENGTH_IN_8 => 8,
            _ => 0,
        };
        let Some((extended, input)) = input.split_at_checked(extended_bytes) else { return Ok(None) };
        let payload = payload_bytes(second & LENGTH, extended)?;
        if payload > limits.frame_bytes && !opcode.is_control() {
            return Err(ReceiveError::TooLarge);
        }

        let Some((&mask, _)) = input.split_first_chunk() else { return Ok(None) };
        Ok(Some(Self { fin, opcode, mask, payload, bytes: 2 + extended_bytes + mask.len() }))
    }
}

/// The length of the payload: the seven bits, or the bytes that extend them, which must be as few as it needs.
fn payload_bytes(seven_bits: u8, extended: &[u8]) -> Result<usize, ReceiveError> {
    let length = extended.iter().fold(0, |length: u64, byte| length << 8 | u64::from(*byte));
    let least = match seven_bits {
        LENGTH_IN_2 => u64::from(LENGTH_IN_2),
        LENGTH_IN_8 => 1 << 16,
        length => return Ok(usize::from(length)),
    };
    if length < least {
        return Err(ReceiveError::Protocol("a length in more bytes than it needs"));
    }
    usize::try_from(length).map_err(|_| ReceiveError::TooLarge)
}

/// Takes the mask off (RFC 6455 §5.3), eight bytes at a time. Put on twice, it is off.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
    // At most seven are left, and the mask has four.
    for (byte, key) in rest.iter_mut().skip(mask.len()).zip(mask) {
        *byte ^= key;
    }
}
