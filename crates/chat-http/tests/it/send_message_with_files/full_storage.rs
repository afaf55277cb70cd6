//! A store without room. That the disk store reports it for a disk without room is its own test.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::model::{AttachmentId, ByteRange, StoredObject, Timestamp};
use chat_domain::ports::{AttachmentStore, ByteSource, Upload};
use chat_domain::service::Ports;
use chat_domain::{ChatError, Result};

use crate::support::app::{Options, send};
use crate::support::{Form, Store, TestApp};

struct FullStore;

#[async_trait]
impl AttachmentStore for FullStore {
    async fn put(&self, _: Upload, _: Box<dyn ByteSource>) -> Result<StoredObject> {
        Err(ChatError::StorageFull)
    }

    async fn open(&self, _: AttachmentId, _: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        Ok(None)
    }

    async fn delete(&self, _: AttachmentId) -> Result<()> {
        Ok(())
    }

    async fn stored_before(&self, _: Timestamp, _: Option<AttachmentId>, _: usize) -> Result<Vec<AttachmentId>> {
        Ok(Vec::new())
    }
}

fn without_room(ports: Ports) -> Ports {
    Ports { attachments: Arc::new(FullStore), ..ports }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_takes_texts_and_asks_to_retry_in_minutes() {
    let app = TestApp::with(Store::Memory, Options { replace_ports: Some(without_room), ..Options::default() }).await;
    let session = app.open_session("alice").await;
    let form = Form::new().text("content", "see this").file(0, "a.txt", "text/plain", b"hello");
    let answer = send(form.to(&app, "alice", &session)).await;
    assert_eq!(answer.header("retry-after"), "300");
    answer.expect_error(503, "STORAGE_FULL");
    app.say("alice", &session, "a text").await;
    app.stop().await;
}
