//! Why a thumbnail was not made: a `ChatError` for each of several callers.

use std::time::Duration;

use chat_domain::ChatError;

/// When a caller should try again whom the node had no slot for.
const RETRY_AFTER: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(crate) enum ThumbnailFailure {
    Busy {
        reason: String,
        retry_after: Duration,
    },
    /// What is wrong with the stored bytes.
    Damaged(String),
    Broken(String),
}

impl ThumbnailFailure {
    pub(crate) fn busy(reason: &str) -> Self {
        Self::Busy { reason: reason.to_owned(), retry_after: RETRY_AFTER }
    }

    pub(crate) fn of_store(error: &ChatError) -> Self {
        match error {
            ChatError::Unavailable { reason, retry_after } => {
                Self::Busy { reason: reason.clone(), retry_after: *retry_after }
            }
            other => Self::Broken(other.to_string()),
        }
    }

    /// The store has another number of bytes than it stored.
    pub(crate) fn wrong_size(stored: u64, than: &str) -> Self {
        Self::Damaged(format!("the store has {than} bytes than the {stored} that were stored"))
    }
}

impl From<ThumbnailFailure> for ChatError {
    fn from(failure: ThumbnailFailure) -> Self {
        match failure {
            ThumbnailFailure::Busy { reason, retry_after } => Self::Unavailable { reason, retry_after },
            ThumbnailFailure::Damaged(_) => Self::DamagedFile,
            ThumbnailFailure::Broken(cause) => Self::internal(cause),
        }
    }
}
