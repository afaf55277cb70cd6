//! What waits to be written: order, partial writes, one call for many frames, since when it is stuck.

use std::task::Poll;
use std::time::{Duration, Instant};

use crate::{Frame, FrameLimits, WebSocket};
use tokio::io::AsyncReadExt as _;

use super::support::{Script, context};

/// A socket with these texts in its queue, and all the bytes that they are.
fn queued(script: Script, count: usize, now: Instant) -> (WebSocket<Script>, Vec<u8>) {
    let mut socket = WebSocket::new(script, &[], FrameLimits::default());
    let mut bytes = Vec::new();
    for number in 0..count {
        let frame = Frame::text(&format!("frame {number}"));
        bytes.extend(frame.as_bytes());
        socket.queue(frame, now);
    }
    (socket, bytes)
}

fn flush(socket: &mut WebSocket<Script>, now: Instant) -> Poll<()> {
    socket.poll_flush(&mut context(), now).map(Result::unwrap)
}

#[test]
fn all_waiting_frames_are_written_in_one_call_and_in_order() {
    let now = Instant::now();
    let (mut socket, bytes) = queued(Script::writing([usize::MAX]), 64, now);
    assert_eq!((socket.queued_frames(), socket.queued_bytes()), (64, bytes.len()));
    assert_eq!(flush(&mut socket, now), Poll::Ready(()));
    assert_eq!(socket.io().written, bytes);
    assert_eq!(socket.io().slices, [64]);
    assert_eq!((socket.queued_frames(), socket.queued_bytes(), socket.stalled_since()), (0, 0, None));
}

#[test]
fn more_frames_than_slices_take_more_calls() {
    let now = Instant::now();
    let (mut socket, bytes) = queued(Script::writing([usize::MAX; 3]), 150, now);
    assert_eq!(flush(&mut socket, now), Poll::Ready(()));
    assert_eq!(socket.io().written, bytes);
    assert_eq!(socket.io().slices, [64, 64, 22]);
}

#[test]
fn partial_writes_lose_and_repeat_nothing() {
    let now = Instant::now();
    for room in 1..30 {
        let (mut socket, bytes) = queued(Script::writing(vec![room; 1000]), 20, now);
        assert_eq!(flush(&mut socket, now), Poll::Ready(()));
        assert_eq!(socket.io().written, bytes, "{room} bytes at a time");
    }
}

#[test]
fn the_rest_waits_while_there_is_no_room() {
    let now = Instant::now();
    let (mut socket, bytes) = queued(Script::writing([12]), 3, now);
    assert_eq!(flush(&mut socket, now), Poll::Pending);
    // The first frame has 9 bytes, so it is out and the second one is begun.
    assert_eq!((socket.queued_frames(), socket.queued_bytes()), (2, bytes.len() - 12));
    assert_eq!(socket.io().written, bytes[..12]);
}

#[test]
fn it_is_stalled_since_the_last_byte_went_out() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let (mut socket, _) = queued(Script::writing([5]), 1, at(0));
    assert_eq!(socket.stalled_since(), Some(at(0)));
    socket.queue(Frame::text("later"), at(3));
    assert_eq!(socket.stalled_since(), Some(at(0)), "a frame that comes is no progress");
    assert_eq!(flush(&mut socket, at(5)), Poll::Pending);
    assert_eq!(socket.stalled_since(), Some(at(5)), "five bytes went out");
    assert_eq!(flush(&mut socket, at(9)), Poll::Pending);
    assert_eq!(socket.stalled_since(), Some(at(5)), "none went out");
}

#[tokio::test]
async fn a_frame_that_is_partly_written_is_not_discarded() {
    let (ours, mut theirs) = tokio::io::duplex(12);
    let mut socket = WebSocket::new(ours, &[], FrameLimits::default());
    let now = Instant::now();
    for _ in 0..10 {
        socket.queue(Frame::text("7 bytes"), now);
    }
    assert!(socket.poll_flush(&mut context(), now).is_pending());
    // One is written, three bytes of the next one too.
    assert_eq!(socket.queued_frames(), 9);
    socket.discard_queued();
    assert_eq!((socket.queued_frames(), socket.queued_bytes()), (1, 9 - 3));
    socket.queue(Frame::close(1001, ""), now);
    let mut written = Vec::new();
    let (finished, read) = tokio::join!(socket.finish(Duration::from_secs(9)), async {
        theirs.read_to_end(&mut written).await.map(|_| drop(theirs))
    });
    finished.unwrap();
    read.unwrap();
    assert_eq!(
        written,
        [Frame::text("7 bytes").as_bytes(), Frame::text("7 bytes").as_bytes(), Frame::close(1001, "").as_bytes()]
            .concat()
    );
}

#[test]
fn a_queue_without_a_partly_written_frame_is_discarded_whole() {
    let now = Instant::now();
    let (mut socket, _) = queued(Script::default(), 10, now);
    assert_eq!(socket.queued_frames(), 10);
    socket.discard_queued();
    assert_eq!((socket.queued_frames(), socket.queued_bytes(), socket.stalled_since()), (0, 0, None));
    assert_eq!(socket.heap_bytes(), 0);
}

#[test]
fn frames_of_a_tag_are_discarded_and_the_others_keep_their_order() {
    let now = Instant::now();
    let mut socket = WebSocket::new(Script::writing([3]), &[], FrameLimits::default());
    let frame = |number: u32| Frame::text(&format!("frame {number}"));
    for number in 0..9 {
        socket.queue_tagged(frame(number), number % 3, now);
    }
    assert_eq!(flush(&mut socket, now), Poll::Pending, "three bytes of the first are written");
    socket.discard_tagged(1);
    assert_eq!((socket.queued_frames(), socket.queued_bytes()), (6, 6 * 9 - 3));
    let mut socket = WebSocket::new(Script::writing([usize::MAX]), &[], FrameLimits::default());
    for number in 0..9 {
        socket.queue_tagged(frame(number), number % 3, now);
    }
    socket.discard_tagged(2);
    assert_eq!(flush(&mut socket, now), Poll::Ready(()));
    let expected: Vec<u8> =
        [0, 1, 3, 4, 6, 7].into_iter().flat_map(|number| frame(number).as_bytes().to_vec()).collect();
    assert_eq!(socket.io().written, expected);
}

#[test]
fn a_tagged_frame_that_is_partly_written_is_not_discarded() {
    let now = Instant::now();
    let mut socket = WebSocket::new(Script::writing([3]), &[], FrameLimits::default());
    for _ in 0..2 {
        socket.queue_tagged(Frame::text("frame 1"), 1, now);
    }
    assert_eq!(flush(&mut socket, now), Poll::Pending);
    socket.discard_tagged(1);
    assert_eq!((socket.queued_frames(), socket.queued_bytes()), (1, 9 - 3));
}

#[test]
fn a_write_of_zero_bytes_is_an_error() {
    let now = Instant::now();
    let (mut socket, _) = queued(Script::writing([0]), 1, now);
    let Poll::Ready(Err(error)) = socket.poll_flush(&mut context(), now) else { unreachable!("no error") };
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
}
