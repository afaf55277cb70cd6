//! A request's body in pieces of a bounded size, one at a time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// The most bytes of a piece.
const PIECE_BYTES: usize = 16 * 1024;

/// The body for a reader that takes what it gets into a buffer of its own until nothing more is ready, as
/// `actix_multipart` does: after each piece nothing is, so that the reader looks at the piece first. Otherwise its buffer
/// would grow to 64 KiB and stay so while the client stops.
pub(super) struct SmallPieces {
    payload: Payload,
    /// What has come and was not given out yet.
    rest: Bytes,
    has_given: bool,
}

impl SmallPieces {
    pub(super) fn new(payload: Payload) -> Self {
        Self { payload, rest: Bytes::new(), has_given: false }
    }
}

impl Stream for SmallPieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.payload).poll_next(cx)) {
                Some(Ok(bytes)) => self.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        self.has_given = true;
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(self.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::{StreamExt, stream};

    use super::*;

    #[test]
    fn a_body_comes_in_pieces_with_a_pause_after_each() {
        let body = vec![Bytes::from(vec![1; 40_000]), Bytes::new(), Bytes::from_static(b"end")];
        let payload = Payload::Stream { payload: stream::iter(body.into_iter().map(Ok)).boxed_local() };
        let mut pieces = SmallPieces::new(payload);
        let mut context = Context::from_waker(Waker::noop());
        let mut lengths = Vec::new();
        loop {
            match Pin::new(&mut pieces).poll_next(&mut context) {
                Poll::Ready(Some(piece)) => lengths.push(piece.unwrap().len()),
                Poll::Pending => lengths.push(0),
                Poll::Ready(None) => break,
            }
        }
        assert_eq!(lengths, [16_384, 0, 16_384, 0, 7_232, 0, 3, 0]);
    }
}
