//! Connections taken over from a real HTTP server, and refused by it.

use std::convert::Infallible;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_codec::Framed;
use actix_http::{HttpService, Request, Response, h1, ws};
use actix_server::{Server, ServerHandle};
use actix_service::fn_service;
use chat_websocket::{Frame, FrameLimits, Incoming, ReceiveError, WebSocket, accept, lingering_close, refuse};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

const LIMIT: Duration = Duration::from_secs(10);

/// A server that sends each text back, and closes with the client.
fn start() -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::build()
        .workers(1)
        .disable_signals()
        .listen("echo", listener, || {
            HttpService::build()
                .upgrade(fn_service(take_over))
                .finish(fn_service(|_: Request| async { Ok::<_, Infallible>(Response::ok().set_body("plain")) }))
                .tcp()
        })
        .unwrap()
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    (address, handle)
}

async fn take_over((request, framed): (Request, Framed<TcpStream, h1::Codec>)) -> Result<(), Infallible> {
    match ws::handshake(request.head()) {
        Ok(mut response) => {
            let (stream, already_read) = accept(framed, response.finish(), LIMIT).await.unwrap();
            actix_rt::spawn(echo(WebSocket::new(stream, &already_read, FrameLimits::default())));
        }
        Err(error) => {
            let status = Response::from(error).status();
            let response = Response::build(status).body(error.to_string());
            let mut stream = refuse(framed, response, LIMIT).await.unwrap();
            lingering_close(&mut stream, 64 * 1024, LIMIT).await.unwrap();
        }
    }
    Ok(())
}

async fn next(socket: &mut WebSocket<TcpStream>) -> Result<Incoming, ReceiveError> {
    std::future::poll_fn(|cx| socket.poll_recv(cx)).await
}

/// A client's frame with a short payload, under a mask that changes nothing.
fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend(payload);
    bytes
}

async fn echo(mut socket: WebSocket<TcpStream>) {
    while let Ok(incoming) = next(&mut socket).await {
        match incoming {
            Incoming::Text(text) => socket.queue(Frame::text(&text), Instant::now()),
            Incoming::Close(_) => {
                socket.queue(Frame::close(1000, ""), Instant::now());
                return socket.finish(LIMIT).await.unwrap();
            }
            other => unreachable!("{other:?}"),
        }
        std::future::poll_fn(|cx| socket.poll_flush(cx, Instant::now())).await.unwrap();
    }
}

/// Everything that the server writes after these bytes until it closes.
async fn response_to(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn another_implementation_talks_to_a_connection_that_was_taken_over() {
    let (address, server) = start();
    let (mut client, _) = connect_async(format!("ws://{address}/anything")).await.unwrap();
    for text in ["hello", "", &"ä".repeat(8000)] {
        client.send(Message::text(text)).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
    }
    client.close(None).await.unwrap();
    assert!(matches!(client.next().await.unwrap().unwrap(), Message::Close(Some(_))));
    assert!(client.next().await.is_none());
    server.stop(false).await;
}

#[tokio::test]
async fn frames_right_behind_the_handshake_are_not_lost() {
    let (address, server) = start();
    let mut bytes = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    bytes.extend(client_frame(1, b"impatient"));
    bytes.extend(client_frame(8, b""));
    let response = response_to(&address, &bytes).await;
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    assert!(response.to_lowercase().contains("\r\nconnection: upgrade\r\n"), "{response}");
    assert!(!response.to_lowercase().contains("content-length"), "{response}");
    assert!(response.contains("\r\n\r\n\u{FFFD}\timpatient"), "{response:?}");
    server.stop(false).await;
}

#[tokio::test]
async fn a_refusal_is_a_whole_response_and_ends_the_connection() {
    let (address, server) = start();
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 8\r\n\r\nand bytes that are never parsed";
    let response = response_to(&address, request).await;
    assert!(response.starts_with("HTTP/1.1 426 "), "{response}");
    assert!(response.to_lowercase().contains("\r\nconnection: close\r\n"), "{response}");
    assert!(response.contains("\r\ncontent-length: 29\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nunsupported WebSocket version"), "{response}");
    server.stop(false).await;
}

#[tokio::test]
async fn another_implementation_understands_a_refusal() {
    let (address, server) = start();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Version", "8".parse().unwrap());
    let Err(Error::Http(response)) = connect_async(request).await else { unreachable!("it was not refused") };
    assert_eq!(response.status(), 426);
    server.stop(false).await;
}

#[tokio::test]
async fn other_requests_stay_with_the_http_server() {
    let (address, server) = start();
    let response = response_to(&address, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("plain"), "{response}");
    server.stop(false).await;
}
