//! Frames that wait to be written to one client.
//!
//! The owner bounds how many may wait.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::AsyncWrite;

use crate::Frame;

/// How many frames one system call writes at most. The kernel takes up to 1,024; the list of them is on the stack.
const SLICES: usize = 64;
/// For how many frames there is room from the first on: more of a burst follow at once.
const FIRST_ROOM: usize = 16;

/// The queue. While it is empty, it has nothing on the heap.
#[derive(Debug, Default)]
pub(crate) struct FrameQueue {
    frames: VecDeque<QueuedFrame>,
    /// How many bytes of the first frame are written.
    written: usize,
    /// How many bytes are still to be written.
    bytes: usize,
    stalled_since: Option<Instant>,
}

/// A frame that waits.
#[derive(Debug)]
struct QueuedFrame {
    frame: Frame,
    /// 0 for none.
    tag: u32,
}

impl QueuedFrame {
    fn as_bytes(&self) -> &[u8] {
        self.frame.as_bytes()
    }
}

impl FrameQueue {
    pub(crate) fn push(&mut self, frame: Frame, tag: u32, now: Instant) {
        if self.frames.is_empty() {
            self.frames.reserve(FIRST_ROOM);
            self.stalled_since = Some(now);
        }
        self.bytes += frame.as_bytes().len();
        self.frames.push_back(QueuedFrame { frame, tag });
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the last byte went out, or when the first frame came; `None` when nothing waits.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    /// Drops the frames of which no byte is written.
    pub(crate) fn discard(&mut self) {
        self.frames.truncate(usize::from(self.written > 0));
        self.bytes = self.frames.front().map_or(0, |frame| frame.as_bytes().len()) - self.written;
        self.free_when_empty();
    }

    /// Drops the frames with this tag of which no byte is written.
    pub(crate) fn discard_tagged(&mut self, tag: u32) {
        let mut is_begun = self.written > 0;
        self.frames.retain(|queued| std::mem::take(&mut is_begun) || queued.tag != tag);
        self.bytes = self.frames.iter().map(|queued| queued.as_bytes().len()).sum::<usize>() - self.written;
        self.free_when_empty();
    }

    /// Writes what waits, as many frames in one call as there are. Ready when nothing is left.
    pub(crate) fn poll_write<S>(&mut self, io: &mut S, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        while !self.frames.is_empty() {
            let count = ready!(self.poll_write_some(io, cx))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.consume(count, now);
        }
        self.free_when_empty();
        Poll::Ready(Ok(()))
    }

    fn poll_write_some<S>(&self, io: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        S: AsyncWrite + Unpin,
    {
        // The kernel takes one piece faster than a list of one.
        if let (1, Some(frame)) = (self.frames.len(), self.frames.front()) {
            return Pin::new(io).poll_write(cx, frame.as_bytes().get(self.written..).unwrap_or_default());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = self.fill(&mut slices);
        let (slices, _) = slices.split_at(filled);
        Pin::new(io).poll_write_vectored(cx, slices)
    }

    fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.written;
        let mut filled = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame.as_bytes().get(skip..).unwrap_or_default());
            skip = 0;
            filled += 1;
        }
        filled
    }

    fn consume(&mut self, count: usize, now: Instant) {
        self.bytes -= count;
        self.written += count;
        while let Some(first) = self.frames.front().map(|frame| frame.as_bytes().len()) {
            if self.written < first {
                break;
            }
            self.written -= first;
            self.frames.pop_front();
        }
        self.stalled_since = Some(now);
    }

    fn free_when_empty(&mut self) {
        if self.frames.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
impl FrameQueue {
    /// Bytes on the heap, without the frames' own, which are shared.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.frames.capacity() * size_of::<QueuedFrame>()
    }
}
