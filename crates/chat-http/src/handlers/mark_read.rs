//! `PUT /api/chat/sessions/{sessionId}/read`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::ReadBody;
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{JsonBody, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Mark messages as read
///
/// Either the messages that are named, all or nothing, or all messages up to a position. The same again when repeated.
/// One's own messages are ignored; an id that is not a message of this session, or a position ahead of its newest event,
/// is refused and nothing changes.
#[utoipa::path(put, path = "/api/chat/sessions/{sessionId}/read", tag = "messages",
    params(("sessionId" = String, Path, description = "The session")),
    request_body = ReadBody,
    responses(
        (status = 204, description = "Done"),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn mark_read(caller: Caller, app: App, path: Path<String>, body: JsonBody<ReadBody>) -> HandlerResult {
    let messages = body.0.and_then(ReadBody::parse);
    use_case("mark_read", app.service.mark_read(caller.principal(), session_id(&path)?, messages)).await?;
    Ok(HttpResponse::NoContent().finish())
}
