//! `POST /api/chat/sessions/{sessionId}/messages`

use actix_web::http::header::{CONTENT_LENGTH, LOCATION};
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::error::Invalid;
use chat_domain::model::SessionId;
use chat_domain::ports::Appended;
use chat_domain::service::Rules;

use super::{Answer, App, REPLAYED};
use crate::auth::Caller;
use crate::dto::{MessageDto, MultipartMessageBody, SendMessageBody};
use crate::error::{ApiError, ErrorEnvelope, SessionFailures};
use crate::request::{BaseUrl, NoInput, idempotency_key, is_multipart, read_json, receive_message, session_id};

/// The rule about `Content-Type`.
const MEDIA_TYPES: &str = "must be application/json, or multipart/form-data for a message with files";

/// What a part of a form may take besides a file: its headers, or the text of the message.
const MAX_FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// Send a message
///
/// As JSON, or as a multipart form when there are files. By default at most 10 files of 25 MiB each and 50 MiB
/// together, which arrive within an hour, 8 such requests at a time. With an `Idempotency-Key` a repetition gets the first answer again.
#[utoipa::path(post, path = "/api/chat/sessions/{sessionId}/messages", tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to repeat the request. 1 to 128 visible ASCII characters, which the caller chooses; they count \
                among the caller's messages of this session, on all nodes, for as long as the message is stored. Of two \
                requests with one key and the same meaning the second gets the response of the first.",
            min_length = 1, max_length = 128, pattern = r"^[!-~]+$")),
    request_body(content(
        (SendMessageBody = "application/json"),
        (MultipartMessageBody = "multipart/form-data"))),
    responses(
        (status = 201, description = "The message", body = MessageDto<'static>,
            headers(
                ("Location" = String, description = "The address of the session's messages, with the id of this one behind `#`."),
                ("Idempotency-Replayed" = String, description = "`true` when an earlier request with this key got the response first."))),
        (status = 400, description = "The body breaks a rule or a limit", body = ErrorEnvelope<'static>),
        (status = 409, description = "Closed, or the idempotency key was used for another body",
            body = ErrorEnvelope<'static>),
        (status = 429, description = "Too many uploads of the caller run at the same time",
            body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn send_message(
    caller: Caller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let id = session_id(&path)?;
    let sent = if is_multipart(&request) {
        send_with_files(&caller, &app, id, &request, payload).await?
    } else {
        let text = read_json(&request, payload.into_inner(), MEDIA_TYPES).await.and_then(SendMessageBody::parse);
        let text = NoInput::of(&request).and(text);
        app.service.send_message(caller.principal(), id, text, idempotency_key(&request)).await?
    };
    Ok(created(&sent, id, &BaseUrl::of(&request, &app.settings)))
}

async fn send_with_files(
    caller: &Caller,
    app: &App,
    id: SessionId,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Appended, ApiError> {
    let mut message = app.service.compose_message(caller.principal(), id).await?;
    require_possible_length(request, app.service.rules())?;
    // Free again when this function ends or is dropped, however that comes.
    let _slot = app.uploads.begin(&caller.principal().id).map_err(ApiError::closing_connection)?;
    let time_limit = app.settings.uploads.time_limit;
    let received = match NoInput::of(request) {
        Ok(()) => receive_message(request, payload.into_inner(), time_limit, &mut message).await,
        Err(invalid) => Err(invalid.into()),
    };
    match received {
        Ok(text) => Ok(message.send(text, idempotency_key(request)).await?),
        Err(error) => {
            message.discard().await;
            // The rest of the upload is not read, so the connection cannot carry another request.
            Err(ApiError::from(error).closing_connection())
        }
    }
}

/// Refuses a form that is too large on sight of its length, before any of it is sent: clients with
/// `Expect: 100-continue` wait for that.
fn require_possible_length(request: &HttpRequest, rules: &Rules) -> Result<(), ApiError> {
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let parts = u64::try_from(rules.max_files).unwrap_or(u64::MAX).saturating_add(1);
    let most = rules.max_message_bytes.saturating_add(parts.saturating_mul(MAX_FORM_OVERHEAD_BYTES));
    if announced.is_none_or(|length| length <= most) {
        return Ok(());
    }
    let rule = format!("must have at most {} bytes together", rules.max_message_bytes);
    Err(ApiError::from(Invalid::new("attachments", rule)))
}

fn created(sent: &Appended, session: SessionId, base: &BaseUrl) -> HttpResponse {
    let location = base.join(format_args!("/api/chat/sessions/{session}/messages#{}", sent.message.id));
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, location));
    if sent.replayed {
        response.insert_header(REPLAYED);
    }
    response.json(MessageDto::new(&sent.message, base))
}
