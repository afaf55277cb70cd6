//! The response to the handshake, and the stream out of the HTTP server's hands.
//!
//! `HttpService::build().upgrade(…)` calls a service with each request that asks for a WebSocket, and gives it the
//! connection: the stream, the codec with the server's settings, and what came behind the request. That service decides,
//! calls [`accept`] or [`refuse`], and starts a task of its own for the connection. When it then returns, everything that
//! the HTTP server held for the connection is freed.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::{BodySize, MessageBody};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Response};
use bytes::{Bytes, BytesMut};
use futures_util::SinkExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// Writes the head of a response 101 and takes the stream over; a body is dropped. Beside the stream it returns what the client sent without waiting for the response, for [`WebSocket::new`](crate::WebSocket::new).
///
/// All of it takes at most `limit`.
///
/// # Errors
/// The client is gone, or made no room for a few hundred bytes in time.
pub async fn accept<S, B>(
    mut framed: Framed<S, Codec>,
    response: Response<B>,
    limit: Duration,
) -> io::Result<(S, BytesMut)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = response.drop_body();
    head.head_mut().set_connection_type(ConnectionType::Upgrade);
    timeout(limit, framed.send(Message::Item((head, BodySize::None)))).await??;
    let parts = framed.into_parts();
    Ok((parts.io, parts.read_buf))
}

/// Writes any other response, and returns the stream to be closed with [`lingering_close`](crate::lingering_close): the
/// HTTP server cannot take it back.
///
/// The head and each part of the body take at most `limit`.
///
/// # Errors
/// The client is gone or too slow, or the body failed.
pub async fn refuse<S, B>(mut framed: Framed<S, Codec>, response: Response<B>, limit: Duration) -> io::Result<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
    B: MessageBody,
{
    let (mut head, body) = response.into_parts();
    head.head_mut().set_connection_type(ConnectionType::Close);
    timeout(limit, framed.send(Message::Item((head, body.size())))).await??;
    let mut body = pin!(body);
    while let Some(bytes) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let bytes = bytes.map_err(|error| io::Error::other(error.into().to_string()))?;
        timeout(limit, framed.send(chunk(Some(bytes)))).await??;
    }
    timeout(limit, framed.send(chunk(None))).await??;
    Ok(framed.into_parts().io)
}

/// The end of the body is a chunk too.
fn chunk(bytes: Option<Bytes>) -> Message<(Response<()>, BodySize)> {
    Message::Chunk(bytes)
}
