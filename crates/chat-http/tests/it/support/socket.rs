//! A WebSocket client.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a frame that must come may take; far more than it needs, so that only a lost one runs into it.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open socket. Pings are answered while a frame is awaited.
pub(crate) struct TestSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl TestSocket {
    pub(crate) async fn open(base: &str, session: &str, query: &str, token: &str) -> Self {
        Self::accepted(base, session, query, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// Opens a socket in extended mode, and returns it with the data of its `hello`.
    pub(crate) async fn open_extended(base: &str, session: &str, query: &str, token: &str) -> (Self, Value) {
        let token = format!("Bearer {token}");
        let headers = [("authorization", token.as_str()), ("sec-websocket-protocol", "chat.v1")];
        let mut socket = Self::accepted(base, session, query, &headers).await;
        let mut hello = socket.next().await;
        assert_eq!(hello["type"], "hello", "{hello}");
        let data = hello["data"].take();
        (socket, data)
    }

    /// Opens a socket of many sessions, and returns it with the data of its `hello`.
    pub(crate) async fn open_multiplexed(base: &str, token: &str) -> (Self, Value) {
        let token = format!("Bearer {token}");
        let headers = [("authorization", token.as_str()), ("sec-websocket-protocol", "chat.v1")];
        let mut socket = match Self::try_open_multiplexed(base, "", &headers).await {
            Ok(socket) => socket,
            Err(status) => panic!("the socket was refused with {status}"),
        };
        let mut hello = socket.next().await;
        assert_eq!(hello["type"], "hello", "{hello}");
        let data = hello["data"].take();
        (socket, data)
    }

    /// The same with any headers and query, or returns the status with which it was refused.
    pub(crate) async fn try_open_multiplexed(
        base: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        Self::connect_to(base, "/ws/chat", query, headers).await.map_err(|refusal| refusal.status().as_u16())
    }

    /// Opens a socket with any headers, or returns the status with which it was refused.
    pub(crate) async fn try_open(
        base: &str,
        session: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        Self::connect(base, session, query, headers).await.map_err(|refusal| refusal.status().as_u16())
    }

    async fn accepted(base: &str, session: &str, query: &str, headers: &[(&'static str, &str)]) -> Self {
        match Self::connect(base, session, query, headers).await {
            Ok(socket) => socket,
            Err(refusal) => {
                let body = refusal.body().as_deref().map(String::from_utf8_lossy);
                panic!("the socket was refused with {}: {}", refusal.status(), body.unwrap_or_default())
            }
        }
    }

    async fn connect(
        base: &str,
        session: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<Response<Option<Vec<u8>>>>> {
        Self::connect_to(base, &format!("/ws/chat/{session}"), query, headers).await
    }

    async fn connect_to(
        base: &str,
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<Response<Option<Vec<u8>>>>> {
        let url = format!("{}{path}{query}", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_str(value).expect("a header"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(response)) => Err(response),
            Err(error) => panic!("no answer to the handshake: {error}"),
        }
    }

    /// The next text frame as JSON.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_message().await {
            Message::Text(text) => serde_json::from_str(&text).expect("a frame of JSON"),
            other => panic!("expected a text frame, got {other:?}"),
        }
    }

    /// The number and the reason of the close frame that must come next.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.next_message().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("expected a close frame, got {other:?}"),
        }
    }

    /// The same after any frames of one type.
    pub(crate) async fn closed_after(&mut self, kind: &str) -> (u16, String) {
        loop {
            match self.next_message().await {
                Message::Close(Some(frame)) => return (frame.code.into(), frame.reason.to_string()),
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("a frame of JSON");
                    assert_eq!(frame["type"], kind, "{frame}");
                }
                other => panic!("expected a close frame, got {other:?}"),
            }
        }
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("the frame is sent");
    }

    /// Sends a frame of the extended mode.
    pub(crate) async fn say(&mut self, kind: &str, data: Value) {
        self.send(Message::text(json!({ "type": kind, "data": data }).to_string())).await;
    }

    /// Sends a frame about a session, on a socket of many.
    pub(crate) async fn say_of(&mut self, session: &str, kind: &str, data: Value) {
        let frame = json!({ "type": kind, "sessionId": session, "data": data });
        self.send(Message::text(frame.to_string())).await;
    }

    /// Subscribes to a session, and returns the data of `subscribed`, the next frame.
    pub(crate) async fn subscribe(&mut self, session: &str, from: Value) -> Value {
        self.say_of(session, "subscribe", from).await;
        let mut frame = self.next().await;
        assert_eq!((&frame["type"], &frame["sessionId"]), (&json!("subscribed"), &json!(session)), "{frame}");
        frame["data"].take()
    }

    /// The code of the next frame, which is `unsubscribed` of this session.
    pub(crate) async fn unsubscribed(&mut self, session: &str) -> (u64, String) {
        let frame = self.next().await;
        assert_eq!((&frame["type"], &frame["sessionId"]), (&json!("unsubscribed"), &json!(session)), "{frame}");
        let data = &frame["data"];
        (data["code"].as_u64().expect("a code"), data["reason"].as_str().expect("a reason").to_owned())
    }

    /// The code and the `ref` of the next frame, which is `error`, and the session that it is about.
    pub(crate) async fn error(&mut self) -> (String, String, Value) {
        let mut frame = self.next().await;
        assert_eq!(frame["type"], "error", "{frame}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (code, reference) = (text(&frame["data"]["code"]), text(&frame["data"]["ref"]));
        (code, reference, frame["sessionId"].take())
    }

    /// Sends a frame of the extended mode under a name.
    pub(crate) async fn say_as(&mut self, reference: &str, kind: &str, data: Value) {
        self.send(Message::text(json!({ "type": kind, "data": data, "ref": reference }).to_string())).await;
    }

    /// Waits until the server has worked off every frame sent so far, the pongs that answer its pings included: it
    /// answers a ping after them. Whatever else comes meanwhile would be a surprise.
    pub(crate) async fn settle(&mut self) {
        let payload = tungstenite::Bytes::from_static(b"settle");
        // A pong that waits would otherwise go out after the ping.
        self.0.flush().await.expect("the frames are sent");
        self.send(Message::Ping(payload.clone())).await;
        loop {
            match self.raw().await.expect("an open socket") {
                Message::Pong(answer) if answer == payload => return,
                Message::Ping(_) => {}
                other => panic!("expected nothing but pings, got {other:?}"),
            }
        }
    }

    /// Waits until the server has worked off every frame sent so far. Frames of one type may come meanwhile.
    pub(crate) async fn settle_after(&mut self, kind: &str) {
        self.send(Message::Ping(tungstenite::Bytes::from_static(b"settle"))).await;
        loop {
            match self.raw().await.expect("an open socket") {
                Message::Pong(answer) if answer.as_ref() == b"settle" => return,
                Message::Ping(_) => {}
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).expect("a frame of JSON");
                    assert_eq!(frame["type"], kind, "{frame}");
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    async fn next_message(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
            match next.expect("the socket is open").expect("a valid frame") {
                // tungstenite answers pings by itself.
                Message::Ping(_) | Message::Pong(_) => {}
                other => return other,
            }
        }
    }

    /// The next frame of any kind, pings included.
    pub(crate) async fn raw(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
        next.and_then(Result::ok)
    }
}

/// A message or a session of an answer as a frame of base mode holds it: without its position, and without people.
pub(crate) fn plain(answer: &Value) -> Value {
    let fields: &[&str] = if answer.get("sender").is_some() { &["seq", "author"] } else { &["user", "agent"] };
    let mut plain = answer.clone();
    for field in fields {
        let removed = plain.as_object_mut().and_then(|plain| plain.remove(*field));
        assert!(removed.is_some(), "{answer} has the field {field}");
    }
    plain
}
