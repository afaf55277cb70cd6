//! A watcher's queue as seen by two sides: the hub puts events in, the watcher's stream takes them out.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use chat_domain::model::Published;

use crate::queue::{Queue, Queued};
use crate::sync::lock;

/// A queue behind a lock, with the waker of the one stream that waits for it.
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
}

struct Inner {
    queue: Queue,
    waker: Option<Waker>,
    closed: bool,
}

impl Mailbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { inner: Mutex::new(Inner { queue: Queue::new(capacity), waker: None, closed: false }) }
    }

    /// Puts an event in. Answers with the waker that the caller wakes once it holds no lock.
    pub(crate) fn push(&self, event: &Arc<Published>) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        if inner.closed || !inner.queue.push(event) {
            return None;
        }
        inner.waker.take()
    }

    /// Ends the stream. Answers with the waker that the caller wakes once it holds no lock.
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        inner.queue = Queue::new(1);
        inner.waker.take()
    }

    /// Takes the first thing out; `None` once closed.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<Option<Queued>> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Poll::Ready(None);
        }
        if let Some(queued) = inner.queue.pop() {
            return Poll::Ready(Some(queued));
        }
        inner.wake_later(context);
        Poll::Pending
    }

    /// Ready once closed. Arriving events wake the task too, for nothing.
    pub(crate) fn poll_closed(&self, context: &Context<'_>) -> Poll<()> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Poll::Ready(());
        }
        inner.wake_later(context);
        Poll::Pending
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.inner).closed
    }
}

impl Inner {
    fn wake_later(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }
}
