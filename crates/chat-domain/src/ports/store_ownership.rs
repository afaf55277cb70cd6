//! Who collects a store's files: what stands beside them.

use async_trait::async_trait;

use crate::error::Result;
use crate::model::StoreOwner;

/// Keeps one small object beside the attachments, which names the database that collects them.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait StoreOwnership: Send + Sync {
    /// What stands there; `None` when nothing does.
    ///
    /// # Errors
    /// What stands there cannot be read. It MUST NOT be taken for nothing.
    async fn owner(&self) -> Result<Option<StoreOwner>>;

    /// Puts `owner` in the place of `expected`, durably: afterwards, and after a crash at any point, one of the two is
    /// there as a whole. Returns whether it did. When something else is there it MUST return `false` and change nothing;
    /// of several processes that see the same and write at the same moment, the last one may win.
    async fn replace(&self, expected: Option<StoreOwner>, owner: StoreOwner) -> Result<bool>;
}
