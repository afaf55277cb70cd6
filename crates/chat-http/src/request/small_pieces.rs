//! A request's body in pieces of a bounded size, one at a time.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, BytesMut};
use futures_util::Stream;

/// The most bytes of a piece.
const PIECE_BYTES: usize = 16 * 1024;
/// Chunks of fewer bytes are put together: each would be a piece of its own, and keep the buffer alive that it was read
/// into. Uploads in chunks of one byte took 1,200 KiB each.
const SMALL_BYTES: usize = 1024;

/// The body for a reader that takes what it gets into a buffer of its own until nothing more is ready, as
/// `actix_multipart` does: after each piece nothing is, so that the reader looks at the piece first. Otherwise its buffer
/// would grow to 64 KiB and stay so while the client stops.
pub(super) struct SmallPieces {
    payload: Payload,
    /// What has arrived and was not returned yet.
    rest: Bytes,
    /// Whether nothing more comes, and what broke the body off.
    has_ended: bool,
    error: Option<PayloadError>,
    has_given: bool,
}

impl SmallPieces {
    pub(super) fn new(payload: Payload) -> Self {
        Self { payload, rest: Bytes::new(), has_ended: false, error: None, has_given: false }
    }
}

impl SmallPieces {
    /// What has come, as far as it goes into one piece.
    fn next_piece(&mut self, cx: &mut Context<'_>) -> Bytes {
        let mut gathered = BytesMut::new();
        while gathered.len() < PIECE_BYTES {
            if gathered.is_empty() && self.rest.len() >= SMALL_BYTES {
                let length = self.rest.len().min(PIECE_BYTES);
                return self.rest.split_to(length);
            }
            let length = self.rest.len().min(PIECE_BYTES - gathered.len());
            gathered.extend_from_slice(&self.rest.split_to(length));
            if self.has_ended || !self.rest.is_empty() {
                break;
            }
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.rest = bytes,
                Poll::Ready(end) => {
                    self.has_ended = true;
                    self.error = end.and_then(Result::err);
                }
                Poll::Pending => break,
            }
        }
        gathered.freeze()
    }
}

impl Stream for SmallPieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = self.next_piece(cx);
        if !piece.is_empty() {
            self.has_given = true;
            return Poll::Ready(Some(Ok(piece)));
        }
        if self.has_ended { Poll::Ready(self.error.take().map(Err)) } else { Poll::Pending }
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

    #[test]
    fn small_chunks_are_put_together_in_their_order() {
        let chunks = (0..40_000_u32).map(|number| Ok(Bytes::copy_from_slice(&number.to_be_bytes()[3..])));
        let broken = std::iter::once(Err(PayloadError::EncodingCorrupted));
        let payload = Payload::Stream { payload: stream::iter(chunks.chain(broken)).boxed_local() };
        let mut pieces = SmallPieces::new(payload);
        let mut context = Context::from_waker(Waker::noop());
        let (mut all, mut count) = (Vec::new(), 0);
        loop {
            match Pin::new(&mut pieces).poll_next(&mut context) {
                Poll::Ready(Some(Ok(piece))) => {
                    all.extend_from_slice(&piece);
                    count += 1;
                }
                Poll::Ready(Some(Err(error))) => {
                    assert!(matches!(error, PayloadError::EncodingCorrupted));
                    break;
                }
                Poll::Pending => {}
                Poll::Ready(None) => panic!("it broke off"),
            }
        }
        assert_eq!(count, 3);
        assert!(all.iter().copied().eq((0..40_000_u32).map(|number| number.to_be_bytes()[3])));
    }
}
