//! `GET` and `HEAD /api/chat/attachments/{attachmentId}`

use std::fmt::Write;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::Charset;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ContentDisposition, DispositionParam, DispositionType, ETAG, ExtendedValue, IF_NONE_MATCH,
};
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use chat_domain::ChatError;
use chat_domain::model::{Attachment, ByteRange};
use chat_domain::ports::ByteSource;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use utoipa::ToSchema;

use super::HandlerResult;
use crate::auth::DownloadCaller;
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::{NoInput, RangeRequest, attachment_id, requested_range};
use crate::state::App;
use crate::traces::use_case;

/// What a browser may show by itself: formats that hold no script and are drawn, not interpreted.
pub(crate) const SHOWN_INLINE: [&str; 15] = [
    "audio/aac",
    "audio/flac",
    "audio/mpeg",
    "audio/mp4",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "audio/x-wav",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "video/mp4",
    "video/webm",
];

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes a body that is sent as a stream")]
pub(crate) struct FileContent(Vec<u8>);

/// Download an attachment
///
/// Takes `Range`, `If-Range` and `If-None-Match`. Anything that a browser could run is sent as a download.
#[utoipa::path(get, path = "/api/chat/attachments/{attachmentId}", tag = "attachments",
    params(
        ("attachmentId" = String, Path, description = "The attachment"),
        ("Range" = Option<String>, Header, description = "A part, such as `bytes=0-1023`"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` that `Range` is about; for another one the whole file is sent"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of what the caller has")),
    responses(
        (status = 200, description = "The file, with the media type of its `type`", content((FileContent = "application/octet-stream"), (FileContent = "*/*")),
            headers(
                ("ETag" = String, description = "Names the bytes, which never change."),
                ("Content-Disposition" = String, description = "`inline` or `attachment`, and the file's name."))),
        (status = 206, description = "A part of it", content((FileContent = "application/octet-stream"), (FileContent = "*/*")),
            headers(
                ("ETag" = String, description = "Names the bytes of the whole file."),
                ("Content-Disposition" = String, description = "`inline` or `attachment`, and the file's name."),
                ("Content-Range" = String, description = "Which part this is, such as `bytes 0-1023/48213`."))),
        (status = 304, description = "The caller has the file already",
            headers(("ETag" = String, description = "Names the bytes."))),
        (status = 404, description = "No such attachment", body = ErrorEnvelope<'static>),
        (status = 416, description = "The file has no such part",
            headers(("Content-Range" = String, description = "How large the file is, such as `bytes */48213`."))),
        (status = 429, description = "The caller has downloaded too much lately", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = []), ("downloadTicket" = [])))]
pub(crate) async fn download_attachment(
    caller: DownloadCaller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
) -> HandlerResult {
    let download =
        use_case("download_attachment", app.service.download_attachment(caller.principal(), attachment_id(&path)?))
            .await?;
    NoInput::beside_ticket(&request)?;
    let file = &download.attachment;
    let size = file.object.size;
    let etag = strong_tag(&file.object.sha256);
    if not_changed(&request, &etag) {
        return Ok(describe(StatusCode::NOT_MODIFIED, file, &etag).finish());
    }
    match requested_range(&request, size, &etag) {
        RangeRequest::Whole => {
            let bytes = download.open(None).await?;
            Ok(describe(StatusCode::OK, file, &etag).body(SizedStream::new(size, stream(bytes))))
        }
        RangeRequest::Part(part) => {
            let (range, length) = (content_range(&part, size), part.length());
            let bytes = download.open(Some(part)).await?;
            Ok(describe(StatusCode::PARTIAL_CONTENT, file, &etag)
                .insert_header((CONTENT_RANGE, range))
                .body(SizedStream::new(length, stream(bytes))))
        }
        RangeRequest::Unsatisfiable => {
            Ok(HttpResponse::RangeNotSatisfiable().insert_header((CONTENT_RANGE, format!("bytes */{size}"))).finish())
        }
    }
}

/// The bytes never change, so their hash is a strong tag.
pub(super) fn strong_tag(sha256: &[u8; 32]) -> String {
    let mut tag = String::from("\"");
    for byte in sha256 {
        // Writing to a String cannot fail.
        let _infallible = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// `If-None-Match` compares weakly (RFC 9110, 13.1.2).
pub(super) fn not_changed(request: &HttpRequest, etag: &str) -> bool {
    request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

fn describe(status: StatusCode, file: &Attachment, etag: &str) -> HttpResponseBuilder {
    let media_type = &file.object.media_type;
    let is_utf8 = media_type.essence().starts_with("text/") && media_type.charset().is_none();
    let content_type = if is_utf8 { format!("{media_type}; charset=utf-8") } else { media_type.to_string() };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CONTENT_DISPOSITION, disposition(file)))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header((ETAG, etag));
    response
}

/// RFC 6266: a plain name for old clients, and the real one in UTF-8 (RFC 8187) when it differs.
fn disposition(file: &Attachment) -> ContentDisposition {
    let name = file.name.as_str();
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut parameters = vec![DispositionParam::Filename(plain)];
    if !name.is_ascii() {
        parameters.push(DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: name.as_bytes().to_vec(),
        }));
    }
    let inline = SHOWN_INLINE.contains(&file.object.media_type.essence());
    let disposition = if inline { DispositionType::Inline } else { DispositionType::Attachment };
    ContentDisposition { disposition, parameters }
}

fn content_range(part: &ByteRange, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.first(), part.last())
}

fn stream(bytes: Box<dyn ByteSource>) -> impl Stream<Item = Result<Bytes, ChatError>> {
    try_unfold(bytes, |mut bytes| async move {
        let chunk = bytes.next_chunk().await.inspect_err(|error| {
            // The status has been sent; breaking off is all that is left, and the log says why.
            tracing::error!(error.cause = %error, "download broke off");
        })?;
        Ok(chunk.map(|chunk| (chunk, bytes)))
    })
}
