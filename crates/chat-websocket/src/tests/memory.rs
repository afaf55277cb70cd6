//! What a connection costs while nothing happens, and while a client tries to make it cost more.

use std::time::Instant;

use crate::{Frame, FrameLimits, WebSocket};
use tokio::net::TcpStream;

use super::support::{BINARY, CONTINUATION, FIN, IN_8, PING, Script, TEXT, context, frame, head, name, receive_all};

#[test]
fn a_connection_has_at_most_256_bytes() {
    let size = size_of::<WebSocket<TcpStream>>();
    assert!(size <= 256, "{size} bytes");
}

#[test]
fn an_idle_connection_holds_nothing_on_the_heap() {
    let mut socket = WebSocket::new(Script::default(), &[], FrameLimits::default());
    assert_eq!(receive_all(&mut socket).0, []);
    assert_eq!(socket.heap_bytes(), 0);
}

#[test]
fn memory_for_traffic_is_freed_afterwards() {
    let large = vec![b'a'; 16 * 1024];
    let traffic = [
        frame(TEXT, &large),
        frame(FIN | PING, b"there?"),
        frame(CONTINUATION, &large),
        frame(FIN | CONTINUATION, &large),
        frame(FIN | BINARY, &large),
    ];
    let mut script = Script::reading(&traffic.concat(), 1000);
    script.writes = [usize::MAX; 2].into();
    let mut socket = WebSocket::new(script, &[], FrameLimits::default());
    assert_eq!(receive_all(&mut socket).0.len(), traffic.len());
    let now = Instant::now();
    for _ in 0..100 {
        socket.queue(Frame::text("to be written"), now);
    }
    assert!(socket.heap_bytes() > 0);
    assert!(socket.poll_flush(&mut context(), now).is_ready());
    assert_eq!(socket.heap_bytes(), 0);
}

#[test]
fn an_incomplete_frame_holds_only_its_received_bytes() {
    let header = head(FIN | BINARY, 16 * 1024);
    let mut socket = WebSocket::new(Script::reading(&header, usize::MAX), &[], FrameLimits::default());
    receive_all(&mut socket);
    assert!(socket.heap_bytes() < 64, "{} bytes for a header", socket.heap_bytes());

    let mut bytes = frame(FIN | BINARY, &vec![0; 16 * 1024]);
    bytes.pop();
    let mut socket = WebSocket::new(Script::reading(&bytes, 100), &[], FrameLimits::default());
    receive_all(&mut socket);
    assert!(socket.heap_bytes() <= 2 * bytes.len(), "{} bytes for a frame of 16 KiB", socket.heap_bytes());
}

#[test]
fn an_incomplete_message_holds_at_most_twice_its_limit() {
    let quarter = vec![b'a'; 16 * 1024];
    let mut bytes = frame(TEXT, &quarter);
    bytes.extend(frame(CONTINUATION, &quarter).repeat(3));
    bytes.extend(&frame(CONTINUATION, b"")[..5]);
    let mut socket = WebSocket::new(Script::reading(&bytes, 999), &[], FrameLimits::default());
    assert_eq!(receive_all(&mut socket).0.len(), 4);
    assert!(socket.heap_bytes() <= 2 * 64 * 1024 + 256, "{} bytes", socket.heap_bytes());
}

#[test]
fn behind_a_large_read_a_small_rest_is_small() {
    let mut bytes = frame(FIN | BINARY, b"small").repeat(2000);
    bytes.extend(head(FIN | BINARY, 5));
    let mut socket = WebSocket::new(Script::reading(&bytes, usize::MAX), &[], FrameLimits::default());
    assert_eq!(receive_all(&mut socket).0.len(), 2000);
    assert!(socket.heap_bytes() < 64, "{} bytes", socket.heap_bytes());
}

#[test]
fn headers_that_claim_2_to_40_bytes_hold_no_memory() {
    let mut header = vec![FIN | BINARY, IN_8];
    header.extend((1_u64 << 40).to_be_bytes());
    header.resize(64 * 1024, 0);
    let sockets: Vec<WebSocket<Script>> = (0..100)
        .map(|_| {
            let mut socket = WebSocket::new(Script::reading(&header, 1024), &[], FrameLimits::default());
            assert_eq!(name(receive_all(&mut socket).1.as_ref()), "1009");
            socket
        })
        .collect();
    assert_eq!(sockets.iter().map(WebSocket::heap_bytes).sum::<usize>(), 0);
}
