//! Wakes the sockets of a worker from other threads, many of them with one system call.
//!
//! A task of a single-threaded runtime that is woken from another thread costs a system call each time: the runtime may
//! sleep in the kernel, and tokio does not ask whether it does (`tokio::runtime::scheduler::current_thread`). One event
//! may wake a thousand sockets, and the thread that publishes it is the one that commits messages. So a socket's waker puts it on
//! the list of its worker, and only the first on a list wakes the worker's relay, a task that wakes all the others on
//! their own thread.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The relay of a worker.
#[derive(Default)]
pub(super) struct WakeRelay(Mutex<WakeList>);

#[derive(Default)]
struct WakeList {
    to_wake: Vec<Arc<RelayedTask>>,
    /// Of the relay's own task. `None` when it has been woken and has not run since.
    relay: Option<Waker>,
}

/// A task that is woken through a relay.
struct RelayedTask {
    relay: Arc<WakeRelay>,
    task: Waker,
}

impl WakeRelay {
    /// Wakes the tasks on the list; never returns. Must run on the worker that has the sockets.
    pub(super) async fn run(self: Arc<Self>) {
        let mut woken = Vec::new();
        poll_fn(|cx| {
            self.exchange(&mut woken, cx);
            for relayed in woken.drain(..) {
                relayed.task.wake_by_ref();
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Takes the list, and leaves an empty list that has room already.
    fn exchange(&self, list: &mut Vec<Arc<RelayedTask>>, cx: &Context<'_>) {
        let mut waiting = self.lock();
        std::mem::swap(&mut waiting.to_wake, list);
        waiting.relay.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
    }

    fn wake_soon(&self, task: Arc<RelayedTask>) {
        let relay = {
            let mut waiting = self.lock();
            waiting.to_wake.push(task);
            waiting.relay.take()
        };
        if let Some(relay) = relay {
            relay.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, WakeList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for RelayedTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.relay.wake_soon(Arc::clone(self));
    }
}

/// The waker of one socket's task through its worker's relay.
pub(super) struct RelayedWaker {
    relay: Arc<WakeRelay>,
    /// Made once, since a task keeps its waker; the second is the first as a waker.
    made: Option<(Arc<RelayedTask>, Waker)>,
}

impl RelayedWaker {
    pub(super) fn new(relay: Arc<WakeRelay>) -> Self {
        Self { relay, made: None }
    }

    /// Wakes the task of this context.
    pub(super) fn of(&mut self, cx: &Context<'_>) -> &Waker {
        self.made.take_if(|(relayed, _)| !relayed.task.will_wake(cx.waker()));
        let (_, waker) = self.made.get_or_insert_with(|| {
            let relayed = Arc::new(RelayedTask { relay: Arc::clone(&self.relay), task: cx.waker().clone() });
            (Arc::clone(&relayed), Waker::from(relayed))
        });
        waker
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct WakeCount(AtomicUsize);

    impl WakeCount {
        fn times(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for WakeCount {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A task, and its waker through the relay.
    fn task(relay: &Arc<WakeRelay>) -> (Arc<WakeCount>, Waker) {
        let woken = Arc::new(WakeCount::default());
        let task = Waker::from(Arc::clone(&woken));
        let waker = RelayedWaker::new(Arc::clone(relay)).of(&Context::from_waker(&task)).clone();
        (woken, waker)
    }

    #[test]
    fn a_thousand_sockets_cost_one_wake_from_another_thread() {
        let (relay, own) = (Arc::new(WakeRelay::default()), Arc::new(WakeCount::default()));
        let own_waker = Waker::from(Arc::clone(&own));
        let mut cx = Context::from_waker(&own_waker);
        let mut running = pin!(Arc::clone(&relay).run());
        assert!(running.as_mut().poll(&mut cx).is_pending());
        let tasks: Vec<_> = (0..1_000).map(|_| task(&relay)).collect();
        for round in 1..=2 {
            for (_, waker) in &tasks {
                waker.wake_by_ref();
            }
            assert_eq!(own.times(), round);
            assert!(running.as_mut().poll(&mut cx).is_pending());
            assert!(tasks.iter().all(|(woken, _)| woken.times() == round));
        }
    }

    #[test]
    fn a_socket_woken_before_the_relay_runs_is_woken_by_it() {
        let relay = Arc::new(WakeRelay::default());
        let (woken, waker) = task(&relay);
        waker.wake();
        let mut running = pin!(relay.run());
        assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(woken.times(), 1);
    }

    #[test]
    fn a_socket_that_moved_to_another_task_is_woken_there() {
        let relay = Arc::new(WakeRelay::default());
        let mut relayed = RelayedWaker::new(Arc::clone(&relay));
        let tasks = [(); 2].map(|()| Arc::new(WakeCount::default()));
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            relayed.of(&Context::from_waker(&waker)).wake_by_ref();
        }
        let mut running = pin!(relay.run());
        assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(tasks.map(|task| task.times()), [1, 1]);
    }

    #[tokio::test]
    async fn no_wake_from_another_thread_is_lost() {
        const TIMES: usize = 10_000;
        let relay = Arc::new(WakeRelay::default());
        let (woken, waker) = task(&relay);
        let running = tokio::spawn(Arc::clone(&relay).run());
        let other = thread::spawn(move || (0..TIMES).for_each(|_| waker.wake_by_ref()));
        while woken.times() < TIMES {
            tokio::task::yield_now().await;
        }
        other.join().unwrap();
        running.abort();
    }
}
