//! `GET /api/chat/sessions/{sessionId}/messages/{messageId}`

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::model::MessageId;

use super::HandlerResult;
use crate::auth::Caller;
use crate::base_url::BaseUrl;
use crate::dto::MessageDto;
use crate::error::SessionFailures;
use crate::request::{NoInput, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Get one message of a chat session
#[utoipa::path(get, path = "/api/chat/sessions/{sessionId}/messages/{messageId}", tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("messageId" = String, Path, description = "A message of this session")),
    responses(
        (status = 200, description = "The message", body = MessageDto<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn get_message(
    caller: Caller,
    app: App,
    path: Path<(String, String)>,
    request: HttpRequest,
    input: NoInput,
) -> HandlerResult {
    let (session, message) = path.into_inner();
    let id = session_id(&session)?;
    let message = app.service.get_message(caller.principal(), id, MessageId::parse(&message));
    let message = use_case("get_message", message).await?;
    input.0?;
    let people = app.service.find_people([message.author.clone()]).await?;
    let base = BaseUrl::of(&request, &app.settings);
    Ok(HttpResponse::Ok().json(MessageDto::new(&message, &base, &people)))
}
