//! `POST /api/chat/people/{personId}/sign-out`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::Caller;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{NoInput, person_id};
use crate::state::App;

/// Sign a person out
///
/// Tokens of the person that were issued up to now, or do not say when (`iat`), are refused with 401 from now on, on
/// every node within two seconds, and sockets that were opened with them close with 4401. A token of the same second is
/// one of these. Tokens that are issued later are accepted.
#[utoipa::path(post, path = "/api/chat/people/{personId}/sign-out", tag = "people",
    params(("personId" = String, Path, description = "The `sub` of their token", min_length = 1, max_length = 128,
            pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\x00-\x1F\x7F-\x9F\s][^\x00-\x1F\x7F-\x9F]*$")),
    responses(
        (status = 204, description = "Signed out"),
        (status = 400, description = "The id breaks a rule", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn sign_out_person(caller: Caller, app: App, path: Path<String>, input: NoInput) -> HandlerResult {
    let person = input.0.and_then(|()| person_id(&path));
    app.service.sign_out_person(caller.principal(), person).await?;
    tracing::info!(user.id = %caller.principal().id, person.id = %path, "signed out person {path}");
    Ok(HttpResponse::NoContent().finish())
}
