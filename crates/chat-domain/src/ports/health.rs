//! Whether a part of the system can do its work.

use async_trait::async_trait;

/// A part of the system that readiness depends on.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait HealthProbe: Send + Sync {
    /// The part's name, such as `database`.
    fn name(&self) -> &'static str;

    /// Tries the part for real, at little cost.
    ///
    /// # Errors
    /// What is wrong, for the log.
    async fn check(&self) -> Result<(), String>;

    /// What the part cannot do at present although it works, as the last check or use found it: for the readiness, where
    /// it takes no server out of service. Everybody may read it.
    fn degraded(&self) -> Option<&'static str> {
        None
    }
}
