//! `POST /api/chat/ws-ticket`

use actix_web::HttpResponse;

use super::HandlerResult;
use crate::auth::{Caller, TicketText};
use crate::dto::TicketDto;
use crate::error::CommonFailures;
use crate::request::NoInput;
use crate::state::App;
use crate::traces::use_case;

/// Get a ticket for a socket of many sessions
///
/// For clients that cannot send a header with a WebSocket: `?ticket=` opens one socket at `/ws/chat` in the caller's name,
/// once and within 30 seconds, and none of a session. The socket ends when the token ends that the ticket was asked for
/// with. Of a person's unused tickets 100 count, those for sessions among them: one more ends the one that would expire
/// first.
#[utoipa::path(post, path = "/api/chat/ws-ticket", tag = "live",
    responses((status = 201, description = "The ticket", body = TicketDto<'static>), CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn issue_socket_ticket(caller: Caller, app: App, input: NoInput) -> HandlerResult {
    input.0?;
    let ticket = TicketText::random()?;
    let expires_at = use_case(
        "issue_socket_ticket",
        app.service.issue_socket_ticket(caller.principal(), caller.token.expires_at, ticket.digest()),
    )
    .await?;
    Ok(HttpResponse::Created().json(TicketDto { ticket: ticket.text(), expires_at }))
}
