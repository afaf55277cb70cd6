//! `DELETE /api/chat/attachments/{attachmentId}`

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::HandlerResult;
use crate::auth::Caller;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{NoInput, attachment_id};
use crate::state::App;
use crate::traces::use_case;

/// Remove an uploaded file
///
/// Takes back a file that the caller has uploaded and not sent. A file that was sent stays in its message.
#[utoipa::path(delete, path = "/api/chat/attachments/{attachmentId}", tag = "attachments",
    params(("attachmentId" = String, Path, description = "The file")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No such attachment, or another person's that is not sent",
            body = ErrorEnvelope<'static>),
        (status = 409, description = "It was sent", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn remove_upload(caller: Caller, app: App, path: Path<String>, request: HttpRequest) -> HandlerResult {
    let id = attachment_id(&path)?;
    use_case("remove_upload", app.service.remove_upload(caller.principal(), id, NoInput::of(&request))).await?;
    Ok(HttpResponse::NoContent().finish())
}
