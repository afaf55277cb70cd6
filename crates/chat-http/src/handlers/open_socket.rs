//! `GET /ws/chat`

use actix_web::HttpRequest;
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::web::Payload;
use chat_domain::error::{Input, Invalid};

use super::HandlerResult;
use crate::auth::SocketCaller;
use crate::base_url::BaseUrl;
use crate::error::{ApiError, ErrorEnvelope};
use crate::handshake::{require_allowed_origin, switch_protocols};
use crate::request::Query;
use crate::socket::{PlannedSubscriptions, SocketPlan};
use crate::socket_protocol::SocketMode;
use crate::state::App;
use crate::traces::use_case;

/// Watch many chat sessions live
///
/// A WebSocket with the subprotocol `chat.v1` on which the client subscribes to sessions one by one, with
/// `{"type":"subscribe","sessionId"}`. What comes of each session is what its own socket would send, with `sessionId`
/// beside `type`.
#[utoipa::path(get, path = "/ws/chat", tag = "live",
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "The subprotocol `chat.v1` is not offered, or a query parameter is unknown", body = ErrorEnvelope<'static>),
        (status = 401, description = "No valid token", body = ErrorEnvelope<'static>),
        (status = 403, description = "A deactivated agent, or a foreign origin", body = ErrorEnvelope<'static>),
        (status = 426, description = "Not a WebSocket request", body = ErrorEnvelope<'static>),
        (status = 429, description = "Too many sockets are open, or too many were opened from this address lately", body = ErrorEnvelope<'static>),
        (status = 503, description = "Busy", body = ErrorEnvelope<'static>)),
    security(("bearer" = []), ("ticket" = [])))]
pub(crate) async fn open_socket(
    caller: SocketCaller,
    app: App,
    request: HttpRequest,
    payload: Payload,
) -> HandlerResult {
    require_allowed_origin(&request, &app.settings)?;
    only_a_ticket(Query::of(&request))?;
    let (mut response, mode) = switch_protocols(&request, payload)?;
    if mode != SocketMode::Extended {
        return Err(needs_chat_v1());
    }
    let socket = use_case("open_socket", app.service.open_socket(caller.principal())).await?;
    let permit = app.socket_permit()?;
    let base = BaseUrl::of(&request, &app.settings);
    let plan = SocketPlan {
        mode: SocketMode::Multiplexed,
        base,
        subscriptions: PlannedSubscriptions::Many(socket),
        token_expires_at: caller.token.expires_at,
        opened_while_draining: app.draining(),
        permit,
        app,
    };
    response.extensions_mut().insert(plan);
    Ok(response)
}

fn only_a_ticket(mut query: Query<'_>) -> Input<()> {
    // Read by `SocketCaller`.
    let _ticket = query.get("ticket");
    query.finish(())
}

fn needs_chat_v1() -> ApiError {
    Invalid::new(SEC_WEBSOCKET_PROTOCOL.as_str(), "must offer chat.v1, which is the only one that this address speaks")
        .into()
}
