//! `POST /api/chat/download-ticket`

use actix_web::HttpResponse;

use super::HandlerResult;
use crate::auth::Caller;
use crate::dto::DownloadTicketDto;
use crate::error::CommonFailures;
use crate::request::NoInput;
use crate::state::App;
use crate::traces::use_case;

/// Get a ticket for downloads
///
/// For pages, which cannot send a header with an `<img>` or a `<video>`: `?ticket=` behind the address of any attachment
/// authorises `GET` and `HEAD` in the caller's name, as often as wanted, for 15 minutes or until the token ends. The right
/// to the file is checked each time, and what ends the caller's access ends the ticket too. It is to be kept secret: with
/// it anyone sees the files that the caller may see.
#[utoipa::path(post, path = "/api/chat/download-ticket", tag = "attachments",
    responses((status = 201, description = "The ticket", body = DownloadTicketDto<'static>), CommonFailures),
    security(("bearer" = [])))]
pub(crate) async fn issue_download_ticket(caller: Caller, app: App, input: NoInput) -> HandlerResult {
    input.0?;
    let issued = app.download_tickets.issue(&caller.token, app.clock.now());
    let (ticket, expires_at) = use_case("issue_download_ticket", issued).await?;
    Ok(HttpResponse::Created().json(DownloadTicketDto { ticket: &ticket, expires_at }))
}
