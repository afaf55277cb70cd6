//! Messages out of frames: fragments, control frames among them, limits, UTF-8.

use crate::{FrameLimits, Incoming, WebSocket};
use bytes::Bytes;

use super::support::{BINARY, CONTINUATION, FIN, PING, PONG, Script, TEXT, frame, head, name, receive, receive_all};

fn text(text: &str) -> Incoming {
    Incoming::Text(text.into())
}

fn binary(bytes: &'static [u8]) -> Incoming {
    Incoming::Binary(Bytes::from_static(bytes))
}

#[test]
fn messages_of_one_frame_come_whole_and_in_order() {
    let bytes = [frame(FIN | TEXT, "höi".as_bytes()), frame(FIN | BINARY, &[0xFF, 0]), frame(FIN | TEXT, b"")].concat();
    let (received, broken) = receive(&bytes);
    assert_eq!(received, [text("höi"), binary(&[0xFF, 0]), text("")]);
    assert!(broken.is_none());
}

#[test]
fn frames_that_came_with_the_handshake_come_first() {
    let early = [frame(FIN | TEXT, b"early"), frame(FIN | TEXT, b"cut")].concat();
    let (early, late) = early.split_at(early.len() - 2);
    let mut socket = WebSocket::new(Script::reading(late, 1), early, FrameLimits::default());
    assert_eq!(receive_all(&mut socket).0, [text("early"), text("cut")]);
}

#[test]
fn control_frames_may_come_between_fragments() {
    let bytes = [
        frame(TEXT, b"one "),
        frame(FIN | PING, b"there?"),
        frame(CONTINUATION, b"two "),
        frame(FIN | PONG, b""),
        frame(CONTINUATION, b""),
        frame(FIN | CONTINUATION, b"three"),
        frame(FIN | TEXT, b"next"),
    ];
    let (received, broken) = receive(&bytes.concat());
    let expected = [
        Incoming::Fragment,
        Incoming::Ping(Bytes::from_static(b"there?")),
        Incoming::Fragment,
        Incoming::Pong(Bytes::new()),
        Incoming::Fragment,
        text("one two three"),
        text("next"),
    ];
    assert_eq!(received, expected, "one for each frame, so that frames can be counted");
    assert!(broken.is_none());
}

#[test]
fn fragments_must_be_in_order() {
    let table = [
        ("a continuation of nothing", vec![frame(FIN | CONTINUATION, b"a")]),
        ("a continuation of a whole message", vec![frame(FIN | TEXT, b"a"), frame(CONTINUATION, b"a")]),
        (
            "a continuation after the end",
            vec![frame(TEXT, b"a"), frame(FIN | CONTINUATION, b"a"), frame(FIN | CONTINUATION, b"a")],
        ),
        ("a message in a message", vec![frame(TEXT, b"a"), frame(FIN | TEXT, b"a")]),
        ("a fragment of another message", vec![frame(BINARY, b"a"), frame(TEXT, b"a")]),
    ];
    for (what, frames) in table {
        assert_eq!(name(receive(&frames.concat()).1.as_ref()), "1002", "{what}");
    }
}

#[test]
fn a_message_has_at_most_16_fragments_empty_ones_included() {
    let fragments = |count: usize| {
        let mut bytes = frame(TEXT, b"");
        bytes.extend(frame(CONTINUATION, b"").repeat(count - 2));
        bytes.extend(frame(FIN | CONTINUATION, b"end"));
        receive(&bytes)
    };
    let (received, broken) = fragments(16);
    assert_eq!(
        (received.len(), received.last(), name(broken.as_ref())),
        (16, Some(&text("end")), "allowed".to_owned())
    );
    let (received, broken) = fragments(17);
    assert_eq!((received.len(), name(broken.as_ref())), (16, "1009".to_owned()));
}

#[test]
fn a_header_that_takes_its_message_above_64_kib_is_refused_at_once() {
    let quarter = vec![b'a'; 16 * 1024];
    let mut bytes = frame(TEXT, &quarter);
    bytes.extend(frame(CONTINUATION, &quarter).repeat(3));
    let full = [bytes.clone(), frame(FIN | CONTINUATION, b"")].concat();
    assert_eq!(receive(&full).0.last(), Some(&text(&"a".repeat(64 * 1024))));
    let header_only = [bytes, head(FIN | CONTINUATION, 1)].concat();
    assert_eq!(name(receive(&header_only).1.as_ref()), "1009");
}

#[test]
fn text_must_be_utf8_and_binary_need_not() {
    for wrong in [&b"\xFF"[..], b"a\xC3", b"\xED\xA0\x80", b"\xC0\xAF", b"\xF4\x90\x80\x80"] {
        assert_eq!(name(receive(&frame(FIN | TEXT, wrong)).1.as_ref()), "1007", "{wrong:?}");
        assert_eq!(receive(&frame(FIN | BINARY, wrong)).0, [Incoming::Binary(wrong.to_vec().into())]);
    }
}

#[test]
fn a_character_may_be_cut_by_a_fragment_but_not_by_the_end() {
    let cut = |last: &[u8]| {
        receive(&[frame(TEXT, b"\xF0\x9F"), frame(CONTINUATION, b"\x98"), frame(FIN | CONTINUATION, last)].concat())
    };
    assert_eq!(cut(b"\x80!").0.last(), Some(&text("\u{1F600}!")));
    assert_eq!(name(cut(b"").1.as_ref()), "1007");
}

#[test]
fn wrong_text_is_refused_at_the_fragment_that_has_it() {
    let (received, broken) = receive(&[frame(TEXT, b"fine"), frame(CONTINUATION, b"\xC3("), frame(PING, b"")].concat());
    assert_eq!((received, name(broken.as_ref())), (vec![Incoming::Fragment], "1007".to_owned()));
}

#[test]
fn the_end_of_the_stream_without_a_close_frame_is_an_error() {
    let mut script = Script::reading(&frame(FIN | TEXT, b"last"), usize::MAX);
    script.reads.push_back(Vec::new());
    let (received, broken) = receive_all(&mut WebSocket::new(script, &[], FrameLimits::default()));
    assert_eq!((received, name(broken.as_ref())), (vec![text("last")], "UnexpectedEof".to_owned()));
}

#[tokio::test]
async fn a_task_that_receives_a_flood_yields_its_thread() {
    let flood = Script { endless: frame(FIN | PING, b"").repeat(1000), ..Script::default() };
    let mut socket = WebSocket::new(flood, &[], FrameLimits::default());
    let mut at_once = 0;
    std::future::poll_fn(|cx| {
        while at_once < 100_000 && socket.poll_recv(cx).is_ready() {
            at_once += 1;
        }
        std::task::Poll::Ready(())
    })
    .await;
    assert!((1..=128).contains(&at_once), "{at_once} frames received without a pause");
    // It was only suspended.
    assert_eq!(super::support::next(&mut socket).await.unwrap(), Incoming::Ping(Bytes::new()));
}
