//! Byte sources for uploads, and reading one to its end.

use std::collections::VecDeque;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chat_domain::ports::ByteSource;
use chat_domain::{ChatError, Result};

struct Chunks(VecDeque<Result<Bytes>>);

#[async_trait]
impl ByteSource for Chunks {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        self.0.pop_front().transpose()
    }
}

/// Gives all bytes at once.
pub fn from_bytes(bytes: impl Into<Bytes>) -> Box<dyn ByteSource> {
    from_chunks([bytes.into()])
}

/// Gives the chunks one by one, empty ones included.
pub fn from_chunks<I>(chunks: I) -> Box<dyn ByteSource>
where
    I: IntoIterator,
    I::Item: Into<Bytes>,
{
    Box::new(Chunks(chunks.into_iter().map(|chunk| Ok(chunk.into())).collect()))
}

/// Gives `bytes` and then fails with `error`, as a connection does that breaks in the middle of an upload.
pub fn failing_after(bytes: impl Into<Bytes>, error: ChatError) -> Box<dyn ByteSource> {
    Box::new(Chunks(VecDeque::from([Ok(bytes.into()), Err(error)])))
}

/// All that is left in `source`.
///
/// # Errors
/// What the source fails with.
pub async fn read_to_end(mut source: Box<dyn ByteSource>) -> Result<Bytes> {
    let mut all = BytesMut::new();
    while let Some(chunk) = source.next_chunk().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}
