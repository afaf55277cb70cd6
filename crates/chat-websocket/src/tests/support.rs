//! A stream that does what a test says, and frames as a client sends them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::{FrameLimits, Incoming, ReceiveError, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The second byte of a masked frame whose length is in the next two bytes, or eight.
pub(crate) const IN_2: u8 = 0xFE;
pub(crate) const IN_8: u8 = 0xFF;

const MASK: [u8; 4] = [0x12, 0xF3, 0x45, 0x06];

/// A frame of a client whose payload is masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The header of a masked frame with a length in the shortest form.
pub(crate) fn head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    if length < 126 {
        bytes.push(0x80 | length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        bytes.push(IN_2);
        bytes.extend(length.to_be_bytes());
    } else {
        bytes.push(IN_8);
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend(MASK);
    bytes
}

/// A stream in memory: what it gives and takes is set beforehand.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// What one read gives each; none left means that nothing has come yet.
    pub(crate) reads: VecDeque<Vec<u8>>,
    /// Given again and again when there are no other reads.
    pub(crate) endless: Vec<u8>,
    /// Bytes that were read.
    pub(crate) given: usize,
    /// How many bytes one write takes each; none left means that there is no room.
    pub(crate) writes: VecDeque<usize>,
    pub(crate) written: Vec<u8>,
    /// How many slices came with each write.
    pub(crate) slices: Vec<usize>,
}

impl Script {
    /// Gives these bytes in pieces of this size.
    pub(crate) fn reading(bytes: &[u8], piece: usize) -> Self {
        Self { reads: bytes.chunks(piece.max(1)).map(<[u8]>::to_vec).collect(), ..Self::default() }
    }

    /// Takes so many bytes in each write.
    pub(crate) fn writing(writes: impl IntoIterator<Item = usize>) -> Self {
        Self { writes: writes.into_iter().collect(), ..Self::default() }
    }
}

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = match self.reads.pop_front() {
            Some(bytes) => bytes,
            None if self.endless.is_empty() => return Poll::Pending,
            None => self.endless.clone(),
        };
        let count = bytes.len().min(into.remaining());
        let rest = bytes.split_off(count);
        into.put_slice(&bytes);
        self.given += count;
        if !rest.is_empty() {
            self.reads.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(room) = self.writes.pop_front() else { return Poll::Pending };
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(room).collect();
        self.slices.push(slices.len());
        self.written.extend(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A context that wakes no task.
pub(crate) fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// All frames until there is nothing more, or an error.
pub(crate) fn receive_all(socket: &mut WebSocket<Script>) -> (Vec<Incoming>, Option<ReceiveError>) {
    let mut received = Vec::new();
    loop {
        match socket.poll_recv(&mut context()) {
            Poll::Pending => return (received, None),
            Poll::Ready(Ok(incoming)) => received.push(incoming),
            Poll::Ready(Err(broken)) => return (received, Some(broken)),
        }
    }
}

/// The frames in these bytes, with the default limits.
pub(crate) fn receive(bytes: &[u8]) -> (Vec<Incoming>, Option<ReceiveError>) {
    receive_all(&mut WebSocket::new(Script::reading(bytes, usize::MAX), &[], FrameLimits::default()))
}

/// The next frame of a socket on a real stream.
pub(crate) async fn next<S: AsyncRead + Unpin>(socket: &mut WebSocket<S>) -> Result<Incoming, ReceiveError> {
    poll_fn(|cx| socket.poll_recv(cx)).await
}

/// The close code of an error, or its kind.
pub(crate) fn name(broken: Option<&ReceiveError>) -> String {
    match broken {
        None => "allowed".to_owned(),
        Some(ReceiveError::Io(error)) => format!("{:?}", error.kind()),
        Some(ReceiveError::Protocol(_)) => "1002".to_owned(),
        Some(ReceiveError::InvalidUtf8) => "1007".to_owned(),
        Some(ReceiveError::TooLarge) => "1009".to_owned(),
    }
}
