//! Sends every message back: the smallest whole server on this crate, and what the Autobahn test suite is run against.
//!
//! `cargo run -p chat-websocket --example echo` prints the address that it listens on. It ends with its standard input.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_codec::Framed;
use actix_http::ws::{self, OpCode, Parser};
use actix_http::{HttpService, Request, Response, h1};
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::fn_service;
use bytes::{Bytes, BytesMut};
use chat_websocket::{
    Frame, FrameLimits, Incoming, PeerClose, ReceiveError, WebSocket, accept, lingering_close, refuse,
};
use tokio::io::AsyncReadExt as _;

/// Larger than what a chat allows: the suite sends messages of 64 KiB in one frame, and in frames of one byte.
const LIMITS: FrameLimits = FrameLimits { frame_bytes: 1 << 20, message_bytes: 16 << 20, fragments: 1 << 20 };
/// How long a closing handshake may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How much of what a client sends after its response is read and dropped.
const CLOSE_BYTES: u64 = 64 * 1024;
/// How much may wait for a client before its messages wait too.
const QUEUED_BYTES: usize = 1 << 20;

#[expect(clippy::print_stdout, reason = "an example talks to who runs it")]
fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    actix_rt::System::new().block_on(async {
        let server = Server::build()
            .workers(1)
            .disable_signals()
            .listen("echo", listener, || {
                HttpService::build()
                    .upgrade(fn_service(take_over))
                    .finish(fn_service(|_: Request| async { Ok::<_, Infallible>(Response::not_found()) }))
                    .tcp()
            })?
            .run();
        let handle = server.handle();
        actix_rt::spawn(async move {
            let mut rest = Vec::new();
            let _end = tokio::io::stdin().read_to_end(&mut rest).await;
            handle.stop(false).await;
        });
        server.await
    })
}

/// What the HTTP server calls for a request that wants a WebSocket. A client that is gone by then is no error of ours.
async fn take_over((request, framed): (Request, Framed<TcpStream, h1::Codec>)) -> Result<(), Infallible> {
    match ws::handshake(request.head()) {
        Ok(mut response) => {
            if let Ok((stream, already_read)) = accept(framed, response.finish(), CLOSE_LIMIT).await {
                // A task of its own, so that what the HTTP server has for the connection is freed.
                actix_rt::spawn(echo(WebSocket::new(stream, &already_read, LIMITS)));
            }
        }
        Err(error) => {
            if let Ok(mut stream) = refuse(framed, Response::from(error), CLOSE_LIMIT).await {
                let _gone = lingering_close(&mut stream, CLOSE_BYTES, CLOSE_LIMIT).await;
            }
        }
    }
    Ok(())
}

async fn echo(mut socket: WebSocket<TcpStream>) {
    let end = poll_fn(|cx| poll_echo(&mut socket, cx)).await;
    if let Some(close) = end {
        socket.queue(close, Instant::now());
        // A client that is gone by now has missed nothing.
        let _gone = socket.finish(CLOSE_LIMIT).await;
    }
}

/// Receives what there is, then writes all responses at once. Ready with the last frame, or with nothing when the client is
/// gone.
fn poll_echo(socket: &mut WebSocket<TcpStream>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
    loop {
        let received_all = loop {
            if socket.queued_bytes() >= QUEUED_BYTES {
                break false;
            }
            let now = Instant::now();
            match socket.poll_recv(cx) {
                Poll::Pending => break true,
                Poll::Ready(Ok(Incoming::Text(text))) => socket.queue(Frame::text(&text), now),
                Poll::Ready(Ok(Incoming::Binary(bytes))) => socket.queue(binary(&bytes), now),
                Poll::Ready(Ok(Incoming::Ping(bytes))) => socket.queue(Frame::pong(&bytes), now),
                Poll::Ready(Ok(Incoming::Pong(_) | Incoming::Fragment)) => {}
                Poll::Ready(Ok(Incoming::Close(close))) => return Poll::Ready(Some(close_response(close.as_ref()))),
                Poll::Ready(Err(error)) => return Poll::Ready(close_after(&error)),
            }
        };
        match socket.poll_flush(cx, Instant::now()) {
            Poll::Ready(Err(_)) => return Poll::Ready(None),
            // There is room again, and no other event would wake this task to receive.
            Poll::Ready(Ok(())) if !received_all => {}
            Poll::Ready(Ok(())) | Poll::Pending => return Poll::Pending,
        }
    }
}

/// A binary message. The service itself sends none.
fn binary(payload: &[u8]) -> Frame {
    encoded(OpCode::Binary, payload)
}

fn encoded(opcode: OpCode, payload: &[u8]) -> Frame {
    let mut bytes = BytesMut::new();
    Parser::write_message(&mut bytes, payload, opcode, true, false);
    Frame::from_encoded(Bytes::from(bytes))
}

fn close_response(close: Option<&PeerClose>) -> Frame {
    close.map_or_else(|| encoded(OpCode::Close, b""), |close| Frame::close(close.code, &close.reason))
}

fn close_after(error: &ReceiveError) -> Option<Frame> {
    let code = match error {
        ReceiveError::Protocol(_) => 1002,
        ReceiveError::InvalidUtf8 => 1007,
        ReceiveError::TooLarge => 1009,
        ReceiveError::Io(_) => return None,
    };
    Some(Frame::close(code, ""))
}
