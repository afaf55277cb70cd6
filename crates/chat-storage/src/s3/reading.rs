//! Reading an object piece by piece.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::model::ByteRange;
use chat_domain::ports::ByteSource;
use chat_domain::{ChatError, Result};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{PIECE_LIMIT, READ_ATTEMPTS, REQUEST_LIMIT, S3Client, within};
use super::failure::S3Failure;

/// The most bytes that are handed on at once.
const PIECE_BYTES: usize = 64 * 1024;
/// How many pieces wait for a reader.
const PIECES: usize = 2;

const DOING: &str = "read an attachment";

/// An object, or a part of it, that is being read. The task that reads it ends with the value.
struct ObjectSource {
    pieces: mpsc::Receiver<Result<Bytes>>,
    /// How many bytes are still to come.
    left: u64,
    _reading: JoinSet<()>,
}

#[async_trait]
impl ByteSource for ObjectSource {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        match self.pieces.recv().await {
            Some(Ok(piece)) => {
                self.left = self.left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                Ok(Some(piece))
            }
            Some(Err(error)) => {
                self.left = 0;
                Err(error)
            }
            None if self.left == 0 => Ok(None),
            // The task ended before its work, as when the node stops.
            None => Err(ChatError::unavailable("an attachment could not be read to its end")),
        }
    }
}

/// What is still to be read of an object.
struct ObjectReading {
    client: Arc<S3Client>,
    key: Path,
    tag: Option<String>,
    next: u64,
    end: u64,
}

/// Opens the object at the first byte of the range; `None` when there is no such object.
pub(super) async fn open(
    client: &Arc<S3Client>,
    key: Path,
    range: Option<&ByteRange>,
) -> Result<Option<Box<dyn ByteSource>>> {
    let range = range.map(|range| GetRange::Bounded(range.first()..range.last().saturating_add(1)));
    let options = GetOptions { range, ..GetOptions::default() };
    let (store, wanted) = (client.store.clone(), key.clone());
    let found = match client.run(REQUEST_LIMIT, async move { store.get_opts(&wanted, options).await }).await {
        Ok(found) => found,
        Err(S3Failure::Missing) => return Ok(None),
        Err(failure) => return Err(failure.into_error(DOING)),
    };
    let reading = ObjectReading {
        client: Arc::clone(client),
        key,
        tag: found.meta.e_tag.clone(),
        next: found.range.start,
        end: found.range.end,
    };
    let left = reading.end.saturating_sub(reading.next);
    let (sender, pieces) = mpsc::channel(PIECES);
    let mut task = JoinSet::new();
    task.spawn_on(reading.hand_on(found, sender), &client.runtime);
    Ok(Some(Box::new(ObjectSource { pieces, left, _reading: task })))
}

impl ObjectReading {
    /// Hands the pieces on until the reader has all of them or is gone. A read that breaks off is taken up again where it
    /// was: a download may take hours.
    async fn hand_on(mut self, found: GetResult, pieces: mpsc::Sender<Result<Bytes>>) {
        let (mut found, mut attempts) = (Some(found), 0);
        loop {
            let before = self.next;
            let failure = match self.read(found.take(), &pieces).await {
                Ok(()) => return,
                Err(failure) => failure,
            };
            attempts = if self.next > before { 0 } else { attempts + 1 };
            if attempts >= READ_ATTEMPTS || matches!(failure, S3Failure::Missing | S3Failure::Condition) {
                let failed = self.client.noted::<()>(Ok(Err(failure)));
                let _reader_is_gone =
                    pieces.send(failed.map(|()| Bytes::new()).map_err(|failure| failure.into_error(DOING))).await;
                return;
            }
        }
    }

    /// Reads on. `Ok` when there is nothing more to do.
    async fn read(&mut self, found: Option<GetResult>, pieces: &mpsc::Sender<Result<Bytes>>) -> Result<(), S3Failure> {
        let found = match found {
            Some(found) => found,
            None => self.open_again().await?,
        };
        let GetResultPayload::Stream(mut stream) = found.payload;
        while self.next < self.end {
            let piece = match timeout(PIECE_LIMIT, stream.next()).await {
                Ok(Some(piece)) => piece?,
                Ok(None) => return Err(S3Failure::Unavailable("an object is shorter than it was".to_owned())),
                Err(_) => return Err(S3Failure::Unavailable(format!("nothing came for {} s", PIECE_LIMIT.as_secs()))),
            };
            let mut piece = piece;
            while !piece.is_empty() {
                let part = piece.split_to(piece.len().min(PIECE_BYTES));
                self.next = self.next.saturating_add(u64::try_from(part.len()).unwrap_or_default());
                if pieces.send(Ok(part)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn open_again(&self) -> Result<GetResult, S3Failure> {
        let range = Some(GetRange::Bounded(self.next..self.end));
        let options = GetOptions { range, if_match: self.tag.clone(), ..GetOptions::default() };
        within(REQUEST_LIMIT, self.client.store.get_opts(&self.key, options)).await
    }
}

/// A text that is shorter than a piece.
pub(super) fn text(bytes: &Bytes) -> Result<String> {
    String::from_utf8(bytes.to_vec())
        .map_err(|_| ChatError::internal("an object beside the attachments is not one of ours"))
}
