//! `POST /api/chat/sessions/{sessionId}/attachments`

use actix_web::http::header::LOCATION;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::HandlerResult;
use super::download_attachment::FileContent;
use crate::auth::Caller;
use crate::base_url::BaseUrl;
use crate::dto::{AttachmentDto, UploadBody};
use crate::error::{ApiError, ErrorEnvelope, SessionFailures};
use crate::request::{NoInput, announced_size, read_upload, receive, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Upload a file
///
/// One file, as the body itself with `Content-Type` and `Content-Disposition`, or as the field `file` of a form. It is sent
/// with a message that names it in `attachmentIds`; until then the caller alone can see it, and can remove it. What is not
/// sent within 24 hours is removed. By default a file has at most 25 MiB, a person at most 500 files of 200 MiB together
/// that are not sent (`UPLOAD_QUOTA`), and 8 uploads at a time.
#[utoipa::path(post, path = "/api/chat/sessions/{sessionId}/attachments", tag = "attachments",
    params(
        ("sessionId" = String, Path, description = "The session that the file can be sent in"),
        ("Content-Disposition" = Option<String>, Header, description = "The name of a file that is the body itself, as in `attachment; filename=\"receipt.png\"`")),
    request_body(content(
        (UploadBody = "multipart/form-data"),
        (FileContent = "application/octet-stream"),
        (FileContent = "*/*"))),
    responses(
        (status = 201, description = "The file, as it will be in its message", body = AttachmentDto<'static>,
            headers(("Location" = String, description = "Where to download it, and to remove it."))),
        (status = 400, description = "The file breaks a rule or a limit", body = ErrorEnvelope<'static>),
        (status = 409, description = "The session is closed", body = ErrorEnvelope<'static>),
        (status = 429, description = "The caller has sent too much lately, or has too many uploads running",
            body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn upload_attachment(
    caller: Caller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HandlerResult {
    let (who, session) = (caller.principal(), session_id(&path)?);
    let size = NoInput::of(&request).and(announced_size(&request, app.service.rules().max_file_bytes));
    app.service.prepare_upload(who, session, size).await?;
    // Free again when this function ends or is dropped, however that comes.
    let _slot = app.uploads.begin(&who.id).map_err(ApiError::closing_connection)?;
    let (file, reading) = read_upload(&request, payload.into_inner(), app.settings.uploads.time_limit).await?;
    let upload = use_case("upload_attachment", app.service.upload_attachment(who, session, file));
    let attachment = receive(reading, upload).await?;
    let attachment = AttachmentDto::new(&attachment, &BaseUrl::of(&request, &app.settings));
    Ok(HttpResponse::Created().insert_header((LOCATION, attachment.url())).json(attachment))
}
