//! How failures look to the caller, and what the log keeps of them.

mod api_error;
mod envelope;
mod responses;
mod table;

pub(crate) use api_error::{ApiError, RETRY_FULL_SECONDS};
pub(crate) use envelope::{ErrorBody, ErrorDetail, ErrorEnvelope};
pub(crate) use responses::{CommonFailures, SessionFailures};
pub use table::{ErrorCode, errors_reference};
