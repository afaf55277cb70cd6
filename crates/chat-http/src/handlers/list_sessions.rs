//! `GET /api/chat/sessions`

use actix_web::{HttpRequest, HttpResponse};
use chat_domain::model::PageLimit;

use super::{Answer, App};
use crate::auth::Caller;
use crate::dto::{SessionListDto, SessionStatusDto};
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::Query;

/// List chat sessions
///
/// A page of the sessions that the caller may see, newest first: a user's own, an agent's assigned ones and those that
/// wait, an admin's all.
#[utoipa::path(get, path = "/api/chat/sessions", tag = "sessions",
    params(
        ("status" = Option<SessionStatusDto>, Query, description = "Only sessions of this status"),
        ("page" = Option<u64>, Query, description = "From 1, which is the default",
            minimum = 1, maximum = 9_223_372_036_854_775_807_u64),
        ("limit" = Option<u64>, Query, description = "1 to 100, 20 by default; more counts as 100",
            minimum = 1, maximum = 9_223_372_036_854_775_807_u64)),
    responses(
        (status = 200, description = "The page", body = SessionListDto<'static>),
        (status = 400, description = "A query parameter breaks a rule", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn list_sessions(caller: Caller, app: App, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request);
    let wanted = (query.status(), query.page(), query.limit(PageLimit::SESSIONS));
    let page = app.service.list_sessions(caller.principal(), query.finish(wanted)).await?;
    Ok(HttpResponse::Ok().json(SessionListDto::from(&page)))
}
