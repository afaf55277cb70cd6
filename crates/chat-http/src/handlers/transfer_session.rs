//! `PUT /api/chat/sessions/{sessionId}/transfer`

use actix_web::HttpResponse;
use actix_web::web::Path;
use chat_domain::model::AgentId;

use super::{HandlerResult, people_after_change};
use crate::auth::Caller;
use crate::dto::{SessionDto, TransferBody};
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{JsonBody, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Hand a chat session over
///
/// To another active agent, or back to the queue with `null`. An agent hands over their own sessions, an admin any.
#[utoipa::path(put, path = "/api/chat/sessions/{sessionId}/transfer", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session")),
    request_body = TransferBody,
    responses(
        (status = 200, description = "The session", body = SessionDto<'static>),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 409, description = "Closed", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn transfer_session(
    caller: Caller,
    app: App,
    path: Path<String>,
    body: JsonBody<TransferBody>,
) -> HandlerResult {
    let to = body.0.and_then(TransferBody::parse);
    let session =
        use_case("transfer_session", app.service.transfer_session(caller.principal(), session_id(&path)?, to)).await?;
    let (id, agent) = (session.id, session.agent().map(AgentId::as_str));
    tracing::info!(session.id = %id, agent.id = agent, actor.id = %caller.principal().id, "transferred session {id}");
    let people = people_after_change(&app, session.people()).await;
    Ok(HttpResponse::Ok().json(SessionDto::new(&session, &people)))
}
