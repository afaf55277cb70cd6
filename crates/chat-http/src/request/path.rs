//! Ids in paths. A malformed id is the id of nothing, hence 404 and not 400.

use chat_domain::error::{ChatError, Input, Invalid, Resource};
use chat_domain::model::{AgentId, AttachmentId, SessionId};

use crate::error::ApiError;

pub(crate) fn session_id(segment: &str) -> Result<SessionId, ApiError> {
    SessionId::parse(segment).ok_or_else(|| ChatError::NotFound(Resource::Session).into())
}

pub(crate) fn attachment_id(segment: &str) -> Result<AttachmentId, ApiError> {
    AttachmentId::parse(segment).ok_or_else(|| ChatError::NotFound(Resource::Attachment).into())
}

/// An agent's id, which the caller chooses and therefore can get wrong.
pub(crate) fn agent_id(segment: &str) -> Input<AgentId> {
    // What bytes that are no UTF-8 have been decoded to: many ids would become one.
    if segment.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Invalid::new("agentId", "must be UTF-8"));
    }
    AgentId::parse(segment).map_err(|rule| rule.of("agentId"))
}
