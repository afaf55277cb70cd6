//! Copies the attachments that a database refers to, and reads each copy back.

use std::path::Path;

use anyhow::{Context, ensure};
use chat_domain::ports::{AttachmentStore, Upload};
use sha2::{Digest, Sha256};

use crate::wire::{self, StoredFile};

/// How many rows are read at once.
const PAGE: u32 = 500;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CopiedFiles {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Copies every file that messages of the database refer to. Each is durable, and was read back, when this returns.
///
/// # Errors
/// A file is missing, or its bytes are not those that the message was stored with.
pub(super) async fn copy(
    database: &Path,
    from: &dyn AttachmentStore,
    to: &dyn AttachmentStore,
) -> anyhow::Result<CopiedFiles> {
    let mut copied = CopiedFiles::default();
    let mut after = None;
    loop {
        let page = wire::files_of(database, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(copied) };
        after = Some(last.id);
        for file in page {
            copy_one(file, from, to).await.with_context(|| format!("cannot copy the attachment {}", file.id))?;
            copied.files += 1;
            copied.bytes += file.size;
        }
    }
}

async fn copy_one(file: StoredFile, from: &dyn AttachmentStore, to: &dyn AttachmentStore) -> anyhow::Result<()> {
    let source = from.open(file.id, None).await?.context("it is missing")?;
    let stored = to.put(Upload { id: file.id, claimed_type: None, max_bytes: u64::MAX }, source).await?;
    ensure!(
        (stored.size, stored.sha256) == (file.size, file.sha256),
        "it is damaged: its bytes are not those that its message was stored with"
    );
    let mut copy = to.open(file.id, None).await?.context("the copy is missing")?;
    let mut hash = Sha256::new();
    while let Some(piece) = copy.next_chunk().await? {
        hash.update(&piece);
    }
    ensure!(hash.finalize().as_slice() == file.sha256, "the copy reads differently from what was written");
    Ok(())
}
