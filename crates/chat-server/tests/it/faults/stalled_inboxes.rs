//! A client that opens its inbox and stops to read: what waits for it costs the server no work.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::process::processor_time;
use crate::support::{PATIENCE, Person, Scrape, TestServer};

/// Most of what is under way waits in the server then.
const RECEIVE_BUFFER: u32 = 4 * 1024;
/// 40 kB: some hundred fill what the kernel takes.
const CHARACTERS: usize = 10_000;
const MOST_MESSAGES: usize = 500;
const MESSAGES_AT_ONCE: usize = 10;
/// How long the processor's time is looked at, and which part of it an idle server may take. A task that polls without end
/// takes all of it.
const WINDOW: Duration = Duration::from_secs(3);
const MOST_OF_WINDOW: u32 = 5;

/// A socket of many sessions, with an open inbox and one subscription, whose client takes little at once.
async fn open(person: &Person, session: &str) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{}/ws/chat", person.addr()).into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
    request.headers_mut().insert("Sec-WebSocket-Protocol", "chat.v1".parse().unwrap());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
    let stream = socket.connect(person.addr()).await.unwrap();
    let mut socket = client_async(request, stream).await.unwrap().0;
    for frame in [
        json!({ "type": "open_inbox", "data": { "views": ["mine"] } }),
        json!({ "type": "subscribe", "sessionId": session }),
    ] {
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }
    let mut opened = 0;
    while opened < 2 {
        let message = timeout(PATIENCE, socket.next()).await.expect("a frame in time").unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        opened += usize::from(frame["type"] == "inbox" || frame["type"] == "subscribed");
    }
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_that_is_not_read_costs_no_work() {
    let server = TestServer::start().await;
    let (alice, root) = (server.person("alice", "user"), server.person("root", "admin"));
    let session = alice.open_session("stalled").await;
    let stalled = open(&alice, &session).await;
    let content = "\u{1f642}".repeat(CHARACTERS);
    let send = async || {
        let sent = root.post(&format!("/api/chat/sessions/{session}/messages"), &json!({ "content": content })).await;
        Person::json(sent, 201).await;
    };
    let mut sent = 0;
    while Scrape::of(&server).await.sum("chat_subscription_overflows_total") == 0 {
        assert!(sent < MOST_MESSAGES, "the socket takes all of them");
        for _ in 0..MESSAGES_AT_ONCE {
            send().await;
        }
        sent += MESSAGES_AT_ONCE;
    }
    // For the inbox there is something too, which may be taken once the pause after its last update is over.
    send().await;
    sleep(Duration::from_secs(1)).await;
    let (before, since) = (processor_time(&server), Instant::now());
    sleep(WINDOW).await;
    let (took, window) = (processor_time(&server).saturating_sub(before), since.elapsed());
    assert_eq!(Scrape::of(&server).await.sum("chat_sockets_open"), 1, "it is still there, and stalls");
    assert!(took <= window / MOST_OF_WINDOW, "{took:?} of a processor in {window:?}");
    drop(stalled);
}
