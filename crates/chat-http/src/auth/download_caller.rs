//! Who downloads a file. A page cannot send a header with an `<img>`, so there is one more way to say it than for other
//! requests: a ticket in the query.

use std::borrow::Cow;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use chat_domain::model::Principal;
use chat_identity::VerifiedToken;
use futures_util::future::{FutureExt, LocalBoxFuture};

use super::caller::{Caller, state_of};
use super::ticket::tickets;
use crate::error::ApiError;
use crate::state::AppState;

/// A person who may use the API and asks for a file, by exactly one of
///
/// - the header `Authorization: Bearer <token>`,
/// - `?ticket=` with a ticket for downloads.
///
/// None, several and what does not fit are answered with 401. Everything else holds as for a [`Caller`].
pub(crate) struct DownloadCaller(Caller);

impl DownloadCaller {
    pub(crate) fn principal(&self) -> &Principal {
        self.0.principal()
    }
}

impl FromRequest for DownloadCaller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let api = state_of(&request)?;
            let token = match only_ticket(&request)? {
                None => Caller::token_of(&request, &api).await?,
                Some(ticket) => verify_ticket(&ticket, &api).await?,
            };
            Ok(Self(Caller::admitted(&request, &api, token).await?))
        }
        .boxed_local()
    }
}

/// The ticket of a request that has no other credential; `None` for a request without a ticket.
fn only_ticket(request: &HttpRequest) -> Result<Option<Cow<'_, str>>, ApiError> {
    let mut tickets = tickets(request.query_string());
    let Some(ticket) = tickets.next() else { return Ok(None) };
    if tickets.next().is_some() || request.headers().contains_key(AUTHORIZATION) {
        return Err(ApiError::unauthenticated("send either one header Authorization: Bearer <token> or one ticket"));
    }
    Ok(Some(ticket))
}

/// Who asked for the ticket, unless their access has ended since.
async fn verify_ticket(ticket: &str, api: &AppState) -> Result<VerifiedToken, ApiError> {
    let verified = api.download_tickets.verify(ticket, api.clock.now()).await?;
    let verified = verified.map_err(|error| {
        // One message for every reason: a page gets a new ticket in any case.
        ApiError::unauthenticated("the ticket is not valid, or not any more; get a new one").with_cause(error.reason())
    })?;
    api.service.require_access(&verified.principal)?;
    Ok(verified)
}
