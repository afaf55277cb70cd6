//! The body of every error answer.

use serde::Serialize;
use utoipa::ToSchema;

/// The contract's `APIResponse` for a request that was not carried out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = APIErrorResponse)]
pub(crate) struct ErrorEnvelope<'a> {
    /// Always `false`.
    #[schema(example = false)]
    pub(crate) success: bool,
    /// What went wrong, for people.
    #[schema(example = "the session is closed")]
    pub(crate) message: &'a str,
    /// The same for programs.
    pub(crate) error: ErrorBody<'a>,
}

/// What went wrong, for programs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = APIError)]
pub(crate) struct ErrorBody<'a> {
    /// One of the codes of the error reference, to which later versions add.
    #[schema(pattern = "^[A-Z][A-Z_]*$", example = "SESSION_CLOSED")]
    pub(crate) code: &'a str,
    /// What went wrong, for people.
    #[schema(example = "the session is closed")]
    pub(crate) message: &'a str,
    /// The fields that break a rule.
    pub(crate) details: Vec<ErrorDetail<'a>>,
    /// Names the request in the server's log.
    #[schema(example = "0b7f9c3e-6f0e-4d0c-9d3e-2f6f0c1d7a55")]
    pub(crate) request_id: String,
}

/// A field and the rule it breaks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = APIErrorDetail)]
pub(crate) struct ErrorDetail<'a> {
    /// The field, `body` for the body as a whole.
    #[schema(example = "content")]
    pub(crate) field: String,
    /// The rule.
    #[schema(example = "must have at most 10000 characters")]
    pub(crate) message: &'a str,
}
