//! `POST /api/chat/sessions/{sessionId}/typing`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::TypingBody;
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{JsonBody, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Send a typing event
///
/// Tells the others who watch the session, at most once in 2 seconds: what comes sooner waits, and the last state always
/// arrives. It ends by itself after 10 seconds without a repetition, and with a message of the caller.
#[utoipa::path(post, path = "/api/chat/sessions/{sessionId}/typing", tag = "messages",
    params(("sessionId" = String, Path, description = "The session")),
    request_body = TypingBody,
    responses(
        (status = 204, description = "Done"),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 429, description = "The caller has sent too many typing events lately", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn send_typing(
    caller: Caller,
    app: App,
    path: Path<String>,
    body: JsonBody<TypingBody>,
) -> HandlerResult {
    let is_typing = body.0.and_then(TypingBody::parse);
    use_case("send_typing", app.service.send_typing(caller.principal(), session_id(&path)?, is_typing)).await?;
    Ok(HttpResponse::NoContent().finish())
}
