//! The attachment store on S3, with an S3 server in this process.

mod binding;
mod contract;
mod faults;
mod health;
mod putting;
mod reading;

use std::fs;
use std::time::Duration;

use chat_domain::model::{ByteRange, StoredObject};
use chat_domain::ports::AttachmentStore;
use chat_storage::{S3AttachmentStore, S3Location, S3Settings};
use test_servers::s3::S3Server;

use crate::support::{PATIENCE, id, pieces, upload};

pub(crate) const PREFIX: &str = "chat/test";

/// A store on a server of its own.
pub(crate) struct S3Store {
    pub(crate) store: S3AttachmentStore,
    pub(crate) server: S3Server,
}

impl S3Store {
    pub(crate) fn open() -> Self {
        let server = S3Server::start().unwrap();
        let store = open_on(&server, PREFIX, |_| {});
        Self { store, server }
    }

    pub(crate) async fn put(&self, n: u128, bytes: &[u8]) -> StoredObject {
        self.store.put(upload(n), pieces(&[bytes])).await.unwrap()
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

    /// The names of all objects.
    pub(crate) fn objects(&self) -> Vec<String> {
        let directory = self.server.objects().join(PREFIX).join("objects");
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Waits until no object and no part is left: what a failed upload leaves is removed in the background.
    pub(crate) async fn wait_until_empty(&self) {
        let emptied = async {
            while !self.objects().is_empty() || self.server.unfinished_parts().unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, emptied).await;
        assert!(outcome.is_ok(), "left: {:?}, {} parts", self.objects(), self.server.unfinished_parts().unwrap());
    }
}

/// A store on a server that others use too.
pub(crate) fn open_on(
    server: &S3Server,
    prefix: &str,
    change: impl FnOnce(&mut Vec<(String, String)>),
) -> S3AttachmentStore {
    let location = S3Location::parse(&format!("{}/{prefix}", server.bucket())).unwrap();
    let mut variables = server.variables();
    change(&mut variables);
    let store = S3AttachmentStore::open(S3Settings { location, variables }).unwrap();
    // What is found must not depend on how busy the machine is.
    store.with_metadata_time(Duration::MAX)
}

/// Bytes that differ from block to block.
pub(crate) fn numbered(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(length).collect()
}
