//! Files that were uploaded and are not sent yet.

use std::time::Duration;

use super::{Attachment, SessionId, Timestamp, UserId};

/// A file that waits to be sent in a message of its session, by the person who uploaded it.
#[derive(Clone, Debug, PartialEq)]
pub struct UnsentUpload {
    /// The file, as it will be in the message.
    pub attachment: Attachment,
    /// The session that it can be sent in.
    pub session_id: SessionId,
    /// The person who uploaded it: the only one who may see, send and remove it.
    pub uploader: UserId,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
}

impl UnsentUpload {
    /// How long it can be sent. It may be forgotten up to a round of collecting later.
    pub const LIFETIME: Duration = Duration::from_hours(24);
}

/// How much a person has uploaded and not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadUsage {
    /// Files.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// How much a person may have uploaded and not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadQuota {
    /// The most files, so that summing them up stays cheap.
    pub files: u64,
    /// The most bytes of all of them.
    pub bytes: u64,
}

impl UploadQuota {
    /// Whether a file of so many bytes fits beside what is there.
    pub fn admits(&self, usage: UploadUsage, bytes: u64) -> bool {
        usage.files < self.files && usage.bytes.saturating_add(bytes) <= self.bytes
    }
}
