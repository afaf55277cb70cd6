//! `GET /ws/chat/{sessionId}`

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use chat_domain::error::Input;
use chat_domain::model::{Epoch, MessageId, Seq};
use chat_domain::ports::Otherwise;
use chat_domain::service::{WatchFrom, WatchRequest};
use chat_websocket::Handshake;

use super::{Answer, App};
use crate::auth::SocketCaller;
use crate::error::ErrorEnvelope;
use crate::request::{BaseUrl, Query, session_id};
use crate::socket::{self, Mode, SocketPlan};

/// Watch a chat session live
///
/// A WebSocket whose text frames are `{"type", "data"}`: `message`, `session_update`, `typing`. With `since` (a
/// position from `X-Chat-Seq`) or `after` (a message) the frames that were missed come first. With the subprotocol
/// `chat.v1` it tells positions and receipts too, and takes acknowledgements.
#[utoipa::path(get, path = "/ws/chat/{sessionId}", tag = "live",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("since" = Option<u64>, Query, description = "Start right after this position",
            minimum = 0, maximum = 9_223_372_036_854_775_807_u64),
        ("epoch" = Option<String>, Query, description = "The history that `since` belongs to, from `hello`",
            min_length = 1, max_length = 64, pattern = r"^[0-9A-Za-z-]+$"),
        ("after" = Option<String>, Query, description = "Start right after this message")),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "A query parameter breaks a rule", body = ErrorEnvelope<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "Not the caller's to see, or a foreign origin", body = ErrorEnvelope<'static>),
        (status = 404, description = "No such session", body = ErrorEnvelope<'static>),
        (status = 410, description = "Too much was missed; read the messages instead", body = ErrorEnvelope<'static>),
        (status = 426, description = "Not a WebSocket request", body = ErrorEnvelope<'static>),
        (status = 429, description = "Too many sockets are open", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = []), ("ticket" = [])))]
pub(crate) async fn watch_session(caller: SocketCaller, app: App, path: Path<String>, request: HttpRequest) -> Answer {
    let id = session_id(&path)?;
    socket::require_allowed_origin(&request, &app.settings)?;
    let mode = socket::choose_mode(&request);
    let from = watch_from(Query::of(&request));
    let otherwise = match mode {
        // It has no way to tell.
        Mode::Base => Otherwise::Refuse,
        Mode::Extended => Otherwise::StartNow,
    };
    let handshake = match socket::require_handshake(&request) {
        Ok(handshake) => handshake,
        // Whoever opens no socket takes no place from one, and learns no more than from any other request.
        Err(refusal) => {
            app.service.get_session(caller.principal(), id).await?;
            from?;
            return Err(refusal);
        }
    };
    let watch = app.service.watch_session(caller.principal(), id, WatchRequest { from, otherwise }).await?;
    let node_place = app.socket_place()?;
    let base = BaseUrl::of(&request, &app.settings);
    let token_expires_at = caller.token.expires_at;
    let late = app.draining();
    Ok(switch_protocols(&handshake, SocketPlan { app, mode, base, watch, token_expires_at, late, node_place }))
}

/// The answer 101 (RFC 6455, 4.2.2), with what is to be opened.
fn switch_protocols(handshake: &Handshake, plan: SocketPlan) -> HttpResponse {
    let mut response = HttpResponse::from(handshake.answer(plan.mode.subprotocol()).map_into_boxed_body());
    response.extensions_mut().insert(plan);
    response
}

fn watch_from(mut query: Query<'_>) -> Input<WatchFrom> {
    let since = query.number("since", "must be a whole number from 0", None, |seq| Some(Some(Seq::new(seq))));
    let after = query.get("after").map(MessageId::parse);
    let epoch = query.get("epoch").map(Epoch::parse);
    let epoch = epoch.and_then(|epoch| query.problems.check("epoch", epoch));
    let from = match (since, after) {
        (None, None) => WatchFrom::Now,
        (Some(seq), None) => WatchFrom::Position(seq, epoch),
        (None, Some(message)) => WatchFrom::Message(message),
        (Some(_), Some(_)) => {
            query.problems.add("after", "must not be given together with since");
            WatchFrom::Now
        }
    };
    // Looked at before: it says who connects.
    let _ticket = query.get("ticket");
    query.finish(from)
}
