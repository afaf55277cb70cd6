//! Frames of RFC 6455 from the client's side. The headers are the library's; what is ours is that a frame is handed out
//! where it lies in the buffer it was read into.

use std::hash::{BuildHasher, RandomState};
use std::io::Cursor;

use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// A frame that claims more is nonsense: the service's largest message has some tens of kilobytes.
const MAX_PAYLOAD: usize = 1 << 20;

/// What a service may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    /// A whole message, not checked for UTF-8.
    Text(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The code; 1005 when there is none (section 7.1.5).
    Close(u16),
}

/// No frame that a service may send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadFrame;

/// Finds frames in a stream of bytes. Holds memory only for a frame or a message that is not complete.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// The beginning of a fragmented message.
    message: Option<Vec<u8>>,
}

impl Parser {
    /// Takes bytes and hands out every frame that is complete by them, in order.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut on: impl FnMut(Incoming<'_>)) -> Result<(), BadFrame> {
        if self.partial.is_empty() {
            let used = self.frames(bytes, &mut on)?;
            self.partial = bytes.get(used..).unwrap_or_default().to_vec();
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        let used = self.frames(&joined, &mut on)?;
        // Copied, so that the capacity is not kept by what is left.
        self.partial = if used == 0 { joined } else { joined.get(used..).unwrap_or_default().to_vec() };
        Ok(())
    }

    /// Answers how many bytes were used.
    fn frames(&mut self, bytes: &[u8], on: &mut impl FnMut(Incoming<'_>)) -> Result<usize, BadFrame> {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let mut cursor = Cursor::new(rest);
            let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| BadFrame)? else { break };
            let head = usize::try_from(cursor.position()).map_err(|_| BadFrame)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= MAX_PAYLOAD).ok_or(BadFrame)?;
            if header.mask.is_some() || header.rsv1 || header.rsv2 || header.rsv3 {
                return Err(BadFrame);
            }
            let Some(payload) = rest.get(head..head + length) else { break };
            self.frame(&header, payload, on)?;
            used += head + length;
        }
        Ok(used)
    }

    fn frame(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        on: &mut impl FnMut(Incoming<'_>),
    ) -> Result<(), BadFrame> {
        match header.opcode {
            OpCode::Data(Data::Text) if header.is_final && self.message.is_none() => on(Incoming::Text(payload)),
            OpCode::Data(Data::Text) if self.message.is_none() => self.message = Some(payload.to_vec()),
            OpCode::Data(Data::Continue) => {
                let mut message = self.message.take().ok_or(BadFrame)?;
                message.extend_from_slice(payload);
                if header.is_final {
                    on(Incoming::Text(&message));
                } else if message.len() <= MAX_PAYLOAD {
                    self.message = Some(message);
                } else {
                    return Err(BadFrame);
                }
            }
            OpCode::Control(Control::Ping) => on(Incoming::Ping(payload)),
            OpCode::Control(Control::Pong) => on(Incoming::Pong),
            OpCode::Control(Control::Close) => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                on(Incoming::Close(code));
            }
            OpCode::Data(_) | OpCode::Control(_) => return Err(BadFrame),
        }
        Ok(())
    }
}

/// Appends a text frame of a client.
pub(crate) fn text(payload: &str, out: &mut Vec<u8>) {
    append(Frame::message(payload.to_owned(), OpCode::Data(Data::Text), true), out);
}

/// Appends the answer to a ping.
pub(crate) fn pong(payload: &[u8], out: &mut Vec<u8>) {
    append(Frame::pong(Bytes::copy_from_slice(payload)), out);
}

/// Appends an empty ping.
pub(crate) fn ping(out: &mut Vec<u8>) {
    append(Frame::ping(Bytes::new()), out);
}

/// Appends a close frame.
pub(crate) fn close(code: u16, out: &mut Vec<u8>) {
    let opcode = OpCode::Control(Control::Close);
    // 1005 stands for a frame without a code and is never sent (section 7.4.1).
    let payload = if code == 1005 { Bytes::new() } else { Bytes::copy_from_slice(&code.to_be_bytes()) };
    append(Frame::from_payload(FrameHeader { opcode, ..FrameHeader::default() }, payload), out);
}

/// A header that claims a payload of `length` bytes, of a text that is `is_final` or not.
pub(crate) fn header(length: u64, is_final: bool) -> Vec<u8> {
    let header =
        FrameHeader { is_final, opcode: OpCode::Data(Data::Text), mask: Some(mask()), ..FrameHeader::default() };
    let mut out = Vec::new();
    let _infallible = header.format(length, &mut out);
    out
}

/// An empty continuation that is not the last one.
pub(crate) fn empty_fragment(out: &mut Vec<u8>) {
    let mut frame = Frame::message(Bytes::new(), OpCode::Data(Data::Continue), false);
    frame.header_mut().mask = Some(mask());
    let _infallible = frame.format(out);
}

fn append(mut frame: Frame, out: &mut Vec<u8>) {
    frame.header_mut().mask = Some(mask());
    let _infallible = frame.format(out);
}

/// A client masks what it sends with bytes that nobody foresees (section 5.3).
fn mask() -> [u8; 4] {
    let [a, b, c, d, ..] = RandomState::new().hash_one(0).to_be_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![opcode, u8::try_from(payload.len()).unwrap()];
        bytes.extend_from_slice(payload);
        bytes
    }

    fn parsed(parser: &mut Parser, pieces: &[&[u8]]) -> Result<Vec<String>, BadFrame> {
        let mut seen = Vec::new();
        for piece in pieces {
            parser.feed(piece, |incoming| {
                seen.push(match incoming {
                    Incoming::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    other => format!("{other:?}"),
                });
            })?;
        }
        Ok(seen)
    }

    #[test]
    fn frames_are_found_wherever_the_stream_is_cut() {
        let stream = [
            server_frame(0x81, b"one"),
            server_frame(0x01, b"tw"),
            server_frame(0x89, b"?"),
            server_frame(0x80, b"o"),
            server_frame(0x88, &4413_u16.to_be_bytes()),
        ]
        .concat();
        for cut in 0..=stream.len() {
            let mut parser = Parser::default();
            let (first, second) = stream.split_at(cut);
            let seen = parsed(&mut parser, &[first, second]).unwrap();
            assert_eq!(seen, ["one", "Ping([63])", "two", "Close(4413)"], "cut at {cut}");
            assert_eq!((parser.partial.capacity(), parser.message.is_none()), (0, true));
        }
    }

    #[test]
    fn what_no_service_may_send_is_refused() {
        let huge = [0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0];
        for bad in [&[0x81, 0x80, 0, 0, 0, 0][..], &[0xC1, 0], &[0x82, 0], &[0x83, 0], &[0x80, 0], &huge] {
            assert_eq!(parsed(&mut Parser::default(), &[bad]), Err(BadFrame), "{bad:?}");
        }
    }

    #[test]
    fn a_client_masks_what_it_sends() {
        let mut out = Vec::new();
        text("hello", &mut out);
        assert_eq!((out[0], out[1], out.len()), (0x81, 0x85, 11));
        let unmasked: Vec<u8> = out[6..].iter().zip(out[2..6].iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(unmasked, b"hello");
        assert_eq!(header(1 << 40, true)[..10], [0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0]);
    }
}
