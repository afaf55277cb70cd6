//! The end of a connection: nothing that was written is lost, and no peer can hold it open.

use std::time::{Duration, Instant};

use chat_websocket::{Frame, FrameLimits, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::{TcpListener, TcpStream};

const LIMIT: Duration = Duration::from_secs(5);

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (ours, theirs) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
    (ours.unwrap().0, theirs.unwrap())
}

#[tokio::test]
async fn a_client_that_still_sends_gets_the_close_frame_and_no_reset() {
    let (ours, mut theirs) = tcp_pair().await;
    // Never read by the server, so that a plain close of the socket would send a reset.
    theirs.write_all(&vec![0; 64 * 1024]).await.unwrap();
    ours.readable().await.unwrap();
    let mut socket = WebSocket::new(ours, &[], FrameLimits::default());
    let close = Frame::close(1009, "");
    socket.queue(close.clone(), Instant::now());
    let finishing = tokio::spawn(socket.finish(LIMIT));
    let mut received = Vec::new();
    theirs.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, close.as_bytes());
    // The server reads on until the client closes.
    theirs.write_all(b"more").await.unwrap();
    drop(theirs);
    finishing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_dropped_at_the_limit() {
    let (ours, _theirs) = duplex(3);
    let mut socket = WebSocket::new(ours, &[], FrameLimits::default());
    socket.queue(Frame::close(1000, "more than three bytes"), Instant::now());
    let start = tokio::time::Instant::now();
    assert_eq!(socket.finish(LIMIT).await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert!((LIMIT..LIMIT * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_close_is_dropped_at_the_limit() {
    let (ours, _theirs) = duplex(100);
    let mut socket = WebSocket::new(ours, &[], FrameLimits::default());
    socket.queue(Frame::close(1000, ""), Instant::now());
    let start = tokio::time::Instant::now();
    assert_eq!(socket.finish(LIMIT).await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert!((LIMIT..LIMIT * 2).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_stops_sending_is_dropped_at_the_limit() {
    let (ours, mut theirs) = duplex(4096);
    let socket = WebSocket::new(ours, &[], FrameLimits::default());
    let sending = tokio::spawn(async move {
        let mut sent = 0_u64;
        while theirs.write_all(&[0; 1024]).await.is_ok() {
            sent += 1024;
        }
        sent
    });
    socket.finish(LIMIT).await.unwrap();
    let sent = sending.await.unwrap();
    assert!(sent <= 1100 * 1024, "{sent} bytes were read after the close");
}

#[tokio::test]
async fn a_lost_connection_is_an_error() {
    let (ours, theirs) = duplex(100);
    drop(theirs);
    let mut socket = WebSocket::new(ours, &[], FrameLimits::default());
    socket.queue(Frame::close(1000, ""), Instant::now());
    assert_eq!(socket.finish(LIMIT).await.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
}
