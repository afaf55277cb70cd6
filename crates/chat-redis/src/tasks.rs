//! The tasks of a node's part, by name, so that one that fails is noticed by somebody.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Tasks that run. They go on when this is dropped.
#[derive(Default)]
pub(crate) struct Tasks {
    running: Mutex<Vec<(&'static str, JoinHandle<()>)>>,
}

impl Tasks {
    /// Starts a task.
    pub(crate) fn spawn(&self, runtime: &Handle, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.lock().push((name, runtime.spawn(task)));
    }

    /// Hands the tasks over; they are not watched here any more.
    pub(crate) fn take(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.lock()).into_iter().map(|(_, task)| task).collect()
    }

    /// Waits until a task has panicked, and names it. Others may end; this goes on waiting then. For one caller at a
    /// time.
    pub(crate) async fn panicked(&self) -> &'static str {
        poll_fn(|context| {
            let mut panicked = None;
            // A handle that is ready must not be polled again, so it leaves the list.
            self.lock().retain_mut(|(name, task)| match Pin::new(task).poll(context) {
                Poll::Ready(Err(error)) if error.is_panic() => {
                    panicked = Some(*name);
                    false
                }
                Poll::Ready(_) => false,
                Poll::Pending => true,
            });
            panicked.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(&'static str, JoinHandle<()>)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_named_and_one_that_ends_is_not() {
        let (tasks, runtime) = (Tasks::default(), Handle::current());
        tasks.spawn(&runtime, "endless", pending());
        tasks.spawn(&runtime, "short", async {});
        tasks.spawn(&runtime, "faulty", async { panic!("the test says so") });
        assert_eq!(tasks.panicked().await, "faulty");
        assert_eq!(tasks.lock().iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["endless"]);
        tasks.take().into_iter().for_each(|task| task.abort());
    }
}
