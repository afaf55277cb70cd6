//! A WebSocket of a session or of many as a client sees it, in every mode: tokio-tungstenite's, with a small buffer each,
//! so that one process holds ten thousand.

mod cursor;
pub(crate) mod multiplexed;
mod protocol;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, StreamExt};
use hyper::Uri;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::http::{Target, bearer};
use crate::net::{self, ConnectOptions};

pub(crate) use cursor::{SeqCursor, SeqFit};
pub use multiplexed::MULTIPLEXED_PATH;
pub(crate) use multiplexed::MultiplexedFrame;
pub use protocol::{Hello, IncomingFrame};
pub(crate) use protocol::{ack, heartbeat, is_type};

/// The extended mode's subprotocol.
pub(crate) const SUBPROTOCOL: &str = "chat.v1";
/// A frame that claims more is refused: the service's largest message has some tens of kilobytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// The library allocates this much for each socket at its start, 128 KiB unless it is set.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Which of the two protocols a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ClientSocketMode {
    /// That of the contract: no subprotocol, no sequence numbers.
    Base,
    /// `chat.v1`: hello, sequence numbers, receipts, heartbeats, acknowledgements.
    Extended,
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct SocketRequest<'a> {
    /// The service.
    pub target: &'a Target,
    /// The path with its query, such as [`path`] makes.
    pub path: &'a str,
    /// In whose name; empty for a service that does not ask.
    pub token: &'a str,
    /// The protocol.
    pub mode: ClientSocketMode,
    /// How long it may take.
    pub limit: Duration,
}

/// The path of a session's socket; `query` is empty, or `since=…` or `after=…`.
pub fn path(session: &str, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/ws/chat/{session}{mark}{query}")
}

/// Why there is no socket, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientCloseReason {
    /// The service refused the handshake with this status.
    Refused(u16),
    /// It could not be reached.
    Unreachable,
    /// The connection ended without a close frame.
    Lost,
    /// The service closed it with this code; 1005 when its close frame had none.
    Closed(u16),
    /// It refused a frame without which the socket is not what was asked for.
    Declined,
    /// It sent what the contract does not have.
    Malformed,
}

impl ClientCloseReason {
    /// Its name in reports, such as `closed 1001`.
    pub fn name(self) -> String {
        match self {
            Self::Refused(status) => format!("refused {status}"),
            Self::Unreachable => "unreachable".to_owned(),
            Self::Lost => "lost".to_owned(),
            Self::Closed(code) => format!("closed {code}"),
            Self::Declined => "declined".to_owned(),
            Self::Malformed => "malformed".to_owned(),
        }
    }

    /// Whether the protocol forbids to open another socket after this one.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Closed(4400 | 4403 | 4404 | 4409))
    }
}

impl From<Error> for ClientCloseReason {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(response) => Self::Refused(response.status().as_u16()),
            Error::Io(_)
            | Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete) => {
                Self::Lost
            }
            _ => Self::Malformed,
        }
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    mode: ClientSocketMode,
    ended: Option<ClientCloseReason>,
}

impl Socket {
    /// Opens a socket.
    ///
    /// # Errors
    /// Why there is none. A handshake that took too long is [`ClientCloseReason::Lost`].
    pub async fn open(request: &SocketRequest<'_>) -> Result<Self, ClientCloseReason> {
        Self::open_with(request, ConnectOptions::default()).await
    }

    pub(crate) async fn open_with(
        request: &SocketRequest<'_>,
        options: ConnectOptions,
    ) -> Result<Self, ClientCloseReason> {
        let opened = timeout(request.limit, async {
            let connected = net::connect(request.target.address, options).await;
            Self::handshake(request, connected.map_err(|_| ClientCloseReason::Unreachable)?).await
        });
        opened.await.unwrap_or(Err(ClientCloseReason::Lost))
    }

    /// Opens a socket on a connection.
    pub(crate) async fn handshake(request: &SocketRequest<'_>, stream: TcpStream) -> Result<Self, ClientCloseReason> {
        let Target { authority, prefix, .. } = request.target;
        let uri: Uri =
            format!("ws://{authority}{prefix}{}", request.path).parse().map_err(|_| ClientCloseReason::Unreachable)?;
        let mut builder = ClientRequestBuilder::new(uri);
        if let Some(token) = bearer(request.token) {
            builder = builder.with_header("Authorization", token.to_str().unwrap_or_default());
        }
        if request.mode == ClientSocketMode::Extended {
            builder = builder.with_sub_protocol(SUBPROTOCOL);
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            // Every frame is written at once.
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let (stream, _) = client_async_with_config(builder, stream, Some(config)).await?;
        Ok(Self { stream, mode: request.mode, ended: None })
    }

    /// The next frame. Pings and heartbeats are replied to on the way. May be dropped before its end: nothing is lost.
    ///
    /// # Errors
    /// The socket has ended.
    pub async fn next(&mut self) -> Result<IncomingFrame, ClientCloseReason> {
        let text = self.next_text().await?;
        let Some(frame) = protocol::read(&text, self.mode) else {
            self.ended = Some(ClientCloseReason::Malformed);
            return Err(ClientCloseReason::Malformed);
        };
        if let IncomingFrame::Heartbeat(seq) = frame {
            self.queue(heartbeat(seq.unwrap_or_default()));
        }
        Ok(frame)
    }

    /// The next frame of a multiplexed socket, as [`Socket::next`].
    pub(crate) async fn next_multiplexed(&mut self) -> Result<MultiplexedFrame, ClientCloseReason> {
        let text = self.next_text().await?;
        let Some(frame) = multiplexed::read(&text) else {
            self.ended = Some(ClientCloseReason::Malformed);
            return Err(ClientCloseReason::Malformed);
        };
        if frame == MultiplexedFrame::Heartbeat {
            self.queue(heartbeat(0));
        }
        Ok(frame)
    }

    /// The hello of extended mode.
    pub(crate) async fn hello(&mut self, limit: Duration) -> Result<Hello, ClientCloseReason> {
        match timeout(limit, self.next()).await {
            Ok(Ok(IncomingFrame::Hello(hello))) => Ok(hello),
            Ok(Ok(_)) => Err(ClientCloseReason::Malformed),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err(ClientCloseReason::Lost),
        }
    }

    /// The next text, not parsed. May be dropped before its end: nothing is lost.
    pub(crate) async fn next_text(&mut self) -> Result<Utf8Bytes, ClientCloseReason> {
        poll_fn(|cx| self.poll_text(cx)).await
    }

    pub(crate) fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Result<Utf8Bytes, ClientCloseReason>> {
        if let Some(reason) = self.ended {
            return Poll::Ready(Err(reason));
        }
        // Writes what the kernel did not take when it was queued; what fails here fails to be read, too.
        let _written = Pin::new(&mut self.stream).poll_ready(cx);
        let reason = loop {
            match ready!(self.stream.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => return Poll::Ready(Ok(text)),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    // The library has queued the reply, of which the kernel takes what it can.
                    let _written = Pin::new(&mut self.stream).poll_flush(cx);
                    break ClientCloseReason::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => break ClientCloseReason::Malformed,
                Some(Err(error)) => break error.into(),
                None => break ClientCloseReason::Lost,
            }
        };
        self.ended = Some(reason);
        Poll::Ready(Err(reason))
    }

    /// Sends a text frame: now, or with the next call that reads when the kernel does not take it.
    pub(crate) fn queue(&mut self, text: String) {
        // That the connection is lost is noticed by who reads.
        let _lost = Pin::new(&mut self.stream).start_send(Message::text(text));
    }

    /// Writes what the kernel takes of these bytes, past the protocol.
    pub(crate) fn poll_write_raw(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, ClientCloseReason>> {
        Pin::new(self.stream.get_mut()).poll_write(cx, bytes).map_err(|_| ClientCloseReason::Lost)
    }

    /// The connection below, past the protocol.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// Waits until the kernel reports that the connection is broken, without reading.
    pub(crate) async fn until_broken(&self) {
        let _broken = self.stream.get_ref().ready(tokio::io::Interest::ERROR).await;
    }
}
