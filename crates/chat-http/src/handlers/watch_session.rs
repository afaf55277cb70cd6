//! `GET /ws/chat/{sessionId}`

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, UPGRADE};
use actix_web::web::{Path, Payload};
use chat_domain::error::{Input, Invalid};
use chat_domain::model::{MessageId, Seq};
use chat_domain::service::WatchFrom;

use super::{Answer, App};
use crate::auth::Caller;
use crate::error::{ApiError, ErrorCode, ErrorEnvelope};
use crate::request::{BaseUrl, Query, session_id};
use crate::socket::{self, Socket};

/// Watch a chat session live
///
/// A WebSocket whose text frames are `{"type", "data"}`: `message`, `session_update`, `typing`. With `since` (a
/// position from `X-Chat-Seq`) or `after` (a message) the frames that were missed come first.
#[utoipa::path(get, path = "/ws/chat/{sessionId}", tag = "live",
    params(
        ("sessionId" = String, Path, description = "The session"),
        ("since" = Option<u64>, Query, description = "Start right after this position"),
        ("after" = Option<String>, Query, description = "Start right after this message")),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "A query parameter breaks a rule", body = ErrorEnvelope<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "Not the caller's to see, or a foreign origin", body = ErrorEnvelope<'static>),
        (status = 404, description = "No such session", body = ErrorEnvelope<'static>),
        (status = 410, description = "Too much was missed; read the messages instead", body = ErrorEnvelope<'static>),
        (status = 426, description = "Not a WebSocket request", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = [])))]
pub(crate) async fn watch_session(
    caller: Caller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let id = session_id(&path)?;
    socket::require_allowed_origin(&request, &app.settings)?;
    let from = watch_from(Query::parse(request.query_string()));
    let watch = app.service.watch_session(caller.principal(), id, from).await?;
    if !socket::is_upgrade(&request) {
        return Err(ApiError::new(ErrorCode::UpgradeRequired, "connect with a WebSocket client")
            .with_header(UPGRADE, HeaderValue::from_static("websocket")));
    }
    let (response, outgoing, incoming) = actix_ws::handle(&request, payload)
        .map_err(|error| Invalid::new("Sec-WebSocket-Key", format!("does not make a handshake: {error}")))?;
    let base = BaseUrl::of(&request, &app.settings);
    actix_web::rt::spawn(Socket::new(app, caller.token, id, watch, base).run(outgoing, incoming));
    Ok(response)
}

fn watch_from(mut query: Query<'_>) -> Input<WatchFrom> {
    let since = query.number("since", "must be a whole number from 0", None, |seq| Some(Some(Seq::new(seq))));
    let after = query.get("after").map(MessageId::parse);
    let from = match (since, after) {
        (None, None) => WatchFrom::Now,
        (Some(seq), None) => WatchFrom::Position(seq),
        (None, Some(message)) => WatchFrom::Message(message),
        (Some(_), Some(_)) => {
            query.problems.add("after", "must not be given together with since");
            WatchFrom::Now
        }
    };
    query.problems.or(from)
}
