//! The caller of a request, taken from its `Authorization` header and admitted by the domain.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use chat_domain::ChatError;
use chat_domain::model::{Principal, Role};
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use tokio::time::timeout;

use super::VerifiedToken;
use crate::error::ApiError;
use crate::state::State;

/// How long the look at an agent may take: the request has to end in time with what comes after it too.
pub(super) const ADMISSION: Duration = Duration::from_secs(1);

/// Someone who may use the API. A handler that takes a `Caller` answers 401 to everyone else, and 403 to an agent who
/// has been deactivated, before it does anything.
pub(crate) struct Caller {
    pub(crate) token: VerifiedToken,
}

impl Caller {
    pub(crate) fn principal(&self) -> &Principal {
        &self.token.principal
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let authenticated = state_of(request).and_then(|api| {
            let token = verify(token_of_header(request.headers())?, &api)?;
            Ok((api, token))
        });
        match authenticated {
            Ok((api, token)) if token.principal.role == Role::Agent => {
                async move { admit(&api, &token.principal).await.map(|()| Self { token }) }.boxed_local()
            }
            Ok((_, token)) => ready(Ok(Self { token })).boxed_local(),
            Err(error) => ready(Err(error)).boxed_local(),
        }
    }
}

/// What the application was registered with.
pub(super) fn state_of(request: &HttpRequest) -> Result<Data<State>, ApiError> {
    let registered = request.app_data::<Data<State>>().cloned();
    registered.ok_or_else(|| ApiError::internal("the API was not registered with this application"))
}

/// Turns away an agent who has been deactivated; only agents are looked at.
pub(super) async fn admit(api: &State, who: &Principal) -> Result<(), ApiError> {
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

pub(super) fn verify(token: &str, api: &State) -> Result<VerifiedToken, ApiError> {
    api.tokens.verify(token, api.clock.now()).map_err(|error| ApiError::unauthenticated(error.to_string()))
}

/// The token of `Bearer <token>`; the scheme's letter case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
