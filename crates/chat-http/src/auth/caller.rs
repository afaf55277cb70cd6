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

use super::{TokenError, VerifiedToken};
use crate::error::ApiError;
use crate::state::State;

/// How long the look at an agent may take: the request has to end in time with what comes after it too.
const ADMISSION: Duration = Duration::from_secs(1);

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
        let Some(api) = request.app_data::<Data<State>>().cloned() else {
            return ready(Err(ApiError::internal("the API was not registered with this application"))).boxed_local();
        };
        let token = match authenticate(request.headers(), &api) {
            Ok(token) => token,
            Err(error) => return ready(Err(error)).boxed_local(),
        };
        if token.principal.role != Role::Agent {
            return ready(Ok(Self { token })).boxed_local();
        }
        async move {
            match timeout(ADMISSION, api.service.admit(&token.principal)).await {
                Ok(admitted) => admitted?,
                Err(_elapsed) => return Err(ChatError::unavailable("the agent directory takes too long").into()),
            }
            Ok(Self { token })
        }
        .boxed_local()
    }
}

fn authenticate(headers: &HeaderMap, api: &State) -> Result<VerifiedToken, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::unauthenticated("send one header Authorization: Bearer <token>"));
    };
    let token = value
        .to_str()
        .ok()
        .and_then(bearer)
        .ok_or_else(|| ApiError::unauthenticated("the Authorization header must read: Bearer <token>"))?;
    api.tokens.verify(token, api.clock.now()).map_err(|error| match error {
        TokenError::Invalid | TokenError::Expired => ApiError::unauthenticated(error.to_string()),
    })
}

/// The token of `Bearer <token>`; the scheme's letter case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
