//! `GET /api/chat/sessions`

use actix_web::{HttpRequest, HttpResponse};
use chat_domain::model::{ChatSession, PageLimit};

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::{SessionListDto, SessionStatusDto};
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::Query;
use crate::state::App;
use crate::traces::use_case;

/// List chat sessions
///
/// A page of the sessions that the caller may see, newest first: a user's own, an agent's assigned ones and those that
/// wait, an admin's all.
#[utoipa::path(get, path = "/api/chat/sessions", tag = "sessions",
    params(
        ("status" = Option<SessionStatusDto>, Query, description = "Only sessions of this status"),
        ("page" = Option<u64>, Query, description = "From 1, which is the default",
            minimum = 1, maximum = 9_223_372_036_854_775_807_u64),
        ("cursor" = Option<String>, Query, max_length = 34,
            description = "The `nextCursor` of the page before, in place of `page`. Costs the same at any depth, and \
                neither repeats nor skips a session while others come and go"),
        ("limit" = Option<u64>, Query, description = "1 to 100, 20 by default; more counts as 100",
            minimum = 1, maximum = 9_223_372_036_854_775_807_u64)),
    responses(
        (status = 200, description = "The page", body = SessionListDto<'static>),
        (status = 400, description = "A query parameter breaks a rule", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn list_sessions(caller: Caller, app: App, request: HttpRequest) -> HandlerResult {
    let mut query = Query::of(&request);
    let wanted = (query.status(), query.session_position(), query.limit(PageLimit::SESSIONS));
    let page = use_case("list_sessions", app.service.list_sessions(caller.principal(), query.finish(wanted))).await?;
    let people = app.service.find_people(page.sessions.iter().flat_map(ChatSession::people)).await?;
    Ok(HttpResponse::Ok().json(SessionListDto::new(&page, &people)))
}
