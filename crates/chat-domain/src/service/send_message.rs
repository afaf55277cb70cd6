//! Send a message: text alone, text with files that were uploaded before, or a form that brings its files.

use std::collections::HashSet;

use super::store_file::{Coloring, SharedLimit};
use super::{ChatService, Rules};
use crate::error::{FieldPath, Input, Invalid, Result};
use crate::model::{
    Attachment, AttachmentId, Content, DraftAttachments, Fingerprint, Idempotency, IdempotencyKey, MessageDraft,
    MessageId, Principal, SessionId,
};
use crate::policy::{self, Action};
use crate::ports::{IncomingFile, MessageField, MessageForm};
use crate::write::Appended;

/// What the caller says of the message.
pub enum SendMessage {
    /// All of it has been read.
    Content(Input<MessageContent>),
    /// Its fields are still arriving, with the files among them.
    Form(Box<dyn MessageForm>),
}

/// A message that has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageContent {
    /// The text; blank only beside files.
    pub text: String,
    /// Files that the caller has uploaded to the session, in order.
    pub uploads: Vec<AttachmentId>,
}

impl SendMessage {
    /// A message without files.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Content(Ok(MessageContent { text: text.into(), uploads: Vec::new() }))
    }
}

/// A file of a form that has been stored.
struct StagedFile {
    position: u32,
    attachment: Attachment,
}

impl ChatService {
    /// Sends a message.
    ///
    /// The files of a form are stored as they arrive. When the message certainly fails, or an earlier request already sent
    /// it, they are removed. When the caller goes away meanwhile, they stay behind until `collect_orphans` finds them.
    ///
    /// # Errors
    /// In the order of `MessageRepository::append`, with `Invalid` for what breaks a rule by itself in the place of
    /// `Invalid` there.
    pub async fn send_message(
        &self,
        who: &Principal,
        id: SessionId,
        message: SendMessage,
        key: Option<Input<IdempotencyKey>>,
    ) -> Result<Appended> {
        match message {
            SendMessage::Form(form) => self.send_form(who, id, form, key).await,
            SendMessage::Content(content) => {
                self.require_access(who)?;
                match content.and_then(|content| self.draft_of(who, id, content, key)) {
                    // The common way: the right is checked once, by the store, under the session's lock.
                    Ok(draft) => self.ports.messages.append(draft).await,
                    // What is wrong is shown only to a person who may send messages in the session.
                    Err(invalid) => {
                        self.authorize_message(who, id).await?;
                        Err(invalid.into())
                    }
                }
            }
        }
    }

    /// Whether `who` may send messages in the session, as far as is known before their files are read.
    pub async fn authorize_message(&self, who: &Principal, id: SessionId) -> Result<()> {
        Ok(policy::authorize(who, &Action::SendMessage(&self.session(id).await?))?)
    }

    async fn send_form(
        &self,
        who: &Principal,
        id: SessionId,
        mut form: Box<dyn MessageForm>,
        key: Option<Input<IdempotencyKey>>,
    ) -> Result<Appended> {
        self.authorize_message(who, id).await?;
        let mut staged: Vec<StagedFile> = Vec::new();
        let text = match self.receive(who, form.as_mut(), &mut staged).await {
            Ok(text) => text,
            Err(error) => {
                self.discard(staged).await;
                return Err(error);
            }
        };
        staged.sort_by_key(|file| file.position);
        let files: Vec<Attachment> = staged.iter().map(|file| file.attachment.clone()).collect();
        // The form may have taken an hour.
        let sent = match self.require_access(who).map(|()| self.draft(who, id, text, files.into(), key)) {
            Ok(Ok(draft)) => self.ports.messages.append(draft).await,
            Ok(Err(invalid)) => Err(invalid.into()),
            Err(refused) => Err(refused),
        };
        let unused = match &sent {
            Ok(appended) => appended.replayed,
            // When it is not certain, the message may be there and need its files.
            Err(error) => error.is_certain(),
        };
        if unused {
            self.discard(staged).await;
        }
        sent
    }

    /// Reads the form to its end: stores its files in `staged`, and returns its text.
    async fn receive(
        &self,
        who: &Principal,
        form: &mut dyn MessageForm,
        staged: &mut Vec<StagedFile>,
    ) -> Result<String> {
        let mut text = None;
        let mut coloring = Coloring::default();
        while let Some(field) = form.next_field().await? {
            match field {
                MessageField::Content(_) if text.is_some() => {
                    return Err(Invalid::new("content", "must be given once").into());
                }
                MessageField::Content(content) => text = Some(content),
                MessageField::File { position, file } => {
                    let mut attachment = self.stage(position, file, staged).await?;
                    attachment.dominant_color = self.dominant_color(who, &attachment, &mut coloring).await;
                    staged.push(StagedFile { position, attachment });
                }
            }
        }
        Ok(text.unwrap_or_default())
    }

    async fn stage(&self, position: u32, file: IncomingFile, staged: &[StagedFile]) -> Result<Attachment> {
        let Rules { max_files, max_message_bytes: limit, .. } = *self.rules;
        if staged.len() >= max_files {
            return Err(too_many(FieldPath::ATTACHMENTS, max_files).into());
        }
        if staged.iter().any(|file| file.position == position) {
            return Err(Invalid::new(file.field, "must not be given twice").into());
        }
        let used: u64 = staged.iter().map(|file| file.attachment.object.size).sum();
        self.store_file(file, SharedLimit { left: limit.saturating_sub(used), limit }).await
    }

    async fn discard(&self, staged: Vec<StagedFile>) {
        for file in staged {
            self.discard_file(file.attachment.id).await;
        }
    }

    fn draft_of(
        &self,
        who: &Principal,
        id: SessionId,
        content: MessageContent,
        key: Option<Input<IdempotencyKey>>,
    ) -> Input<MessageDraft> {
        let MessageContent { text, uploads: ids } = content;
        if ids.is_empty() {
            return self.draft(who, id, text, DraftAttachments::NONE, key);
        }
        if ids.len() > self.rules.max_files {
            return Err(too_many(FieldPath::ATTACHMENT_IDS, self.rules.max_files));
        }
        let mut named = HashSet::new();
        if let Some((index, _)) = (0..).zip(&ids).find(|(_, id)| !named.insert(**id)) {
            return Err(Invalid::new(FieldPath::ATTACHMENT_IDS.at(index), "must not be given twice"));
        }
        let max_bytes = self.rules.max_message_bytes;
        self.draft(who, id, text, DraftAttachments::Uploaded { ids, max_bytes }, key)
    }

    fn draft(
        &self,
        who: &Principal,
        session_id: SessionId,
        text: String,
        attachments: DraftAttachments,
        key: Option<Input<IdempotencyKey>>,
    ) -> Input<MessageDraft> {
        let content = Content::parse(text, !attachments.is_empty()).map_err(|rule| rule.of("content"))?;
        let idempotency = match key {
            Some(key) => Some(Idempotency { key: key?, fingerprint: fingerprint(&content, &attachments) }),
            None => None,
        };
        Ok(MessageDraft {
            id: MessageId::new(self.ports.ids.next_id()),
            session_id,
            author: who.clone(),
            content,
            attachments,
            sent_at: self.ports.clock.now(),
            idempotency,
        })
    }
}

fn too_many(field: FieldPath, limit: usize) -> Invalid {
    Invalid::new(field, format!("must be at most {limit} files"))
}

/// The content, and the names and hashes of the files in order, or the ids of those that were uploaded before: a
/// repetition finds them gone. A hash is longer than an id, so the two kinds of files differ in every meaning.
fn fingerprint(content: &Content, attachments: &DraftAttachments) -> Fingerprint {
    let mut parts = Fingerprint::builder().part("send_message").part(content.as_str());
    for file in attachments.staged() {
        parts = parts.part(file.name.as_str()).part(file.object.sha256);
    }
    for id in attachments.uploaded() {
        parts = parts.part("upload").part(id.as_uuid().as_bytes());
    }
    parts.finish()
}
