//! Where new ids come from.

use uuid::Uuid;

/// Makes ids.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait IdGenerator: Send + Sync {
    /// A UUID that is new and cannot be guessed. Version 7 (RFC 9562, 5.7) keeps indexes compact.
    fn next_id(&self) -> Uuid;
}
