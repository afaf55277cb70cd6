//! A connection: received and written by polling, on any stream.
//!
//! Reads go into a buffer that all connections of a thread share; a connection keeps only what it could not parse at once.
//! So an idle one is the size of this value, and nothing on the heap.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;
use tokio::time::timeout_at;

use crate::assembly::Assembly;
use crate::frame_header::FrameHeader;
use crate::frame_queue::FrameQueue;
use crate::read_buffer::ReadBuffer;
use crate::{Frame, FrameLimits, Incoming, ReceiveError, lingering_close};

/// What one system call reads at most. Larger than a frame of the default limits.
const SCRATCH_BYTES: usize = 32 * 1024;
/// How much of a peer that goes on sending after its close frame is read and dropped.
const DROPPED_BYTES: u64 = 1024 * 1024;

thread_local! {
    /// Taken out for a read and put back; a second buffer that is needed meanwhile is made and dropped.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A WebSocket connection, on the server's side, after the handshake.
///
/// Its owner polls it, and sends the pong to a ping and the close frame to a close. It has no timers.
#[derive(Debug)]
pub struct WebSocket<S> {
    io: S,
    limits: FrameLimits,
    read_buffer: ReadBuffer,
    assembly: Assembly,
    frame_queue: FrameQueue,
    /// Nothing more is received: the client closed, or broke a rule, or is gone.
    ended: bool,
}

impl<S> WebSocket<S> {
    /// A connection on a stream whose handshake is done. `already_read` is what came right behind the handshake.
    pub fn new(io: S, already_read: &[u8], limits: FrameLimits) -> Self {
        Self {
            io,
            limits,
            read_buffer: ReadBuffer::new(already_read),
            assembly: Assembly::default(),
            frame_queue: FrameQueue::default(),
            ended: false,
        }
    }

    /// Puts a frame at the end of what waits to be written. How much may wait is for the caller to bound.
    pub fn queue(&mut self, frame: Frame, now: Instant) {
        self.queue_tagged(frame, 0, now);
    }

    /// The same for a frame that [`discard_tagged`](Self::discard_tagged) finds by its tag, which is not 0.
    pub fn queue_tagged(&mut self, frame: Frame, tag: u32, now: Instant) {
        self.frame_queue.push(frame, tag, now);
    }

    /// Frames that wait, including a frame that is partly written.
    pub fn queued_frames(&self) -> usize {
        self.frame_queue.frames()
    }

    /// Bytes that wait.
    pub fn queued_bytes(&self) -> usize {
        self.frame_queue.bytes()
    }

    /// Since when no byte of what waits was written; `None` while nothing waits.
    pub fn stalled_since(&self) -> Option<Instant> {
        self.frame_queue.stalled_since()
    }

    /// Drops the frames that wait, except a frame that is partly written.
    pub fn discard_queued(&mut self) {
        self.frame_queue.discard();
    }

    /// Drops the frames with this tag that wait, except a frame that is partly written.
    pub fn discard_tagged(&mut self, tag: u32) {
        self.frame_queue.discard_tagged(tag);
    }
}

impl<S: AsyncRead + Unpin> WebSocket<S> {
    /// What the client's next frame brings.
    ///
    /// It takes part in tokio's cooperative scheduling: to a task that receives from a flood of frames it returns `Pending`
    /// after 128 of them, and wakes it again.
    ///
    /// # Errors
    /// The connection cannot go on. After an error or a close nothing more is received; further calls return an error of
    /// kind `NotConnected`.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, ReceiveError>> {
        if self.ended {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::NotConnected).into()));
        }
        let budget = ready!(coop::poll_proceed(cx));
        let received = ready!(self.poll_frame(cx));
        budget.made_progress();
        if matches!(received, Err(_) | Ok(Incoming::Close(_))) {
            self.ended = true;
            self.read_buffer = ReadBuffer::default();
            self.assembly = Assembly::default();
        }
        Poll::Ready(received)
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, ReceiveError>> {
        loop {
            if !self.read_buffer.is_empty() {
                let input = self.read_buffer.rest();
                if let Some((incoming, used)) = next_frame(input, &mut self.assembly, &self.limits)? {
                    self.read_buffer.consume(used);
                    return Poll::Ready(Ok(incoming));
                }
                self.read_buffer.shrink();
            }
            if let Some(incoming) = ready!(self.poll_read(cx))? {
                return Poll::Ready(Ok(incoming));
            }
        }
    }

    /// Reads once. `Some` when a whole frame came and nothing was there before, which is the usual case.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Incoming>, ReceiveError>> {
        let mut scratch = SCRATCH.take();
        scratch.resize(SCRATCH_BYTES, 0);
        let result = self.poll_read_into(&mut scratch, cx);
        SCRATCH.set(scratch);
        result
    }

    fn poll_read_into(
        &mut self,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Incoming>, ReceiveError>> {
        let mut scratch = ReadBuf::new(scratch);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut scratch))?;
        let mut input = scratch.filled();
        if input.is_empty() {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
        }
        let mut incoming = None;
        if self.read_buffer.is_empty()
            && let Some((first, used)) = next_frame(input, &mut self.assembly, &self.limits)?
        {
            incoming = Some(first);
            input = input.get(used..).unwrap_or_default();
        }
        self.read_buffer.append(input);
        Poll::Ready(Ok(incoming))
    }
}

impl<S: AsyncWrite + Unpin> WebSocket<S> {
    /// Writes what waits. Ready when everything is written and flushed.
    ///
    /// # Errors
    /// The stream is broken; nothing more can be written.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>> {
        ready!(self.frame_queue.poll_write(&mut self.io, cx, now))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Ends the connection after a close frame was queued: writes what waits, shuts the sending side down, and reads and
    /// drops what still comes until the peer has closed too. All of it takes at most `limit`, and reads a bounded number
    /// of bytes. Whatever the outcome, the stream is closed afterwards.
    ///
    /// # Errors
    /// The peer did not take everything, or did not close, in time; or the stream broke.
    pub async fn finish(mut self, limit: Duration) -> io::Result<()> {
        self.read_buffer = ReadBuffer::default();
        self.assembly = Assembly::default();
        let end = tokio::time::Instant::now() + limit;
        timeout_at(end, poll_fn(|cx| self.poll_flush(cx, Instant::now()))).await??;
        lingering_close(&mut self.io, DROPPED_BYTES, end.saturating_duration_since(tokio::time::Instant::now())).await
    }
}

/// The frame at the beginning of `input` and how many bytes it has; `None` while bytes of it are missing.
fn next_frame(
    input: &[u8],
    assembly: &mut Assembly,
    limits: &FrameLimits,
) -> Result<Option<(Incoming, usize)>, ReceiveError> {
    let Some(head) = FrameHeader::parse(input, limits)? else { return Ok(None) };
    assembly.admit(&head, limits)?;
    let end = head.bytes.saturating_add(head.payload);
    let Some(masked) = input.get(head.bytes..end) else { return Ok(None) };
    Ok(Some((assembly.take(&head, masked)?, end)))
}

#[cfg(test)]
impl<S> WebSocket<S> {
    /// The stream.
    pub(crate) fn io(&self) -> &S {
        &self.io
    }

    /// Bytes on the heap that belong to this connection alone: the beginnings of a frame and of a message, frames behind
    /// the last one returned, and the list of what waits (the frames themselves are shared).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.read_buffer.heap_bytes() + self.assembly.heap_bytes() + self.frame_queue.heap_bytes()
    }
}
