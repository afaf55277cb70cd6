//! `PUT /api/chat/sessions/{sessionId}/assign`

use actix_web::HttpResponse;
use actix_web::web::Path;
use chat_domain::model::AgentId;

use super::{HandlerResult, people_after_change};
use crate::auth::Caller;
use crate::dto::{AssignBody, SessionDto};
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{JsonBody, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Assign an agent to a chat session
///
/// An admin assigns any active agent to a session that waits; an agent claims one with their own id.
#[utoipa::path(put, path = "/api/chat/sessions/{sessionId}/assign", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session")),
    request_body = AssignBody,
    responses(
        (status = 200, description = "The assigned session", body = SessionDto<'static>),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 409, description = "Already assigned or closed", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn assign_agent(
    caller: Caller,
    app: App,
    path: Path<String>,
    body: JsonBody<AssignBody>,
) -> HandlerResult {
    let agent = body.0.and_then(AssignBody::parse);
    let session =
        use_case("assign_agent", app.service.assign_agent(caller.principal(), session_id(&path)?, agent)).await?;
    let (id, agent) = (session.id, session.agent().map(AgentId::as_str));
    tracing::info!(session.id = %id, agent.id = agent, actor.id = %caller.principal().id, "assigned session {id}");
    let people = people_after_change(&app, session.people()).await;
    Ok(HttpResponse::Ok().json(SessionDto::new(&session, &people)))
}
