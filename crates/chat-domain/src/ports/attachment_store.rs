//! Where the bytes of attachments lie.

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;
use crate::model::{AttachmentId, ByteRange, MediaType, StoredObject, Timestamp};

/// Bytes that come piece by piece.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ByteSource: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Why the source broke off; the reader passes it on unchanged.
    async fn next_chunk(&mut self) -> Result<Option<Bytes>>;
}

/// Bytes to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The name of the object.
    pub id: AttachmentId,
    /// What the sender says it is; used only to choose between kinds of plain text, which look alike.
    pub claimed_type: Option<MediaType>,
    /// How many bytes are allowed.
    pub max_bytes: u64,
}

/// Keeps the bytes of attachments. Objects are named by our ids and never change.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AttachmentStore: Send + Sync {
    /// Stores the bytes of `source` with bounded memory. When it returns, they MUST be durable and complete. An id is
    /// put once; a second object of the same id is refused.
    ///
    /// # Errors
    /// `Invalid` with the field `attachments` when there are more bytes than allowed or none at all; what the source
    /// fails with. Then nothing MUST be left behind.
    async fn put(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject>;

    /// The bytes of an object, or a part of them; `None` when there is no such object.
    /// The range MUST lie inside the object.
    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>>;

    /// Removes an object; a missing one is as good as removed.
    async fn delete(&self, id: AttachmentId) -> Result<()>;

    /// Objects last written before `before`, at most `limit`, in ascending order, starting right after `after`.
    async fn stored_before(
        &self,
        before: Timestamp,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Vec<AttachmentId>>;
}
