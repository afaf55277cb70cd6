//! A socket as a task: the conversation, and after it the end of the connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use chat_domain::model::Timestamp;
use chat_domain::service::SessionWatch;
use chat_websocket::{Frame, WebSocket};
use futures_util::future::{LocalBoxFuture, join};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::CloseCode;
use super::conversation::{Conversation, Unrecorded};
use super::protocol::Mode;
use super::worker_sockets::Place;
use crate::handlers::App;
use crate::request::BaseUrl;
use crate::state::SocketPlace;

/// How long the close frame, and the peer's answer to it, may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How long it may take to record what the peer had confirmed before.
const RECORD_LIMIT: Duration = Duration::from_secs(2);

/// Everything that a socket needs of the request that asks for it. The request itself is not kept.
pub(crate) struct SocketPlan {
    pub(crate) app: App,
    pub(crate) mode: Mode,
    pub(crate) base: BaseUrl,
    pub(crate) watch: SessionWatch,
    pub(crate) token_expires_at: Timestamp,
    /// The node was about to stop already when the client came.
    pub(crate) late: bool,
    /// The socket's place among those that the node holds.
    pub(crate) node_place: SocketPlace,
}

/// Why a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a close frame.
    Close(CloseCode),
    /// The peer is gone without one.
    PeerGone,
}

/// An open socket.
///
/// One value without inner futures, polled as a whole: what an `async` function keeps at each of its waits would be part
/// of every idle socket.
pub(super) struct Connection {
    conversation: Option<Conversation>,
    parting: Option<LocalBoxFuture<'static, ()>>,
    _place: Place,
}

impl Connection {
    /// A socket on a stream whose handshake is done. `already_read` is what came right behind the handshake.
    pub(super) fn new(plan: SocketPlan, stream: TcpStream, already_read: &BytesMut, place: Place) -> Self {
        let conversation = Conversation::new(plan, stream, already_read, place.wake_relay());
        Self { conversation: Some(conversation), parting: None, _place: place }
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Some(conversation) = &mut this.conversation {
            let end = ready!(conversation.poll(cx));
            // What is watched is left before the peer has taken its leave.
            this.parting = this.conversation.take().map(|conversation| part(conversation, end));
        }
        match &mut this.parting {
            Some(parting) => parting.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

fn part(conversation: Conversation, end: End) -> LocalBoxFuture<'static, ()> {
    let (socket, unrecorded) = conversation.end(end);
    match end {
        End::PeerGone => {
            drop(socket);
            Box::pin(record(unrecorded))
        }
        End::Close(code) => Box::pin(async move {
            join(close(socket, code), record(unrecorded)).await;
        }),
    }
}

async fn close(mut socket: WebSocket<TcpStream>, code: CloseCode) {
    socket.queue(Frame::close(code.number(), code.reason()), Instant::now().into_std());
    // A peer that does not even take the close frame is dropped with the connection.
    let _dropped = socket.finish(CLOSE_LIMIT).await;
}

async fn record(unrecorded: Option<Unrecorded>) {
    let Some(unrecorded) = unrecorded else { return };
    if timeout(RECORD_LIMIT, unrecorded.record()).await.is_err() {
        tracing::debug!("what a socket had confirmed could not be recorded in time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_socket_is_small() {
        // A task of tokio adds about 100 bytes; besides it there are the timer and what the watch owns.
        assert!(size_of::<Connection>() <= 1_100, "{}", size_of::<Connection>());
        assert!(size_of::<WebSocket<TcpStream>>() <= 256, "{}", size_of::<WebSocket<TcpStream>>());
    }
}
