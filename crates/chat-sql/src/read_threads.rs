//! The threads that read: as many as there are connections, fed by a queue.
//!
//! Reads wait in the queue of these threads and not for a thread to become free, so a thread that is done goes on with
//! the next read at once, without a trip through the operating system's scheduler. The blocking pool of tokio does
//! exactly that; a runtime of its own keeps its size ours, whatever else the process does with its main one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// A pool of blocking threads that ends without waiting when it is dropped.
pub(crate) struct ReadThreads(Option<Runtime>);

impl ReadThreads {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().max_blocking_threads(threads).thread_name("chat-reader").build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs `work` on one of the threads; `None` once they have ended. Dropping what is returned takes the work out of
    /// line if it has not begun.
    pub(crate) fn run<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Option<RunningRead<R>> {
        self.0.as_ref().map(|runtime| RunningRead(runtime.spawn_blocking(work)))
    }
}

/// Work in line or running.
pub(crate) struct RunningRead<R>(JoinHandle<R>);

impl<R> Future for RunningRead<R> {
    type Output = Result<R, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<R> Drop for RunningRead<R> {
    fn drop(&mut self) {
        // Has no effect on work that has begun or is done.
        self.0.abort();
    }
}

impl Drop for ReadThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Waiting here would block whichever async thread drops the store last.
            runtime.shutdown_background();
        }
    }
}
