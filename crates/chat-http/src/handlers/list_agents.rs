//! `GET /api/chat/agents`

use actix_web::HttpResponse;

use super::{Answer, App};
use crate::auth::Caller;
use crate::dto::{AgentDto, AgentListDto};
use crate::error::ErrorEnvelope;

/// List the agents
#[utoipa::path(get, path = "/api/chat/agents", tag = "agents",
    responses(
        (status = 200, description = "All agents by ascending id", body = AgentListDto<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "Not an admin", body = ErrorEnvelope<'static>),
        (status = 500, description = "Our fault", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = [])))]
pub(crate) async fn list_agents(caller: Caller, app: App) -> Answer {
    let agents = app.service.list_agents(caller.principal()).await?;
    Ok(HttpResponse::Ok().json(AgentListDto { agents: agents.iter().map(AgentDto::from).collect() }))
}
