//! `GET /api/chat/agents`

use actix_web::HttpResponse;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::AgentListDto;
use crate::error::CommonFailures;
use crate::request::NoInput;
use crate::state::App;
use crate::traces::use_case;

/// List the agents
///
/// For agents too, who choose one of them to hand a session over to.
#[utoipa::path(get, path = "/api/chat/agents", tag = "agents",
    responses(
        (status = 200, description = "All agents by ascending id", body = AgentListDto<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn list_agents(caller: Caller, app: App, input: NoInput) -> HandlerResult {
    let (agents, people) = use_case("list_agents", app.service.list_agents(caller.principal())).await?;
    input.0?;
    Ok(HttpResponse::Ok().json(AgentListDto::new(&agents, &people)))
}
