//! Store the bytes of a file that arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::ChatService;
use crate::error::{ChatError, FieldError, FieldPath, Invalid, Result};
use crate::model::{Attachment, AttachmentId, Color, FileName, Principal};
use crate::ports::{ByteSource, IncomingFile, Upload};

/// What all files of a message have left of their limit together.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedLimit {
    pub(super) left: u64,
    pub(super) limit: u64,
}

/// Whether the files of a message get their colours. After one for which there was no time the others are not tried, so
/// that a message of many pictures does not wait for each of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coloring {
    had_no_time: bool,
}

/// Breaks a file off when all files of the message together have too many bytes.
struct LimitedSource {
    source: Box<dyn ByteSource>,
    shared: SharedLimit,
    exceeded: Arc<AtomicBool>,
}

#[async_trait]
impl ByteSource for LimitedSource {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        let chunk = self.source.next_chunk().await?;
        let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        let SharedLimit { left, limit } = self.shared;
        self.shared.left = left.checked_sub(length).ok_or_else(|| {
            self.exceeded.store(true, Ordering::Relaxed);
            Invalid::new(FieldPath::ATTACHMENTS, format!("must have at most {limit} bytes together"))
        })?;
        Ok(chunk)
    }
}

impl ChatService {
    /// Stores a file. Nothing refers to it yet: a caller who does not use it removes it with [`Self::discard_file`].
    ///
    /// # Errors
    /// `Invalid` naming the file's field when the file is empty or breaks its limit, and `attachments` when it breaks the
    /// shared one; what the store or the source fails with.
    pub(super) async fn store_file(&self, file: IncomingFile, shared: SharedLimit) -> Result<Attachment> {
        let IncomingFile { field, name, claimed_type, source } = file;
        let id = AttachmentId::new(self.ports.ids.next_id());
        let upload = Upload { id, claimed_type, max_bytes: self.rules.max_file_bytes };
        let exceeded = Arc::new(AtomicBool::new(false));
        let source = LimitedSource { source, shared, exceeded: Arc::clone(&exceeded) };
        let stored = self.ports.attachments.put(upload, Box::new(source)).await;
        let object = stored.map_err(|error| match error {
            // What the store objects to is this file; the limit for all of them is about all of them.
            ChatError::Invalid(invalid) if !exceeded.load(Ordering::Relaxed) => of_file(invalid, &field).into(),
            other => other,
        })?;
        Ok(Attachment { id, name: FileName::sanitize(&name), object, dominant_color: None })
    }

    /// The dominant colour of a file that was just stored. A file without it is as good: nothing fails because of it.
    pub(super) async fn dominant_color(
        &self,
        who: &Principal,
        file: &Attachment,
        coloring: &mut Coloring,
    ) -> Option<Color> {
        if coloring.had_no_time || !file.object.may_have_thumbnail() {
            return None;
        }
        let color = self.ports.thumbnail_maker.dominant_color(&who.id, file).await;
        // The maker counts its failures, and logs it if the bytes are damaged.
        coloring.had_no_time = color.is_err();
        color.ok().flatten()
    }

    /// Removes a file that nothing refers to. What cannot be removed now is left to `collect_orphans`.
    pub(super) async fn discard_file(&self, id: AttachmentId) {
        let _left_to_collect_orphans = self.ports.attachments.delete(id).await;
    }
}

/// The store knows the file as one of the `attachments`; the caller knows it by its field.
fn of_file(invalid: Invalid, field: &FieldPath) -> Invalid {
    let name = |error: FieldError| {
        if error.field == FieldPath::ATTACHMENTS { FieldError { field: field.clone(), ..error } } else { error }
    };
    Invalid { fields: invalid.fields.into_iter().map(name).collect() }
}
