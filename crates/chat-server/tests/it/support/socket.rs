//! Sockets of the contract's base mode.

use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{PATIENCE, Person};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a socket with the token in the `Authorization` header; `query` is empty or begins with `?`.
pub(crate) async fn connect(person: &Person, session: &str, query: &str) -> Socket {
    try_connect(person, session, query).await.unwrap()
}

/// As `connect`, of a server that may be gone or refuse.
pub(crate) async fn try_connect(person: &Person, session: &str, query: &str) -> Result<Socket, Error> {
    let url = format!("ws://{}/ws/chat/{session}{query}", person.addr());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", person.token).parse().unwrap());
    Ok(connect_async(request).await?.0)
}

/// The next event; pings are answered on the way.
pub(crate) async fn next_event<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Value {
    loop {
        match next(socket).await {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("an event was expected, not {other:?}"),
        }
    }
}

/// The code with which the server closes the socket, whatever comes before.
pub(crate) async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.expect("a close frame with a code").code.into();
        }
    }
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Message {
    timeout(PATIENCE, socket.next()).await.expect("a frame in time").expect("an open socket").unwrap()
}
