//! `POST /api/chat/sessions/{sessionId}/ws-ticket`

use actix_web::HttpResponse;
use actix_web::web::Path;

use super::HandlerResult;
use crate::auth::{Caller, TicketText};
use crate::dto::TicketDto;
use crate::error::SessionFailures;
use crate::request::{NoInput, session_id};
use crate::state::App;
use crate::traces::use_case;

/// Get a ticket for a socket
///
/// For clients that cannot send a header with a WebSocket: `?ticket=` opens one socket of this session in the caller's
/// name, once and within 30 seconds. The socket ends when the token ends that the ticket was asked for with.
/// Of a person's unused tickets 100 count: one more ends the one that would expire first.
#[utoipa::path(post, path = "/api/chat/sessions/{sessionId}/ws-ticket", tag = "live",
    params(("sessionId" = String, Path, description = "The session")),
    responses((status = 201, description = "The ticket", body = TicketDto<'static>), SessionFailures),
    security(("bearer" = [])))]
pub(crate) async fn issue_ticket(caller: Caller, app: App, path: Path<String>, input: NoInput) -> HandlerResult {
    let id = session_id(&path)?;
    if let Err(invalid) = input.0 {
        // The right to a ticket is the right to see the session, and is checked first.
        app.service.get_session(caller.principal(), id).await?;
        return Err(invalid.into());
    }
    let ticket = TicketText::random()?;
    let expires_at = use_case(
        "issue_ticket",
        app.service.issue_ticket(caller.principal(), id, caller.token.expires_at, ticket.digest()),
    )
    .await?;
    Ok(HttpResponse::Created().json(TicketDto { ticket: ticket.text(), expires_at }))
}
