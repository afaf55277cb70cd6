//! `DELETE /api/chat/people/{personId}/block`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{NoInput, person_id};
use crate::state::App;

/// Unblock a person
///
/// They are accepted again, on every node within two seconds. A person who is not blocked stays as they are. A sign-out
/// is not undone: it takes a token that was issued after it.
#[utoipa::path(delete, path = "/api/chat/people/{personId}/block", tag = "people",
    params(("personId" = String, Path, description = "The `sub` of their token", min_length = 1, max_length = 128,
            pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$")),
    responses(
        (status = 204, description = "Not blocked any more"),
        (status = 400, description = "The id breaks a rule", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn unblock_person(caller: Caller, app: App, path: Path<String>, input: NoInput) -> HandlerResult {
    let person = input.0.and_then(|()| person_id(&path));
    app.service.unblock_person(caller.principal(), person).await?;
    tracing::info!(user.id = %caller.principal().id, person.id = %path, "unblocked person {path}");
    Ok(HttpResponse::NoContent().finish())
}
