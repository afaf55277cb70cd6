//! A TCP connection that keeps its state up to date with what is read and written.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connection_state::ConnectionState;

/// How many bytes the HTTP server reads before it looks at them. It reads until nothing more is ready, into a buffer that
/// would grow to 128 KiB and keep what it has while the client of an upload stops: 100 of these took 21 MiB.
const READ_AT_ONCE: usize = 16 * 1024;

/// What the HTTP server reads and writes.
pub(crate) struct GuardedStream {
    /// `None` after it was taken out.
    stream: Option<TcpStream>,
    state: Rc<ConnectionState>,
    /// Bytes that were read since nothing was ready.
    read_in_a_row: usize,
}

impl GuardedStream {
    pub(super) fn new(stream: TcpStream, state: Rc<ConnectionState>) -> Self {
        Self { stream: Some(stream), state, read_in_a_row: 0 }
    }

    pub(super) fn state(&self) -> &Rc<ConnectionState> {
        &self.state
    }

    /// From now on the times of the connection are the caller's affair.
    pub(crate) fn take_over(&self) {
        self.state.take_over();
    }

    /// The connection itself, without a guard.
    pub(crate) fn into_inner(mut self) -> io::Result<TcpStream> {
        self.state.leave();
        self.stream.take().ok_or_else(gone)
    }

    /// Gives a connection back that was taken over, to be closed without destroying what was written.
    pub(crate) fn give_back(self) {
        self.state.close_after_response();
    }

    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.state.interim().is_empty() {
            let written = ready!(self.poll_write_some(cx, self.state.interim()))?;
            self.state.wrote_interim(written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
        let written = Pin::new(stream).poll_write(cx, bytes);
        match written {
            Poll::Pending => self.state.blocked(),
            Poll::Ready(_) => self.state.progressed(),
        }
        written
    }
}

/// The HTTP server uses no stream that it has given away.
fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::NotConnected)
}

impl AsyncRead for GuardedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.reads_no_more() {
            // Never woken by it: the connection ends as soon as the response is written.
            return Poll::Pending;
        }
        let Some(stream) = &mut this.stream else { return Poll::Ready(Err(gone())) };
        if this.read_in_a_row >= READ_AT_ONCE {
            this.read_in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(stream).poll_read(cx, buffer);
        let received = buffer.filled().get(before..).unwrap_or_default();
        this.read_in_a_row = if read.is_ready() { this.read_in_a_row + received.len() } else { 0 };
        ready!(read)?;
        this.state.received(received);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // What the HTTP server writes may belong to an earlier response, which an interim one must not tear apart.
        if this.state.interim_has_begun() {
            ready!(this.poll_interim(cx))?;
        }
        this.poll_write_some(cx, bytes)
    }

    /// The HTTP server flushes when its own buffer is empty, and only then: all earlier responses are written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_interim(cx))?;
        let Some(stream) = &mut this.stream else { return Poll::Ready(Err(gone())) };
        ready!(Pin::new(stream).poll_flush(cx))?;
        this.state.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.get_mut().stream else { return Poll::Ready(Err(gone())) };
        Pin::new(stream).poll_shutdown(cx)
    }
}

impl Drop for GuardedStream {
    /// The HTTP server is done with the connection; how it is closed is the guard's affair.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.state.leave_behind(stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What the client receives when the HTTP server writes and flushes these bytes, after this much of an interim
    /// response was written.
    async fn received(interim: usize, bytes: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let state = Rc::new(ConnectionState::default());
        state.ask_for_body();
        state.wrote_interim(interim);
        let mut stream = GuardedStream::new(listener.accept().await.unwrap().0, state);
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        let mut received = String::new();
        client.read_to_string(&mut received).await.unwrap();
        received
    }

    #[tokio::test]
    async fn an_interim_response_follows_what_is_left_of_earlier_responses() {
        assert_eq!(received(0, b"end of the first").await, "end of the firstHTTP/1.1 100 Continue\r\n\r\n");
    }

    #[tokio::test]
    async fn an_interim_response_that_has_begun_is_written_to_its_end_first() {
        assert_eq!(received(9, b"HTTP/1.1 201 ").await, "100 Continue\r\n\r\nHTTP/1.1 201 ");
    }
}
