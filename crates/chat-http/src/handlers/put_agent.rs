//! `PUT /api/chat/agents/{agentId}`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::{AgentDto, PutAgentBody};
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{JsonBody, agent_id};
use crate::state::App;
use crate::traces::use_case;

/// Enter an agent into the directory or change them
#[utoipa::path(put, path = "/api/chat/agents/{agentId}", tag = "agents",
    params(("agentId" = String, Path, description = "The `sub` of the agent's token", min_length = 1, max_length = 128,
            pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$")),
    request_body = PutAgentBody,
    responses(
        (status = 200, description = "The changed agent", body = AgentDto<'static>),
        (status = 201, description = "The new agent", body = AgentDto<'static>),
        (status = 400, description = "The id or the body breaks a rule", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn put_agent(
    caller: Caller,
    app: App,
    path: Path<String>,
    body: JsonBody<PutAgentBody>,
) -> HandlerResult {
    let id = agent_id(&path);
    let update = body.0.and_then(PutAgentBody::parse);
    let (agent, is_new) = use_case("put_agent", app.service.put_agent(caller.principal(), id, update)).await?;
    tracing::info!(agent.id = %agent.id, agent.active = agent.active, "changed agent {}", agent.id);
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(AgentDto::from(&agent)))
}
