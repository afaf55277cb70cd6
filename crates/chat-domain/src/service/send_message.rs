//! Send a message, with files or without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::{ChatService, Rules};
use crate::error::{ChatError, FieldError, Input, Invalid, Result};
use crate::model::{
    Attachment, AttachmentId, Content, FileName, Fingerprint, Idempotency, IdempotencyKey, MediaType, MessageDraft,
    MessageId, Principal, SessionId,
};
use crate::policy::{self, Action};
use crate::ports::{Appended, ByteSource, Upload};

/// A message that is being put together: first its files, then `send`, or `discard` when something goes wrong.
///
/// When neither is called, because the caller went away, the files stay behind until `collect_orphans` finds them.
pub struct Composition {
    service: ChatService,
    author: Principal,
    session_id: SessionId,
    files: Vec<StagedFile>,
}

/// Breaks a file off when all files of the message together have too many bytes.
struct SharedLimit {
    source: Box<dyn ByteSource>,
    left: u64,
    rules: Rules,
    exceeded: Arc<AtomicBool>,
}

#[async_trait]
impl ByteSource for SharedLimit {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = self.source.next_chunk().await?;
        let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        self.left = self.left.checked_sub(length).ok_or_else(|| {
            self.exceeded.store(true, Ordering::Relaxed);
            let limit = self.rules.max_message_bytes;
            Invalid::new("attachments", format!("must have at most {limit} bytes together"))
        })?;
        Ok(chunk)
    }
}

struct StagedFile {
    position: u32,
    attachment: Attachment,
}

impl ChatService {
    /// Sends a message without files.
    pub async fn send_message(
        &self,
        who: &Principal,
        id: SessionId,
        text: Input<String>,
        key: Option<Input<IdempotencyKey>>,
    ) -> Result<Appended> {
        match text {
            Ok(text) => {
                let composition = Composition::new(self, who, id);
                match composition.draft(text, key) {
                    // The common way: the right is checked once, by the store, under the session's lock.
                    Ok(draft) => self.ports.messages.append(draft).await,
                    Err(invalid) => self.refuse_message(who, id, invalid).await,
                }
            }
            Err(invalid) => self.refuse_message(who, id, invalid).await,
        }
    }

    /// Starts a message with files, once it is sure that `who` may send messages in the session.
    pub async fn compose_message(&self, who: &Principal, id: SessionId) -> Result<Composition> {
        policy::authorize(who, &Action::SendMessage(&self.session(id).await?))?;
        Ok(Composition::new(self, who, id))
    }

    /// Tells what is wrong with the input, but only someone who may send messages in the session.
    async fn refuse_message(&self, who: &Principal, id: SessionId, invalid: Invalid) -> Result<Appended> {
        policy::authorize(who, &Action::SendMessage(&self.session(id).await?))?;
        Err(invalid.into())
    }
}

/// The store knows the file as one of the `attachments`; the caller knows it by its place among them.
fn of_file(invalid: Invalid, position: u32) -> Invalid {
    let place = |error: FieldError| match error.field.as_str() {
        "attachments" => FieldError { field: format!("attachments[{position}]"), ..error },
        _ => error,
    };
    Invalid { fields: invalid.fields.into_iter().map(place).collect() }
}

impl Composition {
    fn new(service: &ChatService, author: &Principal, session_id: SessionId) -> Self {
        Self { service: service.clone(), author: author.clone(), session_id, files: Vec::new() }
    }

    /// Stores a file of the message. Files are ordered by `position`, whatever the order of the calls.
    ///
    /// # Errors
    /// `Invalid` when the file is empty, repeats a position or breaks a limit; what the store or the source fails with.
    pub async fn attach(
        &mut self,
        position: u32,
        claimed_name: &str,
        claimed_type: Option<MediaType>,
        source: Box<dyn ByteSource>,
    ) -> Result<()> {
        let rules = &self.service.rules;
        if self.files.len() >= rules.max_files {
            return Err(Invalid::new("attachments", format!("must be at most {} files", rules.max_files)).into());
        }
        if self.files.iter().any(|file| file.position == position) {
            return Err(Invalid::new(format!("attachments[{position}]"), "must not be given twice").into());
        }
        let used: u64 = self.files.iter().map(|file| file.attachment.object.size).sum();
        let id = AttachmentId::new(self.service.ports.ids.next_id());
        let upload = Upload { id, claimed_type, max_bytes: rules.max_file_bytes };
        let exceeded = Arc::new(AtomicBool::new(false));
        let left = rules.max_message_bytes.saturating_sub(used);
        let shared = SharedLimit { source, left, rules: *rules, exceeded: Arc::clone(&exceeded) };
        let stored = self.service.ports.attachments.put(upload, Box::new(shared)).await;
        let object = stored.map_err(|error| match error {
            // What the store objects to is this file; the limit for all of them is about all of them.
            ChatError::Invalid(invalid) if !exceeded.load(Ordering::Relaxed) => of_file(invalid, position).into(),
            other => other,
        })?;
        let attachment = Attachment { id, name: FileName::sanitize(claimed_name), object };
        self.files.push(StagedFile { position, attachment });
        Ok(())
    }

    /// Sends the message with the files attached so far. When that certainly fails, or an earlier request already sent
    /// it, the files are removed.
    pub async fn send(mut self, text: String, key: Option<Input<IdempotencyKey>>) -> Result<Appended> {
        self.files.sort_by_key(|file| file.position);
        let sent = match self.draft(text, key) {
            Ok(draft) => self.service.ports.messages.append(draft).await,
            Err(invalid) => Err(invalid.into()),
        };
        let unused = match &sent {
            Ok(appended) => appended.replayed,
            // When it is not certain, the message may be there and need its files.
            Err(error) => error.is_certain(),
        };
        if unused {
            self.discard().await;
        }
        sent
    }

    /// Removes the files attached so far. What cannot be removed now is left to `collect_orphans`.
    pub async fn discard(self) {
        for file in self.files {
            let _left_to_collect_orphans = self.service.ports.attachments.delete(file.attachment.id).await;
        }
    }

    fn draft(&self, text: String, key: Option<Input<IdempotencyKey>>) -> Result<MessageDraft, Invalid> {
        let content = Content::parse(text, !self.files.is_empty()).map_err(|rule| rule.of("content"))?;
        let idempotency = match key {
            Some(key) => Some(Idempotency { key: key?, fingerprint: self.fingerprint(&content) }),
            None => None,
        };
        Ok(MessageDraft {
            id: MessageId::new(self.service.ports.ids.next_id()),
            session_id: self.session_id,
            author: self.author.clone(),
            content,
            attachments: self.files.iter().map(|file| file.attachment.clone()).collect(),
            sent_at: self.service.ports.clock.now(),
            idempotency,
        })
    }

    /// The content and the files' names and hashes in order.
    fn fingerprint(&self, content: &Content) -> Fingerprint {
        let mut parts = Fingerprint::builder().part("send_message").part(content.as_str());
        for file in &self.files {
            parts = parts.part(file.attachment.name.as_str()).part(file.attachment.object.sha256);
        }
        parts.finish()
    }
}
