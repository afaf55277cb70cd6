//! A store in a directory of its own, and sources that do what a test wants.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::error::FieldPath;
use chat_domain::model::{AttachmentId, ByteRange, MediaType, StoredObject};
use chat_domain::ports::{AttachmentStore, ByteSource, Upload};
use chat_domain::{ChatError, Result};
use chat_storage::LocalAttachmentStore;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const MIB: u64 = 1 << 20;

/// How long a test waits before it fails. Nothing takes anywhere near this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestStore {
    pub(crate) store: LocalAttachmentStore,
    directory: TempDir,
}

impl TestStore {
    pub(crate) fn open() -> Self {
        // What is found must not depend on how busy the machine is.
        Self::with_metadata_time(Duration::MAX)
    }

    pub(crate) fn with_metadata_time(time: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalAttachmentStore::open(directory.path()).unwrap().with_metadata_time(time);
        Self { store, directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where an object is.
    pub(crate) fn object(&self, n: u128) -> PathBuf {
        let name = id(n).to_string();
        self.path().join("objects").join(&name[..6]).join(name)
    }

    pub(crate) fn incoming(&self) -> PathBuf {
        self.path().join("incoming")
    }

    pub(crate) async fn put(&self, n: u128, bytes: &[u8]) -> StoredObject {
        self.store.put(upload(n), pieces(&[bytes])).await.unwrap()
    }

    /// Stores bytes under a claim and tells what they were taken for.
    pub(crate) async fn put_claimed(&self, n: u128, bytes: &[u8], claim: &str) -> StoredObject {
        let upload = Upload { claimed_type: MediaType::parse(claim), ..upload(n) };
        self.store.put(upload, pieces(&[bytes])).await.unwrap()
    }

    pub(crate) async fn read(&self, n: u128, range: Option<ByteRange>) -> Option<Vec<u8>> {
        let mut source = self.store.open(id(n), range).await.unwrap()?;
        let mut bytes = Vec::new();
        while let Some(piece) = source.next_chunk().await.unwrap() {
            assert!(piece.len() <= 64 * 1024, "pieces are small");
            bytes.extend_from_slice(&piece);
        }
        Some(bytes)
    }

    /// Every file below the store's directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_below(self.path())
    }

    /// Waits until there is no file left: what a dropped upload leaves is removed in the background.
    pub(crate) async fn wait_until_empty(&self) {
        let emptied = async {
            while !self.files().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, emptied).await;
        assert!(outcome.is_ok(), "left behind: {:?}", self.files());
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

pub(crate) fn id(n: u128) -> AttachmentId {
    AttachmentId::new(Uuid::from_u128(n))
}

pub(crate) fn upload(n: u128) -> Upload {
    Upload { id: id(n), claimed_type: None, max_bytes: 64 * MIB }
}

/// A source that gives these pieces and ends.
pub(crate) fn pieces(pieces: &[&[u8]]) -> Box<dyn ByteSource> {
    scripted(pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect(), End::Finishes)
}

/// What a source does after its pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Finishes,
    Hangs,
}

pub(crate) fn scripted(pieces: Vec<Result<Bytes>>, end: End) -> Box<dyn ByteSource> {
    Box::new(Scripted { pieces: pieces.into(), end })
}

struct Scripted {
    pieces: VecDeque<Result<Bytes>>,
    end: End,
}

#[async_trait]
impl ByteSource for Scripted {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        match self.pieces.pop_front() {
            Some(piece) => piece.map(Some),
            None if self.end == End::Hangs => std::future::pending().await,
            None => Ok(None),
        }
    }
}

/// The only field's rule, and that the field is `attachments`.
pub(crate) fn broken_rule(error: ChatError) -> String {
    let ChatError::Invalid(invalid) = error else { panic!("not invalid: {error}") };
    assert_eq!(invalid.fields.len(), 1);
    assert_eq!(invalid.fields[0].field, FieldPath::ATTACHMENTS);
    invalid.fields[0].rule.clone()
}
