//! The caller of a request, taken from its `Authorization` header and admitted by the domain.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chat_domain::ChatError;
use chat_domain::model::{Principal, Role, UserId};
use chat_identity::{TokenError, VerifiedToken};
use futures_util::future::{FutureExt, LocalBoxFuture};
use tokio::time::timeout;

use crate::access_log::AccessPerson;
use crate::error::ApiError;
use crate::rate_limits::RouteRates;
use crate::state::AppState;

/// How long the look at an agent may take: the request has to end in time with what comes after it too.
pub(super) const ADMISSION: Duration = Duration::from_secs(1);

/// A person who may use the API. A handler that takes a `Caller` refuses everyone else with 401, with 429 a person who
/// calls this route too often, and with 403 a person who was blocked and an agent who was deactivated, before it does
/// anything.
pub(crate) struct Caller {
    pub(crate) token: VerifiedToken,
}

impl Caller {
    pub(crate) fn principal(&self) -> &Principal {
        &self.token.principal
    }

    /// What the token of the request says.
    pub(super) async fn token_of(request: &HttpRequest, api: &AppState) -> Result<VerifiedToken, ApiError> {
        verify(token_of_header(request.headers())?, api).await
    }

    /// The person whom the token names, within their limits.
    pub(super) async fn admitted(
        request: &HttpRequest,
        api: &AppState,
        token: VerifiedToken,
    ) -> Result<Self, ApiError> {
        note_person(request, api, &token.principal);
        // Before anything is asked of a store, or read of the body.
        if let Some(rate) = request.app_data::<RouteRates>().and_then(|rates| rates.of(request.method())) {
            api.rates.check(rate, &token.principal.id)?;
        }
        if token.principal.role == Role::Agent {
            admit(api, &token.principal).await?;
        }
        Ok(Self { token })
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let api = state_of(&request)?;
            let token = Self::token_of(&request, &api).await?;
            Self::admitted(&request, &api, token).await
        }
        .boxed_local()
    }
}

/// What the application was registered with.
pub(super) fn state_of(request: &HttpRequest) -> Result<Data<AppState>, ApiError> {
    let registered = request.app_data::<Data<AppState>>().cloned();
    registered.ok_or_else(|| ApiError::internal("the API was not registered with this application"))
}

/// The person whose token the request has.
pub(crate) async fn person(request: &HttpRequest) -> Result<UserId, ApiError> {
    let api = state_of(request)?;
    Ok(verify(token_of_header(request.headers())?, &api).await?.principal.id)
}

/// Keeps the person for the line of the access log, if there is one.
pub(super) fn note_person(request: &HttpRequest, api: &AppState, who: &Principal) {
    if api.access_log.is_some() {
        request.extensions_mut().insert(AccessPerson(who.id.clone()));
    }
}

/// Turns away a person whose access was ended, and an agent who has been deactivated.
pub(super) async fn admit(api: &AppState, who: &Principal) -> Result<(), ApiError> {
    match timeout(ADMISSION, api.service.admit(who)).await {
        Ok(admitted) => Ok(admitted?),
        Err(_elapsed) => Err(ChatError::unavailable("the agent directory takes too long").into()),
    }
}

/// The token of the only `Authorization` header.
pub(super) fn token_of_header(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::unauthenticated("send one header Authorization: Bearer <token>"));
    };
    let token = value.to_str().ok().and_then(bearer);
    token.ok_or_else(|| ApiError::unauthenticated("the Authorization header must read: Bearer <token>"))
}

/// What a token says whose holder has not been signed out since, nor blocked. One whose key is unknown waits for the keys of
/// now.
pub(super) async fn verify(token: &str, api: &AppState) -> Result<VerifiedToken, ApiError> {
    let refused = |error: TokenError| ApiError::unauthenticated(error.to_string()).with_cause(error.reason());
    let verified = api.tokens.verify_or_fetch(token, || api.clock.now()).await.map_err(refused)?;
    api.service.require_access(&verified.principal)?;
    Ok(verified)
}

/// The token of `Bearer <token>`; the scheme's letter case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
