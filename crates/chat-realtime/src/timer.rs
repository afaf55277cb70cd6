//! How this crate waits: a trait, so that the core runs on any scheduler and in tests on none.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future that is ready after a time.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A monotonic clock with sleeps.
pub trait Timer: Send + Sync {
    /// The time since a fixed moment. It never goes back, whatever happens to the clock on the wall.
    fn now(&self) -> Duration;

    /// Ready after this time, counted from the call.
    fn sleep(&self, time: Duration) -> Sleep;
}
