//! Whatever the network does to a stream of bytes, the messages in it are the same; and another implementation agrees
//! with this one on how frames are written.

use std::time::Instant;

use crate::{Frame, FrameLimits, Incoming, PeerClose, WebSocket};
use actix_codec::{Decoder as _, Encoder as _};
use actix_http::ws::{Codec, Frame as TheirFrame, Item, Message};
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use super::support::{Script, context, receive, receive_all};

/// What a client sends, and what it brings.
#[derive(Clone, Debug)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A message in parts.
    Parts(Vec<Vec<u8>>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        ".{0,50}".prop_map(Sent::Text),
        vec(any::<u8>(), 0..300).prop_map(Sent::Binary),
        (16_000..=16_384_usize).prop_map(pattern).prop_map(Sent::Binary),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Ping),
        vec(any::<u8>(), 0..=125).prop_map(Sent::Pong),
        vec(vec(any::<u8>(), 0..200), 2..16).prop_map(Sent::Parts),
    ]
}

/// Many bytes, without a decision for each.
fn pattern(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

/// The bytes of what is sent, by the client's side of `actix_http`.
fn encode(sent: &[Sent]) -> BytesMut {
    let mut codec = Codec::new().client_mode();
    let mut bytes = BytesMut::new();
    for message in sent.iter().flat_map(messages) {
        codec.encode(message, &mut bytes).unwrap();
    }
    bytes
}

fn messages(sent: &Sent) -> Vec<Message> {
    match sent {
        Sent::Text(text) => vec![Message::Text(text.as_str().into())],
        Sent::Binary(bytes) => vec![Message::Binary(bytes.clone().into())],
        Sent::Ping(bytes) => vec![Message::Ping(bytes.clone().into())],
        Sent::Pong(bytes) => vec![Message::Pong(bytes.clone().into())],
        Sent::Parts(parts) => {
            let last = parts.len() - 1;
            let item = |(index, part): (usize, &Vec<u8>)| match (index, Bytes::from(part.clone())) {
                (0, part) => Item::FirstBinary(part),
                (index, part) if index == last => Item::Last(part),
                (_, part) => Item::Continue(part),
            };
            parts.iter().enumerate().map(item).map(Message::Continuation).collect()
        }
    }
}

fn expected(sent: &[Sent]) -> Vec<Incoming> {
    let mut incoming = Vec::new();
    for sent in sent {
        let last = match sent {
            Sent::Text(text) => Incoming::Text(text.as_str().into()),
            Sent::Binary(bytes) => Incoming::Binary(bytes.clone().into()),
            Sent::Ping(bytes) => Incoming::Ping(bytes.clone().into()),
            Sent::Pong(bytes) => Incoming::Pong(bytes.clone().into()),
            Sent::Parts(parts) => {
                incoming.extend(vec![Incoming::Fragment; parts.len() - 1]);
                Incoming::Binary(parts.concat().into())
            }
        };
        incoming.push(last);
    }
    incoming
}

/// The bytes in pieces of these sizes, over and over.
fn pieces(mut bytes: &[u8], sizes: &[usize]) -> Script {
    let mut script = Script::default();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(*size));
        script.reads.push_back(piece.to_vec());
        bytes = rest;
    }
    script
}

proptest! {
    #[test]
    fn messages_do_not_depend_on_how_the_stream_is_cut(
        sent in vec(sent(), 0..20),
        sizes in vec(prop_oneof![1..20_usize, 1..20_000_usize], 1..10),
        early in 0..100_usize,
    ) {
        let bytes = encode(&sent);
        let (early, late) = bytes.split_at(early.min(bytes.len()));
        let mut socket = WebSocket::new(pieces(late, &sizes), early, FrameLimits::default());
        let (received, broken) = receive_all(&mut socket);
        prop_assert!(broken.is_none(), "{broken:?}");
        prop_assert_eq!(received, expected(&sent));
        prop_assert_eq!(socket.heap_bytes(), 0);
    }

    #[test]
    fn no_bytes_cause_a_panic_or_exceed_the_limits_of_memory(bytes in vec(any::<u8>(), 0..2000), size in 1..100_usize) {
        let mut socket = WebSocket::new(pieces(&bytes, &[size]), &[], FrameLimits::default());
        let (_, broken) = receive_all(&mut socket);
        if broken.is_some() {
            prop_assert_eq!(socket.heap_bytes(), 0);
        } else {
            prop_assert!(socket.heap_bytes() <= 2 * bytes.len() + 256);
        }
    }

    #[test]
    fn another_implementation_reads_what_is_written(
        lengths in vec(prop_oneof![0..200_usize, 65_000..66_000_usize], 1..5),
        rooms in vec(1000..100_000_usize, 1..5),
    ) {
        let payloads: Vec<String> = lengths.iter().map(|length| "a".repeat(*length)).collect();
        let writes: Vec<usize> = rooms.iter().copied().cycle().take(2000).collect();
        let mut socket = WebSocket::new(Script::writing(writes), &[], FrameLimits::default());
        let now = Instant::now();
        for payload in &payloads {
            socket.queue(Frame::text(payload), now);
        }
        prop_assert!(socket.poll_flush(&mut context(), now).is_ready());
        let mut codec = Codec::new().client_mode().max_size(1 << 20);
        let mut written = BytesMut::from(&socket.io().written[..]);
        for payload in payloads {
            let payload = Bytes::from(payload);
            prop_assert_eq!(codec.decode(&mut written).unwrap(), Some(TheirFrame::Text(payload)));
        }
        prop_assert!(written.is_empty());
    }
}

#[test]
fn lengths_at_the_edges_of_their_forms_are_written_and_read() {
    let limits = FrameLimits { frame_bytes: 1 << 20, message_bytes: 1 << 20, fragments: 1 };
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537] {
        let payload = vec![0xA5; length];
        let mut socket = WebSocket::new(Script::reading(&encode(&[Sent::Binary(payload.clone())]), 4000), &[], limits);
        assert_eq!(receive_all(&mut socket).0, [Incoming::Binary(payload.clone().into())], "{length} bytes read");
        let text = "a".repeat(length);
        let mut written = BytesMut::from(Frame::text(&text).as_bytes());
        let read = Codec::new().client_mode().max_size(1 << 20).decode(&mut written).unwrap();
        assert_eq!(read, Some(TheirFrame::Text(text.into())), "{length} bytes written");
    }
}

#[test]
fn another_implementations_close_is_read() {
    let mut bytes = BytesMut::new();
    let close = actix_http::ws::CloseReason::from((actix_http::ws::CloseCode::Away, "leaving"));
    Codec::new().client_mode().encode(Message::Close(Some(close)), &mut bytes).unwrap();
    assert_eq!(receive(&bytes).0, [Incoming::Close(Some(PeerClose { code: 1001, reason: "leaving".into() }))]);
}
