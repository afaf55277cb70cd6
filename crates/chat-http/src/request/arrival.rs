//! A body that is read from the network while a use case takes it: piece by piece, at the pace of the slower of the two.

use std::future::Future;
use std::pin::pin;

use actix_web::web::Bytes;
use async_trait::async_trait;
use chat_domain::ChatError;
use chat_domain::error::Result;
use chat_domain::ports::{ByteSource, MessageField, MessageForm};
use futures_util::future::{Either, LocalBoxFuture, select};
use tokio::sync::mpsc;

use crate::error::ApiError;

/// How many pieces wait between the network and the disk, of 16 KiB each.
const PIECES_IN_FLIGHT: usize = 1;

/// The reading of a body, to be run beside the use case that takes what it reads. Returns whether it has come to the end of
/// the body.
pub(crate) type BodyReading = LocalBoxFuture<'static, bool>;

/// Runs a use case beside the reading of its body. When the use case ends first, the rest is not read, so the connection
/// cannot carry another request.
pub(crate) async fn receive<T>(reading: BodyReading, use_case: impl Future<Output = Result<T>>) -> Result<T, ApiError> {
    let (is_whole, outcome) = match select(reading, pin!(use_case)).await {
        Either::Left((is_whole, use_case)) => (is_whole, use_case.await),
        Either::Right((outcome, _)) => (false, outcome),
    };
    outcome.map_err(|error| {
        let error = ApiError::from(error);
        if is_whole { error } else { error.closing_connection() }
    })
}

/// The use case wants no more of the body.
#[derive(Debug)]
pub(super) struct ReceiverDropped;

/// The end of a channel at which a use case takes items, of which the last is `None`.
pub(super) struct PieceReceiver<T>(mpsc::Receiver<Result<Option<T>>>);

/// The end at which the reading puts them.
pub(super) struct PieceSender<T>(mpsc::Sender<Result<Option<T>>>);

pub(super) fn channel<T>() -> (PieceSender<T>, PieceReceiver<T>) {
    let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    (PieceSender(sender), PieceReceiver(receiver))
}

impl<T> PieceSender<T> {
    /// Hands over an item, or why there is none, or with `None` that there are no more.
    pub(super) async fn give(&self, item: Result<Option<T>>) -> Result<(), ReceiverDropped> {
        self.0.send(item).await.map_err(|_closed| ReceiverDropped)
    }
}

impl<T> PieceReceiver<T> {
    async fn take(&mut self) -> Result<Option<T>> {
        // The end is an item of its own: what breaks off must not look like a whole.
        let broken = || ChatError::internal("the reading of a body has ended without its end");
        self.0.recv().await.unwrap_or_else(|| Err(broken()))
    }
}

#[async_trait]
impl ByteSource for PieceReceiver<Bytes> {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.take().await
    }
}

#[async_trait]
impl MessageForm for PieceReceiver<MessageField> {
    async fn next_field(&mut self) -> Result<Option<MessageField>> {
        self.take().await
    }
}
