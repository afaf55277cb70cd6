//! The suite of the upload registry notices registries, and stores of messages, that are broken.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::{FieldPath, Invalid, LimitReached};
use chat_domain::model::{
    Attachment, AttachmentId, MessageDraft, MessageId, MessageQuery, SessionId, SessionSnapshot, Timestamp,
    UnsentUpload, UploadQuota, UploadUsage, UserId,
};
use chat_domain::ports::{AttachmentLookup, MessageLookup, MessageRepository, UploadRegistry};
use chat_domain::write::{Appended, SessionWrite, UNSENT_UPLOAD, WriteReply};
use chat_testkit::contract::{StoreUnderTest, upload_registry};

use crate::support::{make_store, notices};

const NO_QUOTA: UploadQuota = UploadQuota { files: u64::MAX, bytes: u64::MAX };

/// A registry with a fault in most of its methods, each told at its place.
struct Careless(Arc<dyn UploadRegistry>);

#[async_trait]
impl UploadRegistry for Careless {
    /// Counts before it registers.
    async fn register(&self, upload: UnsentUpload, quota: UploadQuota) -> Result<()> {
        let usage = self.0.usage(upload.uploader.clone()).await?;
        if !quota.admits(usage, upload.attachment.object.size) {
            return Err(LimitReached::UnsentUploads { quota }.into());
        }
        tokio::task::yield_now().await;
        self.0.register(upload, NO_QUOTA).await
    }

    async fn find(&self, id: AttachmentId) -> Result<Option<UnsentUpload>> {
        self.0.find(id).await
    }

    /// Forgets the bytes.
    async fn usage(&self, uploader: UserId) -> Result<UploadUsage> {
        Ok(UploadUsage { bytes: 0, ..self.0.usage(uploader).await? })
    }

    /// Removes the files of other people too.
    async fn remove(&self, id: AttachmentId, _: UserId) -> Result<bool> {
        match self.0.find(id).await? {
            Some(upload) => self.0.remove(id, upload.uploader).await,
            None => Ok(false),
        }
    }

    /// Takes young files too.
    async fn remove_expired(&self, _: Timestamp, limit: usize) -> Result<usize> {
        self.0.remove_expired(Timestamp::from_unix_ms(i64::MAX), limit).await
    }
}

/// Looks at the uploads of a message before the transaction that appends it, and removes them after it.
struct Unguarded {
    messages: Arc<dyn MessageRepository>,
    uploads: Arc<dyn UploadRegistry>,
}

#[async_trait]
impl MessageRepository for Unguarded {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.messages.write(write).await
    }

    async fn append(&self, draft: MessageDraft) -> Result<Appended> {
        let mut files: Vec<Attachment> = draft.attachments.staged().to_vec();
        let ids = draft.attachments.uploaded().to_vec();
        for (index, id) in (0..).zip(&ids) {
            let wrong = || Invalid::new(FieldPath::ATTACHMENT_IDS.at(index), UNSENT_UPLOAD);
            files.push(self.uploads.find(*id).await?.ok_or_else(wrong)?.attachment);
        }
        tokio::task::yield_now().await;
        let author = draft.author.id.clone();
        let sent = self.messages.append(MessageDraft { attachments: files.into(), ..draft }).await;
        for id in ids {
            self.uploads.remove(id, author.clone()).await?;
        }
        sent
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        self.messages.page(session, query).await
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        self.messages.find(session, message).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.messages.find_attachment(id).await
    }

    /// Takes uploads for orphans.
    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        let mut unknown = Vec::new();
        for id in ids {
            if self.messages.find_attachment(id).await?.is_none() {
                unknown.push(id);
            }
        }
        Ok(unknown)
    }
}

async fn careless_registry() -> StoreUnderTest {
    let store = make_store().await;
    StoreUnderTest { uploads: Arc::new(Careless(store.uploads.clone())), ..store }
}

async fn unguarded_store() -> StoreUnderTest {
    let store = make_store().await;
    let mutant = Unguarded { messages: store.messages.clone(), uploads: store.uploads.clone() };
    StoreUnderTest { messages: Arc::new(mutant), ..store }
}

notices! { a_careless_registry_of_uploads_is_noticed: careless_registry(), unlike make_store =>
    upload_registry::uploads_are_counted_for_each_person,
    upload_registry::an_upload_beyond_the_quota_is_refused_and_changes_nothing,
    upload_registry::concurrent_uploads_do_not_exceed_the_quota,
    upload_registry::only_the_uploader_removes_an_upload_and_once,
    upload_registry::expired_uploads_are_removed_the_oldest_first,
}

notices! { an_upload_that_is_sent_twice_is_noticed: unguarded_store(), unlike make_store =>
    upload_registry::of_concurrent_messages_with_an_upload_one_is_sent,
    upload_registry::a_message_with_uploads_is_refused_for_any_that_is_not_the_authors_in_this_session,
    upload_registry::uploads_have_at_most_as_many_bytes_as_their_message_may_have,
    upload_registry::an_upload_is_known_until_it_is_removed,
}
