//! The open sockets of one worker: their tasks, and what keeps the worker alive for them.
//!
//! A worker stops when it has no connections any more, and then drops its tasks. It does not know the connections that
//! were taken over, so one of them stays in its hands as long as a socket is open: the *anchor*, whose buffers are freed.

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

/// Keeps a socket in the list of its worker's sockets until it is dropped.
pub(super) struct SocketSlot {
    sockets: Rc<WorkerSockets>,
    index: usize,
}

impl WorkerSockets {
    /// Runs a socket as a task of its own, on this worker. The task keeps its slot for as long as it lives.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(self: &Rc<Self>, make: impl FnOnce(SocketSlot) -> F) {
        let index = self.tasks.borrow_mut().insert(None);
        let task = actix_web::rt::spawn(make(SocketSlot { sockets: Rc::clone(self), index }));
        // The task cannot have ended already: it runs on this thread, after what is running now.
        if let Some(slot) = self.tasks.borrow_mut().get_mut(index) {
            *slot = Some(task.abort_handle());
        }
    }

    /// Keeps the worker alive for its sockets unless another connection does so: does not return while one of them is
    /// open. When `drop_all` becomes true, they are dropped.
    pub(super) async fn anchor(&self, mut drop_all: watch::Receiver<bool>) {
        if self.anchored.replace(true) {
            return;
        }
        let must_drop = async {
            // A `Server` that is dropped without being stopped keeps its sockets.
            if drop_all.wait_for(|must_drop| *must_drop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.until_empty() => {}
            () = must_drop => {
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
        // A task that is dropped drops its slot, which needs the list.
        let tasks: Vec<AbortHandle> = self.tasks.borrow().iter().filter_map(|(_, task)| task.clone()).collect();
        for task in tasks {
            task.abort();
        }
    }
}

impl SocketSlot {
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

impl Drop for SocketSlot {
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

    /// A socket that stays open until it is notified.
    fn open(sockets: &Rc<WorkerSockets>) -> Rc<Notify> {
        let close = Rc::new(Notify::new());
        let closed = Rc::clone(&close);
        sockets.spawn(|slot| async move {
            let _slot = slot;
            closed.notified().await;
        });
        close
    }

    #[tokio::test]
    async fn the_anchor_waits_until_the_last_socket_is_closed() {
        let work = async {
            let sockets = Rc::new(WorkerSockets::default());
            let (_server, drop_all) = watch::channel(false);
            let (first, second) = (open(&sockets), open(&sockets));
            let anchor = actix_web::rt::spawn({
                let sockets = Rc::clone(&sockets);
                async move { sockets.anchor(drop_all).await }
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
    async fn a_second_anchor_returns_at_once() {
        let work = async {
            let sockets = Rc::new(WorkerSockets::default());
            let (_server, drop_all) = watch::channel(false);
            let _close = open(&sockets);
            let mut first = std::pin::pin!(sockets.anchor(drop_all.clone()));
            assert!(futures_util::poll!(first.as_mut()).is_pending());
            sockets.anchor(drop_all).await;
        };
        LocalSet::new().run_until(work).await;
    }

    #[tokio::test]
    async fn open_sockets_are_dropped_when_the_server_drops_all() {
        let work = async {
            let sockets = Rc::new(WorkerSockets::default());
            let (server, drop_all) = watch::channel(false);
            for _ in 0..3 {
                sockets.spawn(|slot| async move {
                    let _slot = slot;
                    pending::<()>().await;
                });
            }
            server.send_replace(true);
            timeout(Duration::from_secs(5), sockets.anchor(drop_all)).await.unwrap();
            assert!(sockets.tasks.borrow().is_empty());
        };
        LocalSet::new().run_until(work).await;
    }
}
