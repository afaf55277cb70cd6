//! `GET /api/chat/inbox`

use actix_web::{HttpRequest, HttpResponse};
use chat_domain::inbox::{InboxOwner, InboxView};
use chat_domain::model::ChatSession;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::{InboxDto, InboxViewDto, PriorityDto};
use crate::error::{CommonFailures, ErrorEnvelope};
use crate::request::Query;
use crate::state::App;
use crate::traces::use_case;

/// List a view of the inbox
///
/// A page of what the caller has in front of them: the sessions of a view in its order, each with its newest message and
/// how many messages are unread, and the counts of the whole inbox. A user has `mine` and `closed`, an agent `mine`,
/// `waiting` and `closed`, an admin `waiting`, `assigned` and `closed`; another view is 403. A page with a filter looks at
/// 1,000 sessions at most: it may be short or empty and yet have a `nextCursor`. Of active sessions `mine` shows at most 1,000.
#[utoipa::path(get, path = "/api/chat/inbox", tag = "sessions",
    params(
        ("view" = InboxViewDto, Query, description = "Which part of the inbox"),
        ("cursor" = Option<String>, Query, max_length = 36,
            description = "The `nextCursor` of the page before, of the same view"),
        ("limit" = Option<u64>, Query, description = "1 to 100, 50 by default; more counts as 100",
            minimum = 1, maximum = 9_223_372_036_854_775_807_u64),
        ("priority" = Option<PriorityDto>, Query, description = "Only sessions of this priority. Not for `mine`"),
        ("tag" = Option<String>, Query, max_length = 50, description = "Only sessions with this label. Not for `mine`"),
        ("userId" = Option<String>, Query, max_length = 128,
            description = "Only sessions of this customer. Not for `mine`"),
        ("agentId" = Option<String>, Query, max_length = 128,
            description = "Only sessions of this agent. For `assigned` alone")),
    responses(
        (status = 200, description = "The page", body = InboxDto<'static>),
        (status = 400, description = "A query parameter breaks a rule, or is none of the view", body = ErrorEnvelope<'static>),
        CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn list_inbox(caller: Caller, app: App, request: HttpRequest) -> HandlerResult {
    let mut query = Query::of(&request);
    let (view, wanted) = query.inbox();
    let listed = app.service.list_inbox(caller.principal(), view, query.finish(wanted));
    let page = use_case("list_inbox", listed).await?;
    let people = app.service.find_people(page.sessions.iter().flat_map(ChatSession::people_of_item)).await?;
    let party = InboxOwner::of(caller.principal()).party();
    Ok(HttpResponse::Ok().json(InboxDto::new(&page, view.unwrap_or(InboxView::Mine), party, &people)))
}
