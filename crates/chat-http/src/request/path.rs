//! Ids in paths. A malformed id is the id of nothing, hence 404 and not 400.

use chat_domain::error::{ChatError, Resource};
use chat_domain::model::{AttachmentId, SessionId};

use crate::error::ApiError;

pub(crate) fn session_id(segment: &str) -> Result<SessionId, ApiError> {
    SessionId::parse(segment).ok_or_else(|| ChatError::NotFound(Resource::Session).into())
}

pub(crate) fn attachment_id(segment: &str) -> Result<AttachmentId, ApiError> {
    AttachmentId::parse(segment).ok_or_else(|| ChatError::NotFound(Resource::Attachment).into())
}
