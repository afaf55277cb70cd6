//! `DELETE /api/chat/agents/{agentId}`

use actix_web::HttpResponse;
use actix_web::web::Path;
use chat_domain::model::AgentId;

use super::{Answer, App};
use crate::auth::Caller;
use crate::dto::AgentDto;
use crate::error::ErrorEnvelope;

/// Deactivate an agent
///
/// They are refused everywhere from then on. Their sessions stay theirs until an admin transfers them.
#[utoipa::path(delete, path = "/api/chat/agents/{agentId}", tag = "agents",
    params(("agentId" = String, Path, description = "The `sub` of the agent's token")),
    responses(
        (status = 200, description = "The deactivated agent", body = AgentDto<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "Not an admin", body = ErrorEnvelope<'static>),
        (status = 404, description = "No such agent", body = ErrorEnvelope<'static>),
        (status = 500, description = "Our fault", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = [])))]
pub(crate) async fn deactivate_agent(caller: Caller, app: App, path: Path<String>) -> Answer {
    let agent = app.service.deactivate_agent(caller.principal(), AgentId::parse(&path).ok()).await?;
    Ok(HttpResponse::Ok().json(AgentDto::from(&agent)))
}
