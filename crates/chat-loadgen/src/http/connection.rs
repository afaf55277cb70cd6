//! One connection: writes a request, reads the answer to it, and is ready for the next.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Target;
use super::chunked::Chunked;
use super::head::{self, Framing, Head};

/// Room for what one read may bring. A page of 50 messages fits; the kernel is asked again only when it is full.
const BUFFER_BYTES: usize = 32 * 1024;

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// No connection could be made.
    Connect,
    /// The connection ended before the answer was complete.
    Closed,
    /// The answer did not come in time.
    Timeout,
    /// What came is no HTTP answer.
    Malformed,
}

impl Failure {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Closed, Self::Timeout, Self::Malformed];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let stream = TcpStream::connect(target.address).await.map_err(|_| Failure::Connect)?;
        stream.set_nodelay(true).map_err(|_| Failure::Connect)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Whether the peer has ended a connection that lay idle. Asks the kernel only when something has happened.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [0];
        // Nothing may come between two requests: not even an answer.
        !matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads its answer; the body goes to `body`, when wanted. After a failure the connection
    /// cannot be used any more.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        mut body: Option<&mut Vec<u8>>,
    ) -> Result<(Head, u64), Failure> {
        self.stream.write_all(request).await.map_err(|_| Failure::Closed)?;
        let (head, filled) = self.head().await?;
        let mut received = filled as u64;
        let mut keep = |bytes: &[u8]| {
            if let Some(body) = body.as_deref_mut() {
                body.extend_from_slice(bytes);
            }
        };
        let mut piece = self.buffer.get(head.bytes..filled).unwrap_or_default();
        let mut left = Remaining::of(head.framing);
        while !left.take(piece, &mut keep)? {
            let read = self.stream.read(&mut self.buffer).await.map_err(|_| Failure::Closed)?;
            if read == 0 {
                return if head.framing == Framing::UntilClose { Ok((head, received)) } else { Err(Failure::Closed) };
            }
            received += read as u64;
            piece = self.buffer.get(..read).unwrap_or_default();
        }
        Ok((head, received))
    }

    /// The head, and how much of the buffer is filled.
    async fn head(&mut self) -> Result<(Head, usize), Failure> {
        let mut filled = 0;
        loop {
            let room = self.buffer.get_mut(filled..).filter(|room| !room.is_empty()).ok_or(Failure::Malformed)?;
            let read = self.stream.read(room).await.map_err(|_| Failure::Closed)?;
            if read == 0 {
                return Err(Failure::Closed);
            }
            filled += read;
            let bytes = self.buffer.get(..filled).unwrap_or_default();
            if let Some(head) = head::parse(bytes)? {
                return Ok((head, filled));
            }
        }
    }
}

/// What has not come yet of a body.
enum Remaining {
    Bytes(u64),
    Chunked(Chunked),
    UntilClose,
}

impl Remaining {
    fn of(framing: Framing) -> Self {
        match framing {
            Framing::Length(bytes) => Self::Bytes(bytes),
            Framing::Chunked => Self::Chunked(Chunked::new()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Takes a piece; whether the body is complete.
    fn take(&mut self, piece: &[u8], mut keep: impl FnMut(&[u8])) -> Result<bool, Failure> {
        match self {
            Self::Bytes(left) => {
                // One request at a time: more than its answer is the answer to nothing.
                *left = left.checked_sub(piece.len() as u64).ok_or(Failure::Malformed)?;
                keep(piece);
                Ok(*left == 0)
            }
            Self::Chunked(chunked) => chunked.feed(piece, keep),
            Self::UntilClose => {
                keep(piece);
                Ok(false)
            }
        }
    }
}
