//! `DELETE /api/chat/agents/{agentId}`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::AgentDto;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{NoInput, agent_id};
use crate::state::App;
use crate::traces::use_case;

/// Deactivate an agent
///
/// They are refused everywhere from then on. Their sessions stay theirs until an admin transfers them.
#[utoipa::path(delete, path = "/api/chat/agents/{agentId}", tag = "agents",
    params(("agentId" = String, Path, description = "The `sub` of the agent's token", min_length = 1, max_length = 128,
            pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$")),
    responses(
        (status = 200, description = "The deactivated agent", body = AgentDto<'static>),
        (status = 404, description = "No such agent", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn deactivate_agent(caller: Caller, app: App, path: Path<String>, input: NoInput) -> HandlerResult {
    let agent =
        use_case("deactivate_agent", app.service.deactivate_agent(caller.principal(), agent_id(&path).ok(), input.0))
            .await?;
    tracing::info!(agent.id = %agent.id, "deactivated agent {}", agent.id);
    Ok(HttpResponse::Ok().json(AgentDto::from(&agent)))
}
