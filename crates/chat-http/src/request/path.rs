//! Ids in paths. A malformed id is the id of nothing, hence 404 and not 400.

use chat_domain::error::{ChatError, Input, Invalid, Resource};
use chat_domain::model::{AgentId, AttachmentId, SessionId, UserId};

use crate::error::ApiError;

pub(crate) fn session_id(segment: &str) -> Result<SessionId, ApiError> {
    SessionId::parse(segment).ok_or_else(|| ChatError::NotFound(Resource::Session).into())
}

pub(crate) fn attachment_id(segment: &str) -> Result<AttachmentId, ApiError> {
    AttachmentId::parse(segment).ok_or_else(|| ChatError::NotFound(Resource::Attachment).into())
}

/// An agent's id, which the caller chooses and therefore can get wrong.
pub(crate) fn agent_id(segment: &str) -> Input<AgentId> {
    require_utf8(segment, "agentId")?;
    AgentId::parse(segment).map_err(|rule| rule.of("agentId"))
}

/// A person's id: the `sub` of any token, so that none is unknown, and the caller can get it wrong too.
pub(crate) fn person_id(segment: &str) -> Input<UserId> {
    require_utf8(segment, "personId")?;
    UserId::parse(segment).map_err(|rule| rule.of("personId"))
}

/// Refuses what bytes that are no UTF-8 have been decoded to: many ids would become one.
fn require_utf8(segment: &str, field: &'static str) -> Input<()> {
    if segment.contains(char::REPLACEMENT_CHARACTER) { Err(Invalid::new(field, "must be UTF-8")) } else { Ok(()) }
}
