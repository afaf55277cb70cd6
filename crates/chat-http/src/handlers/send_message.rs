//! `POST /api/chat/sessions/{sessionId}/messages`

use actix_web::http::header::LOCATION;
use actix_web::web::{Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::model::SessionId;
use chat_domain::ports::Appended;

use super::{Answer, App, REPLAYED};
use crate::auth::Caller;
use crate::dto::{MessageDto, MultipartMessageBody, SendMessageBody};
use crate::error::{ApiError, ErrorEnvelope, SessionFailures};
use crate::request::{BaseUrl, idempotency_key, is_multipart, read_json, receive_message, session_id};

/// Send a message
///
/// As JSON, or as a multipart form when there are files. By default at most 10 files of 25 MiB each and 50 MiB
/// together. With an `Idempotency-Key` a repetition gets the first answer again.
#[utoipa::path(post, path = "/api/chat/sessions/{sessionId}/messages", tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    request_body(content(
        (SendMessageBody = "application/json"),
        (MultipartMessageBody = "multipart/form-data"))),
    responses(
        (status = 201, description = "The message", body = MessageDto<'static>,
            headers(("Location" = String), ("Idempotency-Replayed" = String))),
        (status = 400, description = "The body breaks a rule or a limit", body = ErrorEnvelope<'static>),
        (status = 409, description = "Closed, or the idempotency key was used for another body",
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
        let text = read_json(&request, payload.into_inner()).await.and_then(SendMessageBody::parse);
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
    match receive_message(request, payload.into_inner(), &mut message).await {
        Ok(text) => Ok(message.send(text, idempotency_key(request)).await?),
        Err(error) => {
            message.discard().await;
            // The rest of the upload is not read, so the connection cannot carry another request.
            Err(ApiError::from(error).closing_connection())
        }
    }
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
