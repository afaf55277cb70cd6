//! What is refused on sight of a frame's header.

use crate::{FrameLimits, WebSocket};

use super::support::{
    BINARY, CLOSE, CONTINUATION, FIN, IN_2, IN_8, PING, PONG, Script, TEXT, frame, head, name, receive, receive_all,
};

/// A header of a client with a length in eight bytes.
fn long_head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first, IN_8];
    bytes.extend(length.to_be_bytes());
    bytes
}

#[test]
fn headers_are_allowed_or_refused_as_the_table_says() {
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("text", head(FIN | TEXT, 5), "allowed"),
        ("binary", head(FIN | BINARY, 5), "allowed"),
        ("the beginning of a message", head(TEXT, 5), "allowed"),
        ("a ping of 125 bytes", head(FIN | PING, 125), "allowed"),
        ("a close of 125 bytes", head(FIN | CLOSE, 125), "allowed"),
        ("a frame of 16 KiB", head(FIN | BINARY, 16 * 1024), "allowed"),
        ("a first byte", vec![FIN | TEXT], "allowed"),
        ("RSV1", vec![FIN | 0x40 | TEXT], "1002"),
        ("RSV2", vec![FIN | 0x20 | TEXT], "1002"),
        ("RSV3", vec![FIN | 0x10 | TEXT], "1002"),
        ("opcode 3", vec![FIN | 3], "1002"),
        ("opcode 7", vec![FIN | 7], "1002"),
        ("opcode 11", vec![FIN | 0xB], "1002"),
        ("opcode 15", vec![FIN | 0xF], "1002"),
        ("a fragmented ping", vec![PING], "1002"),
        ("a fragmented pong", vec![PONG], "1002"),
        ("a fragmented close", vec![CLOSE], "1002"),
        ("no mask", vec![FIN | TEXT, 5], "1002"),
        ("a ping of 126 bytes", vec![FIN | PING, IN_2], "1002"),
        ("a close of 2^32 bytes", vec![FIN | CLOSE, IN_8], "1002"),
        ("a continuation of nothing", head(FIN | CONTINUATION, 5), "1002"),
        ("5 in two bytes", vec![FIN | TEXT, IN_2, 0, 5], "1002"),
        ("125 in two bytes", vec![FIN | TEXT, IN_2, 0, 125], "1002"),
        ("5 in eight bytes", long_head(FIN | TEXT, 5), "1002"),
        ("2^16 - 1 in eight bytes", long_head(FIN | TEXT, (1 << 16) - 1), "1002"),
        ("16 KiB and one", vec![FIN | TEXT, IN_2, 0x40, 0x01], "1009"),
        ("2^16", long_head(FIN | TEXT, 1 << 16), "1009"),
        ("2^40", long_head(FIN | TEXT, 1 << 40), "1009"),
        ("2^40 in a fragment", long_head(TEXT, 1 << 40), "1009"),
        ("2^63 - 1", long_head(FIN | BINARY, (1 << 63) - 1), "1009"),
        ("2^63", long_head(FIN | BINARY, 1 << 63), "1009"),
        ("2^64 - 1", long_head(FIN | BINARY, u64::MAX), "1009"),
    ];
    let wrong: Vec<String> = table
        .into_iter()
        .map(|(what, bytes, expected)| (what, name(receive(&bytes).1.as_ref()), expected))
        .filter(|(_, found, expected)| found != expected)
        .map(|(what, found, expected)| format!("{what}: {found} in place of {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn behind_a_refused_header_at_most_one_read_is_taken() {
    let mut script = Script::reading(&long_head(FIN | BINARY, 1 << 40), usize::MAX);
    script.endless = vec![0; 1 << 20];
    let mut socket = WebSocket::new(script, &[], FrameLimits::default());
    assert_eq!(name(receive_all(&mut socket).1.as_ref()), "1009");
    assert_eq!(name(receive_all(&mut socket).1.as_ref()), "NotConnected");
    assert!(socket.io().given <= 128 * 1024, "{} bytes read", socket.io().given);
    assert_eq!(socket.heap_bytes(), 0);
}

#[test]
fn the_limit_of_a_frame_is_set_by_the_owner() {
    let limits = FrameLimits { frame_bytes: 10, ..FrameLimits::default() };
    let code = |length| {
        let bytes = frame(FIN | TEXT, &vec![b'a'; length]);
        name(receive_all(&mut WebSocket::new(Script::reading(&bytes, 1), &[], limits)).1.as_ref())
    };
    assert_eq!((code(10).as_str(), code(11).as_str()), ("allowed", "1009"));
}

#[test]
fn after_a_refusal_nothing_is_received() {
    let mut bytes = vec![FIN | 3, 0x80];
    bytes.extend(frame(FIN | TEXT, b"too late"));
    let mut socket = WebSocket::new(Script::reading(&bytes, 1), &[], FrameLimits::default());
    assert_eq!(name(receive_all(&mut socket).1.as_ref()), "1002");
    let (received, broken) = receive_all(&mut socket);
    assert_eq!((received, name(broken.as_ref())), (vec![], "NotConnected".to_owned()));
}
