//! Who opens a socket. Browsers cannot set headers on a WebSocket, so there are two more ways to say it than for other
//! requests: a token among the subprotocols, and a ticket in the query.

use std::borrow::Cow;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, SEC_WEBSOCKET_PROTOCOL};
use actix_web::web::Path;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_domain::ChatError;
use chat_domain::model::{Principal, SessionId, TicketDigest};
use chat_identity::VerifiedToken;
use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::time::timeout;

use super::caller::{ADMISSION, admit, note_person, state_of, token_of_header, verify};
use super::ticket::{TicketText, tickets};
use crate::error::ApiError;
use crate::forwarding::ClientView;
use crate::handshake::{require_allowed_origin, require_handshake};
use crate::socket_protocol::TOKEN_PREFIX;
use crate::state::AppState;

/// Someone who may use the API and wants to open a socket, by exactly one of
///
/// - the header `Authorization: Bearer <token>`,
/// - the subprotocol `base64url.bearer.chat.` with the token in base64url without padding behind it,
/// - `?ticket=` with a ticket for this session, or for a socket without one at the address that has none.
///
/// None, several and what does not fit are answered with 401, a deactivated agent and a blocked person with 403.
/// Cookies and everything else in the query are not looked at.
///
/// A ticket is used up by being looked at, so it is looked at last: a request that is no handshake (426, 400) or comes
/// from a page that may not open sockets (403) leaves it as it is. What is refused later, such as a wrong `since`, does not.
pub(crate) struct SocketCaller {
    pub(crate) token: VerifiedToken,
}

impl SocketCaller {
    pub(crate) fn principal(&self) -> &Principal {
        &self.token.principal
    }
}

impl FromRequest for SocketCaller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let api = state_of(&request)?;
            // First of all: an address that only tries is limited too.
            api.rates.check_socket(ClientView::of(&request, &api.settings.proxies).address)?;
            let token = match Credential::of(&request)? {
                Credential::Header => verify(token_of_header(request.headers())?, &api).await?,
                Credential::Subprotocol(encoded) => verify(&decoded(encoded)?, &api).await?,
                Credential::Ticket(text) => redeem(&text, &request, &api).await?,
            };
            note_person(&request, &api, &token.principal);
            admit(&api, &token.principal).await?;
            Ok(Self { token })
        }
        .boxed_local()
    }
}

/// What a request shows to say who it is.
enum Credential<'a> {
    Header,
    /// The token in base64url.
    Subprotocol(&'a str),
    Ticket(Cow<'a, str>),
}

impl<'a> Credential<'a> {
    /// The only credential that the request has.
    fn of(request: &'a HttpRequest) -> Result<Self, ApiError> {
        let in_headers = header_count(request.headers());
        let mut all = (0..in_headers)
            .map(|_| Self::Header)
            .chain(
                offered_subprotocols(request.headers())
                    .filter_map(|name| name.strip_prefix(TOKEN_PREFIX))
                    .map(Self::Subprotocol),
            )
            .chain(tickets(request.query_string()).map(Self::Ticket));
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(ApiError::unauthenticated(
                "send a header Authorization: Bearer <token>, the token as a subprotocol, or a ticket",
            )),
            (Some(_), Some(_)) => {
                Err(ApiError::unauthenticated("send one of Authorization, the token as a subprotocol, and a ticket"))
            }
        }
    }
}

fn header_count(headers: &HeaderMap) -> usize {
    headers.get_all(AUTHORIZATION).count()
}

/// The subprotocols that the client offers, from all headers `Sec-WebSocket-Protocol`.
fn offered_subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn decoded(encoded: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ApiError::unauthenticated("the subprotocol must hold the token in base64url without padding"))
}

async fn redeem(text: &str, request: &HttpRequest, api: &AppState) -> Result<VerifiedToken, ApiError> {
    // One error for every reason, so that a caller cannot find out which tickets exist.
    let refused = || ApiError::unauthenticated("the ticket is not valid for this address, or not any more");
    if !TicketText::looks_like_one(text) {
        return Err(refused());
    }
    let id = match request.match_info().get("sessionId") {
        // There can be no ticket for what is no session.
        Some(_) => {
            let path = Path::<String>::extract(request).await.map_err(|_| refused())?;
            Some(SessionId::parse(&path).ok_or_else(refused)?)
        }
        None => None,
    };
    require_handshake(request)?;
    require_allowed_origin(request, &api.settings)?;
    let redeemed = match timeout(ADMISSION, api.service.redeem_ticket(id, TicketDigest::of(text))).await {
        Ok(redeemed) => redeemed?.ok_or_else(refused)?,
        Err(_elapsed) => return Err(ChatError::unavailable("the ticket store takes too long").into()),
    };
    // A token of that key would be refused too.
    if !api.tokens.has_or_fetches_key_of(&redeemed.holder).await {
        return Err(refused().with_cause("the key that signed the token of the ticket was removed"));
    }
    Ok(VerifiedToken { principal: redeemed.holder, expires_at: redeemed.token_expires_at })
}
