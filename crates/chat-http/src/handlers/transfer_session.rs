//! `PUT /api/chat/sessions/{sessionId}/transfer`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::{Answer, App};
use crate::auth::Caller;
use crate::dto::{SessionDto, TransferBody};
use crate::error::ErrorEnvelope;
use crate::request::{JsonBody, session_id};

/// Hand a chat session over
///
/// To another active agent, or back to the queue with `null`. An agent hands over their own sessions, an admin any.
#[utoipa::path(put, path = "/api/chat/sessions/{sessionId}/transfer", tag = "sessions",
    params(("sessionId" = String, Path, description = "The session")),
    request_body = TransferBody,
    responses(
        (status = 200, description = "The session", body = SessionDto<'static>),
        (status = 400, description = "The body breaks a rule", body = ErrorEnvelope<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "Not the caller's to hand over", body = ErrorEnvelope<'static>),
        (status = 404, description = "No such session or agent", body = ErrorEnvelope<'static>),
        (status = 409, description = "Closed", body = ErrorEnvelope<'static>),
        (status = 500, description = "Our fault", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = [])))]
pub(crate) async fn transfer_session(
    caller: Caller,
    app: App,
    path: Path<String>,
    body: JsonBody<TransferBody>,
) -> Answer {
    let to = body.0.and_then(TransferBody::parse);
    let session = app.service.transfer_session(caller.principal(), session_id(&path)?, to).await?;
    Ok(HttpResponse::Ok().json(SessionDto::from(&session)))
}
