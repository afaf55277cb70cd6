//! How this crate waits: a trait, so that the core runs on any scheduler and in tests on none.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
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

/// The future's output, or `None` after the limit.
pub(crate) async fn in_time<F: Future>(timer: &dyn Timer, limit: Duration, future: F) -> Option<F::Output> {
    let mut over = timer.sleep(limit);
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => over.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// How long to wait after a failure that follows so many others: the first pause, doubled with each, up to the longest.
pub(crate) fn pause_after(earlier_failures: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(1 << earlier_failures.min(16)).min(longest)
}
