//! Sockets of the extended mode `chat.v1`, light enough for thousands of them in one process.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::PATIENCE;

/// Room for what one read brings. The library's own default is 128 KiB for each socket.
const BUFFER_BYTES: usize = 4 * 1024;

/// The first frame.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hello {
    pub(crate) connection_id: String,
    pub(crate) epoch: String,
    /// The session's newest position when it was written.
    pub(crate) seq: u64,
    pub(crate) resumed: bool,
    pub(crate) reason: Option<String>,
    pub(crate) replayed: u64,
    pub(crate) token_expires_at: String,
}

#[derive(Deserialize)]
struct HelloFrame {
    #[serde(rename = "type")]
    kind: String,
    data: Hello,
}

/// What comes next on a socket.
#[derive(Debug)]
pub(crate) enum SocketItem {
    /// A frame with text.
    Text(Utf8Bytes),
    /// The end, with the code of the close frame if there was one.
    End(Option<u16>),
}

/// A socket that has said hello.
pub(crate) struct ExtendedSocket {
    socket: WebSocketStream<TcpStream>,
    pub(crate) hello: Hello,
}

impl ExtendedSocket {
    /// Opens the socket of a session and reads its first frame; `query` is empty or begins with `?`.
    pub(crate) async fn open(addr: SocketAddr, token: &str, session: &str, query: &str) -> Result<Self, Error> {
        let mut request = format!("ws://{addr}/ws/chat/{session}{query}").into_client_request()?;
        request.headers_mut().insert("Authorization", format!("Bearer {token}").parse().unwrap());
        request.headers_mut().insert("Sec-WebSocket-Protocol", "chat.v1".parse().unwrap());
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let HelloFrame { kind, data: hello } = serde_json::from_str(&text).unwrap();
                assert_eq!(kind, "hello", "the first frame");
                Ok(Self { socket, hello })
            }
            Some(Err(error)) => Err(error),
            // Such as a server that is leaving, and closes what it has just accepted.
            Some(Ok(_)) | None => Err(Error::ConnectionClosed),
        }
    }

    /// The next frame with text, or the end; pings are answered on the way. What it receives is not lost when it is
    /// dropped before it is ready.
    pub(crate) async fn heard(&mut self) -> SocketItem {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return SocketItem::Text(text),
                Some(Ok(Message::Close(frame))) => return SocketItem::End(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return SocketItem::End(None),
            }
        }
    }

    /// The next frame that is no sign of life, in time.
    pub(crate) async fn next(&mut self) -> Value {
        match self.next_or_end().await {
            Ok(frame) => frame,
            Err(code) => panic!("the socket ended with {code:?}"),
        }
    }

    /// As `next`, or the code with which the socket was closed.
    pub(crate) async fn next_or_end(&mut self) -> Result<Value, Option<u16>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match timeout_at(deadline, self.heard()).await.expect("a frame in time") {
                SocketItem::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] != "heartbeat" {
                        return Ok(frame);
                    }
                }
                SocketItem::End(code) => return Err(code),
            }
        }
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, kind: &str, data: Value) {
        let frame = json!({ "type": kind, "data": data }).to_string();
        self.socket.send(Message::text(frame)).await.unwrap();
    }

    /// The socket itself, after its hello.
    pub(crate) fn into_inner(self) -> WebSocketStream<TcpStream> {
        self.socket
    }

    /// Says good-bye, or answers the server's good-bye that was heard, so that the server need not wait.
    pub(crate) async fn finish(mut self) {
        // It has ended otherwise if this fails.
        let _gone = self.socket.close(None).await;
        let deadline = Instant::now() + Duration::from_secs(1);
        while let Ok(Some(Ok(_))) = timeout_at(deadline, self.socket.next()).await {}
    }
}
