//! `POST /api/chat/sessions/{sessionId}/messages`

use actix_web::http::header::LOCATION;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::error::{FieldPath, Invalid};
use chat_domain::model::{KnownPeople, SessionId};
use chat_domain::service::{Rules, SendMessage};
use chat_domain::write::Appended;

use super::{HandlerResult, REPLAYED, people_after_change};
use crate::auth::Caller;
use crate::base_url::BaseUrl;
use crate::dto::{MessageDto, MultipartMessageBody, SendMessageBody};
use crate::error::{ApiError, ErrorEnvelope, SessionFailures};
use crate::request::{
    NoInput, announced_length, idempotency_key, is_multipart, message_form, read_json, receive, session_id,
};
use crate::state::App;
use crate::traces::use_case;

/// The rule about `Content-Type`.
const MEDIA_TYPES: &str = "must be application/json, or multipart/form-data for a message that brings its files";

/// What a part of a form may take besides a file: its headers, or the text of the message.
const MAX_FORM_OVERHEAD_BYTES: u64 = 64 * 1024;

/// Send a message
///
/// As JSON, with the ids of files that were uploaded before, or as a multipart form that brings its files. By default at most 10 files of 25 MiB each and 50 MiB
/// together; a form arrives within an hour, 8 such requests at a time. An upload is sent once: of two messages with it at the same time one gets 400. With an `Idempotency-Key` a repetition gets the first answer again.
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
        (status = 429, description = "The caller has sent too many messages lately, or has too many uploads running",
            body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn send_message(
    caller: Caller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HandlerResult {
    let id = session_id(&path)?;
    let sent = if is_multipart(&request) {
        send_with_files(&caller, &app, id, &request, payload).await?
    } else {
        let content = read_json(&request, payload.into_inner(), MEDIA_TYPES).await?.and_then(SendMessageBody::parse);
        let message = SendMessage::Content(NoInput::of(&request).and(content));
        use_case("send_message", app.service.send_message(caller.principal(), id, message, idempotency_key(&request)))
            .await?
    };
    let people = people_after_change(&app, [sent.message.author.clone()]).await;
    Ok(created(&sent, &people, &BaseUrl::of(&request, &app.settings)))
}

async fn send_with_files(
    caller: &Caller,
    app: &App,
    id: SessionId,
    request: &HttpRequest,
    payload: Payload,
) -> Result<Appended, ApiError> {
    let who = caller.principal();
    app.service.authorize_message(who, id).await?;
    require_possible_length(request, app.service.rules())?;
    NoInput::of(request)?;
    // Free again when this function ends or is dropped, however that comes.
    let _slot = app.uploads.begin(&who.id).map_err(ApiError::closing_connection)?;
    let (form, reading) = message_form(request, payload.into_inner(), app.settings.uploads.time_limit);
    let message = SendMessage::Form(form);
    receive(reading, use_case("send_message", app.service.send_message(who, id, message, idempotency_key(request))))
        .await
}

/// Refuses a form that is too large on sight of its length, before any of it is sent: clients with
/// `Expect: 100-continue` wait for that.
fn require_possible_length(request: &HttpRequest, rules: &Rules) -> Result<(), ApiError> {
    let parts = u64::try_from(rules.max_files).unwrap_or(u64::MAX).saturating_add(1);
    let most = rules.max_message_bytes.saturating_add(parts.saturating_mul(MAX_FORM_OVERHEAD_BYTES));
    if announced_length(request).is_none_or(|length| length <= most) {
        return Ok(());
    }
    let rule = format!("must have at most {} bytes together", rules.max_message_bytes);
    Err(ApiError::from(Invalid::new(FieldPath::ATTACHMENTS, rule)))
}

fn created(sent: &Appended, people: &KnownPeople, base: &BaseUrl) -> HttpResponse {
    let session = sent.message.session_id;
    let location = base.join(format_args!("/api/chat/sessions/{session}/messages/{}", sent.message.id));
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, location));
    if sent.replayed {
        response.insert_header(REPLAYED);
    }
    response.json(MessageDto::new(&sent.message, base, people))
}
