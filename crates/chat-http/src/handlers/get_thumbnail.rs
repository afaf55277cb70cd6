//! `GET` and `HEAD /api/chat/attachments/{attachmentId}/thumbnail`

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use chat_domain::model::Thumbnail;

use super::HandlerResult;
use super::download_attachment::{FileContent, not_changed, strong_tag};
use crate::auth::DownloadCaller;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{Query, attachment_id};
use crate::state::App;
use crate::traces::use_case;

/// Get the thumbnail of an attachment
///
/// A small picture of a JPEG, PNG, GIF or WebP, turned as it is to be shown and without its metadata; of an animation
/// the first picture. It is made as the picture is stored, or else when it is first asked for. It counts as a download.
#[utoipa::path(get, path = "/api/chat/attachments/{attachmentId}/thumbnail", tag = "attachments",
    params(
        ("attachmentId" = String, Path, description = "The attachment"),
        ("size" = Option<u32>, Query, example = 160,
            description = "The most pixels of the longer side: 160 or 640, which is the default. A picture that is smaller keeps its size"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the caller has")),
    responses(
        (status = 200, description = "The thumbnail: WebP where something is transparent, else JPEG",
            content((FileContent = "image/jpeg"), (FileContent = "image/webp")),
            headers(("ETag" = String, description = "Names the bytes."))),
        (status = 304, description = "The caller has the thumbnail already",
            headers(("ETag" = String, description = "Names the bytes."))),
        (status = 404, description = "No such attachment, or no thumbnail can be made of it (`NO_THUMBNAIL`)", body = ErrorEnvelope<'static>),
        (status = 429, description = "The caller has downloaded too much lately", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = []), ("downloadTicket" = [])))]
pub(crate) async fn get_thumbnail(
    caller: DownloadCaller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
) -> HandlerResult {
    let mut query = Query::of(&request);
    let size = query.thumbnail_size();
    // It says who asks.
    query.get("ticket");
    let size = query.finish(size);
    let found = app.service.get_thumbnail(caller.principal(), attachment_id(&path)?, size);
    let thumbnail = use_case("get_thumbnail", found).await?;
    let etag = strong_tag(&thumbnail.sha256());
    if not_changed(&request, &etag) {
        return Ok(describe(StatusCode::NOT_MODIFIED, &thumbnail, &etag).finish());
    }
    Ok(describe(StatusCode::OK, &thumbnail, &etag).body(thumbnail.bytes))
}

fn describe(status: StatusCode, thumbnail: &Thumbnail, etag: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, thumbnail.format.media_type()))
        .insert_header((CONTENT_DISPOSITION, "inline"))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((ETAG, etag));
    response
}
