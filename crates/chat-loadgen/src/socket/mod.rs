//! A WebSocket of a session as a client sees it, in either mode, small enough that one process holds ten thousand.
//!
//! Frames are parsed where they lie, in a buffer that all sockets of a thread share, and a socket keeps only the beginning
//! of a frame whose end has not come: an idle one has no buffer at all. The connections of a general client have one of
//! 128 KiB each by default (tungstenite's `read_buffer_size`), which would be more memory than most machines have for this.

mod cursor;
mod frames;
mod handshake;
mod protocol;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::Target;
use crate::net::{self, Dial};

pub(crate) use cursor::{Cursor, Fit};
use frames::{Incoming, Parser};
pub(crate) use frames::{empty_fragment, header as frame_header, ping as ping_frame, text as text_frame};
pub(crate) use handshake::Handshake;
pub use protocol::{Hello, Seen};
pub(crate) use protocol::{ack, heartbeat, is_kind, read as read_frame};

/// Room for what one read may bring, of all sockets of a thread.
const SCRATCH_BYTES: usize = 256 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Which of the two protocols a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// That of the contract: no subprotocol, no positions.
    Base,
    /// `chat.v1`: hello, positions, receipts, heartbeats, acknowledgements.
    Extended,
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The service.
    pub target: &'a Target,
    /// The path with its query, such as [`path`] makes.
    pub path: &'a str,
    /// In whose name; empty for a service that does not ask.
    pub token: &'a str,
    /// The protocol.
    pub mode: Mode,
    /// How long it may take.
    pub limit: Duration,
}

/// The path of a session's socket; `query` is empty, or `since=…` or `after=…`.
pub fn path(session: &str, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/ws/chat/{session}{mark}{query}")
}

/// There is no socket, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketEnd {
    /// The service answered the handshake with this status.
    Refused(u16),
    /// It could not be reached.
    Unreachable,
    /// The connection ended without a word.
    Lost,
    /// The service closed it with this code; 1005 when it said none.
    Closed(u16),
    /// It sent what the contract does not know.
    Malformed,
}

impl SocketEnd {
    /// Its name in reports, such as `closed 1001`.
    pub fn name(self) -> String {
        match self {
            Self::Refused(status) => format!("refused {status}"),
            Self::Unreachable => "unreachable".to_owned(),
            Self::Lost => "lost".to_owned(),
            Self::Closed(code) => format!("closed {code}"),
            Self::Malformed => "malformed".to_owned(),
        }
    }

    /// Whether the protocol says that no other socket is to be opened after this one.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Closed(4400 | 4403 | 4404 | 4409))
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    mode: Mode,
    parser: Parser,
    /// What came with the answer to the handshake.
    early: Vec<u8>,
    /// What is to be written: answers that the protocol wants, and commands.
    out: Vec<u8>,
    /// For [`Socket::next`]: what was read and not yet handed out.
    seen: VecDeque<Seen>,
    /// What comes after it.
    ended: Option<SocketEnd>,
}

impl Socket {
    /// Opens a socket.
    ///
    /// # Errors
    /// Why there is none. A handshake that took too long is [`SocketEnd::Lost`].
    pub async fn open(opening: &Opening<'_>) -> Result<Self, SocketEnd> {
        Self::open_with(opening, Dial::default()).await
    }

    pub(crate) async fn open_with(opening: &Opening<'_>, dial: Dial) -> Result<Self, SocketEnd> {
        let opened = timeout(opening.limit, async {
            let mut stream = net::connect(opening.target.address, dial).await.map_err(|_| SocketEnd::Unreachable)?;
            let early = Handshake::new(opening).run(&mut stream).await?;
            Ok(Self {
                stream,
                mode: opening.mode,
                parser: Parser::default(),
                early,
                out: Vec::new(),
                seen: VecDeque::new(),
                ended: None,
            })
        });
        opened.await.unwrap_or(Err(SocketEnd::Lost))
    }

    /// The next frame. Pings and heartbeats are answered on the way. May be dropped before its end: nothing is lost.
    ///
    /// # Errors
    /// The socket has ended.
    pub async fn next(&mut self) -> Result<Seen, SocketEnd> {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return Ok(seen);
            }
            if let Some(end) = self.ended {
                return Err(end);
            }
            let mode = self.mode;
            let (mut malformed, mut batch) = (false, VecDeque::new());
            let received = self.receive(|text| match read_frame(text, mode) {
                Some(seen) => batch.push_back(seen),
                None => malformed = true,
            });
            let ended = received.await;
            for seen in &batch {
                if let Seen::Heartbeat(seq) = seen {
                    self.queue(&heartbeat(seq.unwrap_or_default()));
                }
            }
            self.seen = batch;
            self.ended = if malformed { Some(SocketEnd::Malformed) } else { ended.err() };
        }
    }

    /// What [`Socket::next`] has read and not handed out, for who goes on with [`Socket::receive`].
    pub(crate) fn take_seen(&mut self) -> VecDeque<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Acknowledges everything up to this position; goes out with the next call of [`Socket::next`].
    pub fn acknowledge(&mut self, seq: u64) {
        self.queue(&ack(seq));
    }

    /// Queues a text frame.
    pub(crate) fn queue(&mut self, text: &str) {
        frames::text(text, &mut self.out);
    }

    /// Writes what is queued, reads once, and hands out the texts of all whole frames. Control frames are answered. May be
    /// dropped before its end: nothing is lost.
    pub(crate) async fn receive(&mut self, mut on: impl FnMut(&[u8])) -> Result<(), SocketEnd> {
        std::future::poll_fn(|cx| self.poll_receive(cx, &mut on)).await
    }

    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        on: &mut impl FnMut(&[u8]),
    ) -> Poll<Result<(), SocketEnd>> {
        ready!(self.poll_flush(cx))?;
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            return Poll::Ready(self.take(&early, on));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => Poll::Ready(self.take(buffer.filled(), on)),
                Ok(()) | Err(_) => Poll::Ready(Err(SocketEnd::Lost)),
            }
        })
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketEnd>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out)).map_err(|_| SocketEnd::Lost)?;
            if written == self.out.len() {
                // Given back: most sockets say little.
                self.out = Vec::new();
            } else {
                self.out.drain(..written);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what the kernel takes of these bytes at once, past everything that is queued; `None` when it takes none.
    pub(crate) fn poll_write_raw(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, SocketEnd>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes).map_err(|_| SocketEnd::Lost)
    }

    fn take(&mut self, bytes: &[u8], on: &mut impl FnMut(&[u8])) -> Result<(), SocketEnd> {
        let Self { parser, out, .. } = self;
        let mut closed = None;
        let fed = parser.feed(bytes, |incoming| match incoming {
            // Nothing counts behind a close frame.
            _ if closed.is_some() => {}
            Incoming::Text(text) => on(text),
            Incoming::Ping(payload) => frames::pong(payload, out),
            Incoming::Pong => {}
            Incoming::Close(code) => closed = Some(code),
        });
        if let Some(code) = closed {
            let mut farewell = std::mem::take(out);
            frames::close(code, &mut farewell);
            // The other side waits for it, but what does not fit into the kernel's buffer is nobody's concern any more.
            let _written = self.stream.try_write(&farewell);
            return Err(SocketEnd::Closed(code));
        }
        fed.map_err(|_| SocketEnd::Malformed)
    }

    /// Waits until the kernel reports that the connection is broken, without reading.
    pub(crate) async fn until_broken(&self) {
        let _broken = self.stream.ready(tokio::io::Interest::ERROR).await;
    }
}
