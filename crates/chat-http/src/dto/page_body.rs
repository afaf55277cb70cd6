//! The body of a page of messages: shared bytes with a beginning and an end of their own.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// Sent piece by piece, so that the messages, which are most of it, are copied once: into the connection's buffer.
#[derive(Debug)]
pub(crate) struct PageBody {
    pieces: [Bytes; 3],
    sent: usize,
}

impl PageBody {
    /// A body of three pieces.
    pub(super) fn new(pieces: [Bytes; 3]) -> Self {
        Self { pieces, sent: 0 }
    }

    /// All of it.
    #[cfg(test)]
    pub(crate) fn concat(&self) -> Vec<u8> {
        self.pieces.concat()
    }
}

impl MessageBody for PageBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.pieces.iter().map(|piece| piece.len() as u64).sum())
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        // An empty piece would say that a chunk is there where nothing is.
        while let Some(piece) = self.pieces.get(self.sent) {
            let piece = piece.clone();
            self.sent += 1;
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
        Poll::Ready(None)
    }
}
