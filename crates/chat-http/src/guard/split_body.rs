//! A response's body in pieces of a bounded size.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

/// The most bytes of a piece. The HTTP server takes pieces into a buffer of the connection until that has
/// [`WRITE_BUFFER_BYTES`], however large they are, and waits there for the client: what is not taken yet stays where it
/// is, shared with all other connections that ask for the same.
const PIECE_BYTES: usize = 16 * 1024;

/// When the HTTP server takes no more pieces until what it has is written.
pub(crate) const WRITE_BUFFER_BYTES: usize = PIECE_BYTES;

/// A body that is given to the HTTP server a piece at a time.
pub(crate) struct SplitBody<B> {
    body: B,
    /// What the body has given and the HTTP server has not taken.
    rest: Bytes,
}

impl<B> SplitBody<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }
}

impl<B: MessageBody + Unpin> MessageBody for SplitBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        // An empty piece would be the end of a body in chunks.
        while this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        let length = this.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(this.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn a_large_body_is_given_in_pieces_that_are_not_copied() {
        let whole: Bytes = (0..=255).cycle().take(1_000_000).collect::<Vec<u8>>().into();
        let mut body = SplitBody::new(whole.clone());
        assert_eq!(body.size(), BodySize::Sized(1_000_000));
        let mut given = 0;
        while let Poll::Ready(Some(piece)) = Pin::new(&mut body).poll_next(&mut Context::from_waker(Waker::noop())) {
            let piece = piece.unwrap();
            assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES, "{}", piece.len());
            assert_eq!(piece.as_ptr(), whole[given..].as_ptr());
            given += piece.len();
        }
        assert_eq!(given, whole.len());
    }
}
