//! The failures that operations share, for the API document.

use utoipa::IntoResponses;

use super::ErrorEnvelope;

/// What any operation that needs a token may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes responses that are made in `api_error`")]
pub(crate) enum CommonFailures {
    /// There is no valid token
    #[response(status = 401)]
    Unauthenticated(ErrorEnvelope<'static>),
    /// The caller may not do this, was blocked, or is an agent who has been deactivated
    #[response(status = 403)]
    Forbidden(ErrorEnvelope<'static>),
    /// Something failed on our side; the log knows it by the request id
    #[response(status = 500)]
    Internal(ErrorEnvelope<'static>),
    /// Busy; repeat the request after `Retry-After` seconds
    #[response(status = 503)]
    Unavailable(ErrorEnvelope<'static>),
}

/// What any operation on one session may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes responses that are made in `api_error`")]
pub(crate) enum SessionFailures {
    /// There is no valid token
    #[response(status = 401)]
    Unauthenticated(ErrorEnvelope<'static>),
    /// The session is not the caller's to see or to change
    #[response(status = 403)]
    Forbidden(ErrorEnvelope<'static>),
    /// What the request names, a session, a message or an agent, does not exist
    #[response(status = 404)]
    NotFound(ErrorEnvelope<'static>),
    /// Something failed on our side; the log knows it by the request id
    #[response(status = 500)]
    Internal(ErrorEnvelope<'static>),
    /// Busy; repeat the request after `Retry-After` seconds
    #[response(status = 503)]
    Unavailable(ErrorEnvelope<'static>),
}
