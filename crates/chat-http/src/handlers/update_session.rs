//! `PATCH /api/chat/sessions/{sessionId}`

use actix_web::HttpRequest;
use actix_web::web::Path;
use chat_domain::model::SessionUpdate;

use super::get_session::with_version;
use super::{HandlerResult, people_after_change};
use crate::auth::Caller;
use crate::dto::{SessionDto, UpdateSessionBody};
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{JsonBody, expected_version, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Change what a chat session is about
///
/// The assigned agent and admins change subject, priority and tags of an active session. Fields that are left out stay. If
/// the session is as the body says already, also if the body is empty, nothing changes and no one is notified.
///
/// The `ETag` of a session is the position of its newest event, so a message changes it too. With `If-Match`, the update is
/// made only of that version: of several that name the same one, one succeeds. If the response is lost, the same request
/// again gets 412 when the first one was made: get the session, and if it is as the body says, all is done. A tag
/// that a proxy has changed as it compressed the response (`W/"7"`, `"7-gzip"`) is that of no version.
#[utoipa::path(patch, path = "/api/chat/sessions/{sessionId}", tag = "sessions",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the session as the caller knows it, or several; `*` is any")),
    request_body = UpdateSessionBody,
    responses(
        (status = 200, description = "The session", body = SessionDto<'static>,
            headers(("ETag" = String, description = "The version of the session."))),
        (status = 400, description = "The body or a header breaks a rule", body = ErrorEnvelope<'static>),
        (status = 409, description = "Closed", body = ErrorEnvelope<'static>),
        (status = 412, description = "The session is not as `If-Match` says", body = ErrorEnvelope<'static>),
        (status = 429, description = "The caller has sent too much lately", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn update_session(
    caller: Caller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
    body: JsonBody<UpdateSessionBody>,
) -> HandlerResult {
    let update = body.0.and_then(UpdateSessionBody::parse).and_then(|details| {
        let expected = expected_version(&request)?;
        Ok(SessionUpdate { details, expected })
    });
    let updated =
        use_case("update_session", app.service.update_session(caller.principal(), session_id(&path)?, update)).await?;
    if updated.has_event {
        let id = updated.session.id;
        tracing::info!(session.id = %id, actor.id = %caller.principal().id, "updated session {id}");
    }
    let people = people_after_change(&app, updated.session.people()).await;
    Ok(with_version(&updated.session, &people))
}
