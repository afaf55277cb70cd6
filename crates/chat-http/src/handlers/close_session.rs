//! `PUT /api/chat/sessions/{sessionId}/close`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::{HandlerResult, people_after_change};
use crate::auth::Caller;
use crate::dto::SessionDto;
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{NoInput, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Close a chat session
#[utoipa::path(put, path = "/api/chat/sessions/{sessionId}/close", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session")),
    responses(
        (status = 200, description = "The closed session", body = SessionDto<'static>),
        (status = 409, description = "Already closed", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn close_session(caller: Caller, app: App, path: Path<String>, input: NoInput) -> HandlerResult {
    let session =
        use_case("close_session", app.service.close_session(caller.principal(), session_id(&path)?, input.0)).await?;
    tracing::info!(session.id = %session.id, actor.id = %caller.principal().id, "closed session {}", session.id);
    let people = people_after_change(&app, session.people()).await;
    Ok(HttpResponse::Ok().json(SessionDto::new(&session, &people)))
}
