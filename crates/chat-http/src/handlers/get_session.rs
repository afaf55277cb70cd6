//! `GET /api/chat/sessions/{sessionId}`

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Path;
use chat_domain::model::{ChatSession, KnownPeople};

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::SessionDto;
use crate::error::SessionFailures;
use crate::request::{NoInput, session_id, version_tag};
use crate::state::App;
use crate::traces::use_case;

/// Get a chat session
#[utoipa::path(get, path = "/api/chat/sessions/{sessionId}", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session")),
    responses(
        (status = 200, description = "The session", body = SessionDto<'static>,
            headers(("ETag" = String, description = "The version of the session, for `If-Match`: the position of its newest event."))),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn get_session(caller: Caller, app: App, path: Path<String>, input: NoInput) -> HandlerResult {
    let session = use_case("get_session", app.service.get_session(caller.principal(), session_id(&path)?)).await?;
    input.0?;
    let people = app.service.find_people(session.people()).await?;
    Ok(with_version(&session, &people))
}

/// The response with a session and its version. A proxy that compressed it would make the version weak (RFC 9110, 8.8.3.3),
/// which `If-Match` never matches; `no-transform` forbids that.
pub(super) fn with_version(session: &ChatSession, people: &KnownPeople) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header(version_tag(session)).insert_header((CACHE_CONTROL, "no-store, no-transform"));
    response.json(SessionDto::new(session, people))
}
