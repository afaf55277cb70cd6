//! A TCP connection that keeps its state up to date with what is read and written.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::address_counts::AddressSlot;
use super::connection_state::ConnectionState;
use super::framing::{Framing, FramingStop};

/// How many bytes the HTTP server reads before it looks at them. It reads until nothing more is ready, into a buffer that
/// would grow to 128 KiB and keep what it has while the client of an upload stops: 100 of these took 21 MiB. The buffer has
/// 8 KiB, and grows when less than 1 KiB of it is free; at 16 KiB it grew to 48 KiB.
const READ_AT_ONCE: usize = 7 * 1024;

/// How many bytes are read behind a request whose response is not written yet. Reading goes on so that a client that goes
/// away is noticed.
const READ_AHEAD: usize = 4 * 1024;

/// What the HTTP server reads and writes.
pub(crate) struct GuardedStream {
    /// `None` after it was taken out.
    stream: Option<TcpStream>,
    state: Rc<ConnectionState>,
    /// Bytes that were read since nothing was ready.
    read_in_a_row: usize,
    framing: Framing,
    /// What was read and not given to the HTTP server yet: most of the time nothing.
    held_back: BytesMut,
    /// The client sends no more than that.
    ends_behind: bool,
}

impl GuardedStream {
    pub(super) fn new(stream: TcpStream, state: Rc<ConnectionState>) -> Self {
        Self {
            stream: Some(stream),
            state,
            read_in_a_row: 0,
            framing: Framing::default(),
            held_back: BytesMut::new(),
            ends_behind: false,
        }
    }

    pub(super) fn state(&self) -> &Rc<ConnectionState> {
        &self.state
    }

    /// A request has come that asks for another protocol.
    pub(crate) fn begin_upgrade(&self) {
        self.state.begin_request();
    }

    /// The connection itself, without a guard, what was read of it and not given to the HTTP server, and what counts it
    /// among those of its address.
    pub(crate) fn into_inner(mut self) -> io::Result<(TcpStream, BytesMut, Option<AddressSlot>)> {
        self.state.leave();
        let stream = self.stream.take().ok_or_else(gone)?;
        Ok((stream, std::mem::take(&mut self.held_back), self.state.take_address_slot()))
    }

    /// Gives a connection back that was taken over, to be closed without destroying what was written.
    pub(crate) fn give_back(self) {
        self.state.close_after_response();
    }

    /// Reads while the HTTP server has a request whose response is not written. It gets nothing of it but the end.
    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(gone())) };
        while !self.ends_behind && self.held_back.len() < READ_AHEAD {
            let mut bytes = [0; 512];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                if self.held_back.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.ends_behind = true;
            }
            self.held_back.extend_from_slice(buffer.filled());
        }
        // Woken when the response is written.
        Poll::Pending
    }

    /// Puts into `buffer` what may be given to the HTTP server of what is held back.
    fn give_held_back(&mut self, buffer: &mut ReadBuf<'_>) {
        let most = self.held_back.len().min(buffer.remaining());
        let (taken, stop) = self.framing.advance(self.held_back.get(..most).unwrap_or_default());
        buffer.put_slice(self.held_back.get(..taken).unwrap_or_default());
        self.held_back.advance(taken);
        if self.held_back.is_empty() {
            self.held_back = BytesMut::new();
        }
        self.stopped(taken, stop);
    }

    /// Keeps back what follows the bytes that may be given to the HTTP server, of those that are in `buffer` from
    /// `start` on.
    fn hold_back(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        let received = buffer.filled().get(start..).unwrap_or_default();
        let (taken, stop) = self.framing.advance(received);
        if let Some(rest) = received.get(taken..).filter(|rest| !rest.is_empty()) {
            self.held_back.extend_from_slice(rest);
            buffer.set_filled(start + taken);
        }
        self.stopped(taken, stop);
    }

    fn stopped(&mut self, taken: usize, stop: FramingStop) {
        self.read_in_a_row += taken;
        self.state.body_came(self.framing.take_data());
        if taken > 0 {
            self.state.received();
        }
        match stop {
            FramingStop::Exhausted => {}
            FramingStop::RequestEnded => self.state.request_ended(),
            FramingStop::Enough => self.read_in_a_row = READ_AT_ONCE,
            FramingStop::Broken => self.state.body_broke(),
        }
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

/// The error of a stream that was taken out.
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
        if this.state.holds_back() {
            this.read_in_a_row = 0;
            return this.poll_read_ahead(cx);
        }
        if this.read_in_a_row >= READ_AT_ONCE {
            this.read_in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.state.waits_for_application(cx.waker()) {
            this.read_in_a_row = 0;
            return Poll::Pending;
        }
        let start = buffer.filled().len();
        if !this.held_back.is_empty() {
            this.give_held_back(buffer);
        } else if !this.ends_behind {
            let Some(stream) = &mut this.stream else { return Poll::Ready(Err(gone())) };
            let read = Pin::new(stream).poll_read(cx, buffer);
            if read.is_pending() {
                this.read_in_a_row = 0;
            }
            ready!(read)?;
            if buffer.filled().len() == start {
                return Poll::Ready(Ok(()));
            }
            this.hold_back(buffer, start);
        } else {
            return Poll::Ready(Ok(()));
        }
        if buffer.filled().len() == start {
            // The body is broken, which the application has to see. No bytes would be the end of the connection.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
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
        let has_more = !this.held_back.is_empty() || this.ends_behind;
        if this.state.flushed(has_more) && has_more {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.get_mut().stream else { return Poll::Ready(Err(gone())) };
        Pin::new(stream).poll_shutdown(cx)
    }
}

impl Drop for GuardedStream {
    /// The HTTP server is done with the connection: the stream returns to the guard, which closes it.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.state.return_stream(stream);
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
    async fn an_interim_response_follows_the_rest_of_earlier_responses() {
        assert_eq!(received(0, b"end of the first").await, "end of the firstHTTP/1.1 100 Continue\r\n\r\n");
    }

    #[tokio::test]
    async fn an_interim_response_that_has_begun_is_written_to_its_end_first() {
        assert_eq!(received(9, b"HTTP/1.1 201 ").await, "100 Continue\r\n\r\nHTTP/1.1 201 ");
    }
}
