//! The open sockets of one worker: their tasks, and what keeps the worker alive for them.
//!
//! A worker stops when none of its connections is left, and drops its tasks then. It does not know of the connections
//! that were taken over, so one of them is kept in its hands as long as there is any: the *anchor*, without the memory
//! for a connection's buffers, which has been given back by then.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::wake_relay::WakeRelay;

/// The sockets of one worker.
#[derive(Default)]
pub(super) struct WorkerSockets {
    /// A task is `None` for the moment in which it is made.
    tasks: RefCell<Slab<Option<AbortHandle>>>,
    emptied: Notify,
    anchored: Cell<bool>,
    wake_relay: OnceCell<Arc<WakeRelay>>,
}

/// A socket's place among those of its worker, left when it is dropped.
pub(super) struct Place {
    sockets: Rc<WorkerSockets>,
    index: usize,
}

impl WorkerSockets {
    /// Runs a socket as a task of its own, on this worker. The task keeps the place it is given for as long as it lives.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(self: &Rc<Self>, make: impl FnOnce(Place) -> F) {
        let index = self.tasks.borrow_mut().insert(None);
        let task = actix_web::rt::spawn(make(Place { sockets: Rc::clone(self), index }));
        // The task cannot have ended already: it runs on this thread, after what is running now.
        if let Some(place) = self.tasks.borrow_mut().get_mut(index) {
            *place = Some(task.abort_handle());
        }
    }

    /// Keeps the worker alive for its sockets if nobody else does so: does not return while one of them is open. When
    /// `drop_all` says so they are dropped.
    pub(super) async fn anchor(&self, mut drop_all: watch::Receiver<bool>) {
        if self.anchored.replace(true) {
            return;
        }
        let told = async {
            // A server that was let go without being stopped goes on.
            if drop_all.wait_for(|told| *told).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.until_empty() => {}
            () = told => {
                self.drop_all();
                self.until_empty().await;
            }
        }
        self.anchored.set(false);
    }

    async fn until_empty(&self) {
        while !self.tasks.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }

    fn drop_all(&self) {
        // A task that is dropped leaves its place, which needs the list.
        let tasks: Vec<AbortHandle> = self.tasks.borrow().iter().filter_map(|(_, task)| task.clone()).collect();
        for task in tasks {
            task.abort();
        }
    }
}

impl Place {
    /// Through which other threads wake the socket. It runs from the worker's first socket on.
    pub(super) fn wake_relay(&self) -> Arc<WakeRelay> {
        let start = || {
            let relay = Arc::new(WakeRelay::default());
            actix_web::rt::spawn(Arc::clone(&relay).run());
            relay
        };
        Arc::clone(self.sockets.wake_relay.get_or_init(start))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tasks = self.sockets.tasks.borrow_mut();
        tasks.try_remove(self.index);
        if tasks.is_empty() {
            self.sockets.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::task::{LocalSet, yield_now};
    use tokio::time::timeout;

    use super::*;

    /// A socket that stays open until it is told.
    fn open(sockets: &Rc<WorkerSockets>) -> Rc<Notify> {
        let close = Rc::new(Notify::new());
        let closed = Rc::clone(&close);
        sockets.spawn(|place| async move {
            let _place = place;
            closed.notified().await;
        });
        close
    }

    #[tokio::test]
    async fn the_anchor_stays_until_the_last_socket_is_closed() {
        let work = async {
            let sockets = Rc::new(WorkerSockets::default());
            let (_server, told) = watch::channel(false);
            let (first, second) = (open(&sockets), open(&sockets));
            let anchor = actix_web::rt::spawn({
                let sockets = Rc::clone(&sockets);
                async move { sockets.anchor(told).await }
            });
            first.notify_one();
            for _ in 0..10 {
                yield_now().await;
            }
            assert!(!anchor.is_finished());
            second.notify_one();
            timeout(Duration::from_secs(5), anchor).await.unwrap().unwrap();
        };
        LocalSet::new().run_until(work).await;
    }

    #[tokio::test]
    async fn a_second_anchor_is_not_needed() {
        let work = async {
            let sockets = Rc::new(WorkerSockets::default());
            let (_server, told) = watch::channel(false);
            let _close = open(&sockets);
            let mut first = std::pin::pin!(sockets.anchor(told.clone()));
            assert!(futures_util::poll!(first.as_mut()).is_pending());
            sockets.anchor(told).await;
        };
        LocalSet::new().run_until(work).await;
    }

    #[tokio::test]
    async fn sockets_that_do_not_close_are_dropped_when_the_server_says_so() {
        let work = async {
            let sockets = Rc::new(WorkerSockets::default());
            let (server, told) = watch::channel(false);
            for _ in 0..3 {
                sockets.spawn(|place| async move {
                    let _place = place;
                    pending::<()>().await;
                });
            }
            server.send_replace(true);
            timeout(Duration::from_secs(5), sockets.anchor(told)).await.unwrap();
            assert!(sockets.tasks.borrow().is_empty());
        };
        LocalSet::new().run_until(work).await;
    }
}
