//! A failure on its way to the caller: what they see and what the log keeps are different fields.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use chat_domain::ChatError;
use chat_domain::error::{Conflict, FieldError, Invalid, LimitReached, Refusal, Resource};

use super::{ErrorBody, ErrorCode, ErrorDetail, ErrorEnvelope};

/// When a client should try again to open a socket: one whose peer is gone is closed within a minute.
const RETRY_SOCKET_SECONDS: u64 = 60;

/// When a customer should try again to open a session. Nothing frees a place but a session that is closed, by them or
/// the desk; every 429 says a time, so that clients need no exception.
const RETRY_OPEN_SESSION_SECONDS: u64 = 60;

/// When to send a file again that there was no room for: an operator has to make room first.
pub(crate) const RETRY_FULL_SECONDS: u64 = 300;

/// A request that was not carried out.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    message: String,
    details: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log keeps; never shown to the caller.
    cause: Option<String>,
    /// Whether the connection is of no more use, because the rest of the request was not read.
    close_connection: bool,
    /// Whether the log has it already, from where it was found.
    is_logged: bool,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
            cause: None,
            close_connection: false,
            is_logged: false,
        }
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unauthenticated, message)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// `allowed` are the methods that the address takes.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        let error = Self::new(ErrorCode::MethodNotAllowed, format!("this address takes {allowed}"));
        match HeaderValue::from_str(allowed) {
            Ok(allowed) => error.with_header(header::ALLOW, allowed),
            Err(_) => error,
        }
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorCode::Internal, "something went wrong on our side");
        error.cause = Some(cause.into());
        error
    }

    fn unavailable(cause: String, retry_after: Duration) -> Self {
        let seconds = retry_after.as_secs().max(1);
        let mut error = Self::new(ErrorCode::Unavailable, "the service is busy; try again later")
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
        error.cause = Some(cause);
        error
    }

    fn storage_full() -> Self {
        let mut error = Self::new(ErrorCode::StorageFull, "there is no room for files at present; text can be sent")
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_FULL_SECONDS));
        error.cause = Some("the attachment disk is full".to_owned());
        error
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With what only the log keeps.
    #[must_use]
    pub(crate) fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub(crate) fn closing_connection(mut self) -> Self {
        self.close_connection = true;
        self
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the caller may read.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// Whether something is wrong with the service that its operator has to hear of for this request. What passes, or what
    /// every request meets alike, such as a full queue or disk, a client could fill the log with: that is counted here,
    /// and logged where it begins and ends.
    pub(crate) fn is_fault(&self) -> bool {
        self.code == ErrorCode::Internal && !self.is_logged
    }

    /// The answer, with the id under which the log knows the request.
    pub(crate) fn respond(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        if self.close_connection {
            response.force_close();
        }
        let details = self
            .details
            .iter()
            .map(|error| ErrorDetail { field: error.field.to_string(), message: &error.rule })
            .collect();
        response.json(ErrorEnvelope {
            success: false,
            message: &self.message,
            error: ErrorBody {
                code: self.code.as_str(),
                message: &self.message,
                details,
                request_id: request_id.to_owned(),
            },
        })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// Used only where the middleware that knows the request id is not in the way.
    fn error_response(&self) -> HttpResponse {
        self.respond("")
    }
}

impl From<ChatError> for ApiError {
    fn from(error: ChatError) -> Self {
        match error {
            refused @ ChatError::SignedOut => Self::unauthenticated(refused.to_string()),
            ChatError::Forbidden(refusal) => {
                let code = match refusal {
                    Refusal::NotAllowed(_) => ErrorCode::Forbidden,
                    Refusal::AgentDeactivated => ErrorCode::AgentDeactivated,
                    Refusal::Blocked => ErrorCode::Blocked,
                };
                Self::new(code, refusal.to_string())
            }
            ChatError::NotFound(resource) => {
                let code = match resource {
                    Resource::Session => ErrorCode::SessionNotFound,
                    Resource::Message => ErrorCode::MessageNotFound,
                    Resource::Agent => ErrorCode::AgentNotFound,
                    Resource::Attachment => ErrorCode::AttachmentNotFound,
                    Resource::Thumbnail => ErrorCode::NoThumbnail,
                };
                Self::new(code, format!("{resource} not found"))
            }
            ChatError::Invalid(invalid) => invalid.into(),
            ChatError::Conflict(conflict) => {
                let code = match conflict {
                    Conflict::SessionClosed => ErrorCode::SessionClosed,
                    Conflict::AlreadyAssigned => ErrorCode::AlreadyAssigned,
                    Conflict::AlreadyYours => ErrorCode::AlreadyYours,
                    Conflict::IdempotencyKeyReused(_) => ErrorCode::IdempotencyKeyReused,
                    Conflict::AlreadySent => ErrorCode::AlreadySent,
                };
                Self::new(code, conflict.to_string())
            }
            changed @ ChatError::VersionMismatch { .. } => {
                Self::new(ErrorCode::PreconditionFailed, changed.to_string())
            }
            ChatError::ReplayUnavailable(reason) => Self::new(ErrorCode::ReplayUnavailable, reason.to_string()),
            ChatError::LimitReached(limit) => match limit {
                LimitReached::Sockets { .. } => Self::new(ErrorCode::TooManySockets, limit.to_string())
                    .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_SOCKET_SECONDS)),
                LimitReached::OpenSessions { .. } => Self::new(ErrorCode::TooManyOpenSessions, limit.to_string())
                    .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_OPEN_SESSION_SECONDS)),
                LimitReached::UnsentUploads { .. } => Self::new(ErrorCode::UploadQuota, limit.to_string()),
            },
            ChatError::Unavailable { reason, retry_after } => Self::unavailable(reason, retry_after),
            ChatError::StorageFull => Self::storage_full(),
            damaged @ ChatError::DamagedFile => Self { is_logged: true, ..Self::internal(damaged.to_string()) },
            ChatError::Internal(cause) => Self::internal(chain(cause.as_ref())),
        }
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        let message = invalid.to_string();
        // Names of fields and rules, and nothing of what the fields contain.
        let broken: Vec<String> =
            invalid.fields.iter().map(|error| format!("{}: {}", error.field, error.rule)).collect();
        let error = Self::new(ErrorCode::ValidationFailed, message).with_cause(broken.join("; "));
        Self { details: invalid.fields, ..error }
    }
}

/// An error with all its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use chat_domain::ChatError;

    use super::{ApiError, ErrorCode};

    #[test]
    fn errors_that_a_client_can_repeat_at_will_are_no_faults() {
        let overload = ApiError::from(ChatError::unavailable("database: too many writes are waiting"));
        assert!(!overload.is_fault());
        assert!(overload.cause().is_some(), "the cause is for the debug line");
        assert!(!ApiError::from(ChatError::StorageFull).is_fault());
        let damaged = ApiError::from(ChatError::DamagedFile);
        assert!(!damaged.is_fault());
        assert_eq!(damaged.code(), ErrorCode::Internal);
        assert!(ApiError::from(ChatError::internal("a bug")).is_fault());
    }
}
