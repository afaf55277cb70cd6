//! `GET /ws/chat/{sessionId}`

use actix_web::HttpRequest;
use actix_web::web::{Path, Payload};
use chat_domain::error::Input;
use chat_domain::model::{Epoch, MessageId, Seq};
use chat_domain::ports::ReplayFallback;
use chat_domain::service::{SubscribeFrom, SubscribeOptions};

use super::HandlerResult;
use crate::auth::SocketCaller;
use crate::base_url::BaseUrl;
use crate::error::ErrorEnvelope;
use crate::handshake::{require_allowed_origin, switch_protocols};
use crate::request::{Query, session_id};
use crate::socket::{PlannedSubscriptions, SocketPlan};
use crate::socket_protocol::SocketMode;
use crate::state::App;
use crate::traces::use_case;

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
        (status = 429, description = "Too many sockets are open, or too many were opened from this address lately", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = []), ("ticket" = [])))]
pub(crate) async fn subscribe_session(
    caller: SocketCaller,
    app: App,
    path: Path<String>,
    request: HttpRequest,
    payload: Payload,
) -> HandlerResult {
    let id = session_id(&path)?;
    require_allowed_origin(&request, &app.settings)?;
    let from = subscribe_from(Query::of(&request));
    let (mut response, mode) = match switch_protocols(&request, payload) {
        Ok(opening) => opening,
        // A request that opens no socket replaces none, and gets no other answer about the session than any request.
        Err(refusal) => {
            app.service.get_session(caller.principal(), id).await?;
            from?;
            return Err(refusal);
        }
    };
    let fallback = match mode {
        // It cannot say that nothing is replayed.
        SocketMode::Base => ReplayFallback::Refuse,
        SocketMode::Extended | SocketMode::Multiplexed => ReplayFallback::StartNow,
    };
    let options = SubscribeOptions { from, fallback };
    let subscription =
        use_case("subscribe_session", app.service.subscribe_session(caller.principal(), id, options)).await?;
    let permit = app.socket_permit()?;
    let base = BaseUrl::of(&request, &app.settings);
    let token_expires_at = caller.token.expires_at;
    let opened_while_draining = app.draining();
    let subscriptions = PlannedSubscriptions::One(subscription);
    let plan = SocketPlan { app, mode, base, subscriptions, token_expires_at, opened_while_draining, permit };
    response.extensions_mut().insert(plan);
    Ok(response)
}

fn subscribe_from(mut query: Query<'_>) -> Input<SubscribeFrom> {
    let since = query.number("since", "must be a whole number from 0", None, |seq| Some(Some(Seq::new(seq))));
    let after = query.get("after").map(MessageId::parse);
    let epoch = query.get("epoch").map(Epoch::parse);
    let epoch = epoch.and_then(|epoch| query.problems.check("epoch", epoch));
    let from = match (since, after) {
        (None, None) => SubscribeFrom::Now,
        (Some(seq), None) => SubscribeFrom::Position(seq, epoch),
        (None, Some(message)) => SubscribeFrom::Message(message),
        (Some(_), Some(_)) => {
            query.problems.add("after", "must not be given together with since");
            SubscribeFrom::Now
        }
    };
    // Read by `SocketCaller`.
    let _ticket = query.get("ticket");
    query.finish(from)
}
