//! `PUT /api/chat/people/{personId}/block`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::BlockBody;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{OptionalJsonBody, person_id};
use crate::state::App;

/// Block a person
///
/// Whatever their token, they are refused with 403 `BLOCKED` from now on, on every node within two seconds, and their
/// sockets close with 4403. Their sessions and messages stay. An admin cannot block themself. No body is needed.
#[utoipa::path(put, path = "/api/chat/people/{personId}/block", tag = "people",
    params(("personId" = String, Path, description = "The `sub` of their token", min_length = 1, max_length = 128,
            pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$")),
    request_body = BlockBody,
    responses(
        (status = 204, description = "Blocked"),
        (status = 400, description = "The id or the body breaks a rule, or the id is the caller's own",
            body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn block_person(
    caller: Caller,
    app: App,
    path: Path<String>,
    body: OptionalJsonBody<BlockBody>,
) -> HandlerResult {
    let mut reason = None;
    let person = body.whole().and_then(BlockBody::parse).and_then(|given| {
        reason = given;
        person_id(&path)
    });
    app.service.block_person(caller.principal(), person).await?;
    tracing::info!(user.id = %caller.principal().id, person.id = %path, reason, "blocked person {path}");
    Ok(HttpResponse::NoContent().finish())
}
