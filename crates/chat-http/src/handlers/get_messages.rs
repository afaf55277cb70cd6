//! `GET /api/chat/sessions/{sessionId}/messages`

use actix_web::http::header::ContentType;
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::error::Input;
use chat_domain::model::{MessageCursor, MessageId, MessageQuery, PageLimit};

use super::HandlerResult;
use crate::auth::Caller;
use crate::base_url::BaseUrl;
use crate::dto::MessagePageDto;
use crate::error::{ErrorEnvelope, SessionFailures};
use crate::request::{Query, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Get the messages of a chat session
///
/// The newest messages, or those right before or after a given one; always oldest first. `X-Chat-Seq` is the position
/// of the page in the session's events: a socket opened with `since` set to it misses nothing.
#[utoipa::path(get, path = "/api/chat/sessions/{sessionId}/messages", tag = "messages",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("before" = Option<String>, Query, description = "A message of this session: the page ends right before it"),
        ("after" = Option<String>, Query, description = "A message of this session: the page starts right after it"),
        ("limit" = Option<u64>, Query, description = "1 to 100, 50 by default; more counts as 100",
            minimum = 1, maximum = 9_223_372_036_854_775_807_u64)),
    responses(
        (status = 200, description = "The page", body = MessagePageDto<'static>, 
            headers(("X-Chat-Seq" = u64, description = "The position of the page in the session's events."))),
        (status = 400, description = "A query parameter breaks a rule", body = ErrorEnvelope<'static>),
        SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn get_messages(caller: Caller, app: App, path: Path<String>, request: HttpRequest) -> HandlerResult {
    let id = session_id(&path)?;
    let query = message_query(Query::of(&request));
    let (query, lookup) = app.pages.look_up(id, query, BaseUrl::of(&request, &app.settings));
    let (session, page) = use_case("get_messages", app.service.get_messages(caller.principal(), id, query)).await?;
    let authors = page.iter().flat_map(|page| &page.messages).map(|message| message.author.clone());
    let people = app.service.find_people(authors).await?;
    Ok(HttpResponse::Ok()
        .insert_header(("X-Chat-Seq", session.progress.last_seq.get()))
        .content_type(ContentType::json())
        .body(lookup.body(&session, page, &people)?))
}

fn message_query(mut query: Query<'_>) -> Input<MessageQuery> {
    let limit = query.limit(PageLimit::MESSAGES);
    let cursors = (query.get("before").map(MessageId::parse), query.get("after").map(MessageId::parse));
    let unknown = "must be the id of a message of this session";
    let cursor = match cursors {
        (None, None) => MessageCursor::Newest,
        (Some(Some(message)), None) => MessageCursor::Before(message),
        (None, Some(Some(message))) => MessageCursor::After(message),
        (Some(None), None) => {
            query.problems.add("before", unknown);
            MessageCursor::Newest
        }
        (None, Some(None)) => {
            query.problems.add("after", unknown);
            MessageCursor::Newest
        }
        (Some(_), Some(_)) => {
            query.problems.add("after", "must not be given together with before");
            MessageCursor::Newest
        }
    };
    query.finish(MessageQuery { cursor, limit, known: None })
}
