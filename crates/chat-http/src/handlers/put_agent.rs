//! `PUT /api/chat/agents/{agentId}`

use actix_web::HttpResponse;
use actix_web::web::Path;
use chat_domain::model::AgentId;

use super::{Answer, App};
use crate::auth::Caller;
use crate::dto::{AgentDto, PutAgentBody};
use crate::error::ErrorEnvelope;
use crate::request::JsonBody;

/// Enter an agent into the directory or change them
#[utoipa::path(put, path = "/api/chat/agents/{agentId}", tag = "agents",
    params(("agentId" = String, Path, description = "The `sub` of the agent's token")),
    request_body = PutAgentBody,
    responses(
        (status = 200, description = "The changed agent", body = AgentDto<'static>),
        (status = 201, description = "The new agent", body = AgentDto<'static>),
        (status = 400, description = "The id or the body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "Not an admin", body = ErrorEnvelope<'static>),
        (status = 500, description = "Our fault", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = [])))]
pub(crate) async fn put_agent(caller: Caller, app: App, path: Path<String>, body: JsonBody<PutAgentBody>) -> Answer {
    let id = AgentId::parse(&path).map_err(|rule| rule.of("agentId"));
    let update = body.0.and_then(PutAgentBody::parse);
    let (agent, is_new) = app.service.put_agent(caller.principal(), id, update).await?;
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(AgentDto::from(&agent)))
}
