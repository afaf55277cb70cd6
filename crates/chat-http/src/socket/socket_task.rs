//! A socket as a task: the open socket, then its closing handshake.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use chat_websocket::Frame;
use futures_util::future::{FutureExt, LocalBoxFuture, join};
use futures_util::stream::{self, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::chat_socket::ChatSocket;
use super::close_reason::SocketCloseReason;
use super::connection::ClosingSocket;
use super::pending_watermarks::UnfinishedWatermarks;
use super::plan::SocketPlan;
use super::worker_sockets::SocketSlot;
use crate::socket_protocol::CloseCode;

/// How long the close frame, and the peer's answer to it, may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// The same while most of the node's permits for sockets are taken: a client that opens sockets without end, each of which
/// replaces one of its own, would else hold as many of them as it opens within a second.
const SCARCE_CLOSE_LIMIT: Duration = Duration::from_millis(50);
/// How long it may take to record what the peer had confirmed before.
const RECORD_LIMIT: Duration = Duration::from_secs(2);
/// Of how many sessions it is recorded at a time.
const RECORDED_AT_A_TIME: usize = 8;

/// The task of one socket.
///
/// One value without inner futures, polled as a whole: what an `async` function keeps at each of its waits would be part
/// of every idle socket.
pub(super) struct SocketTask {
    open: Option<ChatSocket>,
    closing: Option<LocalBoxFuture<'static, ()>>,
    _slot: SocketSlot,
}

impl SocketTask {
    /// A socket on a stream whose handshake is done. `already_read` is what came right behind the handshake.
    pub(super) fn new(plan: SocketPlan, stream: TcpStream, already_read: &BytesMut, slot: SocketSlot) -> Self {
        let open = ChatSocket::new(plan, stream, already_read, slot.wake_relay());
        Self { open: Some(open), closing: None, _slot: slot }
    }
}

impl Future for SocketTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Some(open) = &mut this.open {
            let reason = ready!(open.poll(cx));
            // The subscription ends now, not after the closing handshake.
            this.closing = this.open.take().map(|open| close(open, reason));
        }
        match &mut this.closing {
            Some(closing) => closing.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

fn close(open: ChatSocket, reason: SocketCloseReason) -> LocalBoxFuture<'static, ()> {
    let (socket, pending) = open.close(reason);
    match reason.code() {
        None => {
            drop(socket);
            Box::pin(record(pending))
        }
        Some(code) => Box::pin(async move {
            join(closing_handshake(socket, code, &reason.text()), record(pending)).await;
        }),
    }
}

async fn closing_handshake(closing: ClosingSocket, code: CloseCode, reason: &str) {
    let ClosingSocket { mut socket, permit } = closing;
    socket.queue(Frame::close(code.number(), reason), Instant::now().into_std());
    let limit = if permit.is_scarce() { SCARCE_CLOSE_LIMIT } else { CLOSE_LIMIT };
    // A peer that does not even take the close frame is dropped with the connection.
    let _dropped = socket.finish(limit).await;
    drop(permit);
}

async fn record(pending: UnfinishedWatermarks) {
    let UnfinishedWatermarks { not_started, running } = pending;
    if not_started.is_empty() && running.is_empty() {
        return;
    }
    let all = not_started.into_iter().map(|pending| pending.record().boxed_local()).chain(running);
    let recorded = stream::iter(all).for_each_concurrent(RECORDED_AT_A_TIME, |recording| recording);
    if timeout(RECORD_LIMIT, recorded).await.is_err() {
        tracing::debug!("what the client of a closed socket had confirmed could not be recorded in time");
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use chat_websocket::{FrameLimits, WebSocket};
    use futures_util::poll;
    use tokio::net::TcpListener;

    use super::*;
    use crate::socket_permits::SocketPermits;

    #[tokio::test]
    async fn a_closing_socket_keeps_its_permit_until_its_stream_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = listener.accept().await.unwrap().0;
        let permits = SocketPermits::new(4);
        let closing = ClosingSocket {
            socket: WebSocket::new(stream, &BytesMut::new(), FrameLimits::default()),
            permit: permits.take().unwrap(),
        };
        let _others = [permits.take(), permits.take(), permits.take()];
        assert!(permits.take().is_none());
        let mut handshake = pin!(closing_handshake(closing, CloseCode::Replaced, CloseCode::Replaced.reason()));
        assert!(poll!(handshake.as_mut()).is_pending());
        assert!(permits.take().is_none(), "its descriptor is open");
        drop(peer);
        handshake.await;
        assert!(permits.take().is_some());
    }

    #[test]
    fn an_idle_socket_is_small() {
        // A task of tokio adds 104 bytes, and tokio rounds up to the next multiple of 128: to 1,024. Besides it there are the
        // timer and what the subscription owns.
        assert!(size_of::<SocketTask>() <= 1_024 - 104, "{}", size_of::<SocketTask>());
        assert!(size_of::<WebSocket<TcpStream>>() <= 256, "{}", size_of::<WebSocket<TcpStream>>());
    }
}
