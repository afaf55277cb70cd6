//! A WebSocket of a session as a client of the contract sees it.

use std::time::Duration;

use futures_util::StreamExt;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http::Target;

/// An open socket.
#[derive(Debug)]
pub(crate) struct Socket(WebSocketStream<TcpStream>);

/// There is no socket, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// The service answered the handshake with this status.
    Refused(u16),
    /// It could not be reached, or the connection ended.
    Lost,
    /// It sent what the contract does not know.
    Malformed,
}

/// A durable event. Typing is none and is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message { id: String, content: String },
    SessionUpdate,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    id: String,
    #[serde(default)]
    content: String,
}

impl Socket {
    /// Opens the socket of a session; `query` is empty, or `since=…` or `after=…`.
    pub(crate) async fn open(
        target: &Target,
        session: &str,
        query: &str,
        token: &str,
        limit: Duration,
    ) -> Result<Self, SocketEnd> {
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("ws://{}{}/ws/chat/{session}{mark}{query}", target.authority, target.prefix);
        let opened = timeout(limit, async {
            let mut request = url.into_client_request().map_err(|_| SocketEnd::Malformed)?;
            let bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| SocketEnd::Malformed)?;
            request.headers_mut().insert(AUTHORIZATION, bearer);
            let stream = TcpStream::connect(target.address).await.map_err(|_| SocketEnd::Lost)?;
            stream.set_nodelay(true).map_err(|_| SocketEnd::Lost)?;
            match tokio_tungstenite::client_async(request, stream).await {
                Ok((socket, _)) => Ok(Self(socket)),
                Err(Error::Http(response)) => Err(SocketEnd::Refused(response.status().as_u16())),
                Err(_) => Err(SocketEnd::Lost),
            }
        });
        opened.await.unwrap_or(Err(SocketEnd::Lost))
    }

    /// The next durable event. Pings are answered on the way.
    pub(crate) async fn next(&mut self) -> Result<Seen, SocketEnd> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Frame = serde_json::from_str(&text).map_err(|_| SocketEnd::Malformed)?;
                    match frame.kind.as_str() {
                        "message" => return Ok(Seen::Message { id: frame.data.id, content: frame.data.content }),
                        "session_update" => return Ok(Seen::SessionUpdate),
                        "typing" => {}
                        _ => return Err(SocketEnd::Malformed),
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => return Err(SocketEnd::Malformed),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(SocketEnd::Lost),
            }
        }
    }
}
