//! A watcher's queue as seen by two sides: the hub puts events in, the watcher's stream takes them out.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chat_domain::model::{Published, Seq};
use chat_domain::ports::End;
use metrics::counter;

use crate::queue::{Limits, Pushed, Queue, Queued};
use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// A queue behind a lock, with the waker of the one stream that waits for it.
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    /// Whether there is an end inside: looked at before each event, without the lock.
    ended: AtomicBool,
}

struct Inner {
    queue: Queue,
    waker: Option<Waker>,
    /// Whether the stream waits for the end only, because it reads the log.
    only_for_the_end: bool,
    end: Option<End>,
}

impl Mailbox {
    pub(crate) fn new(limits: Limits) -> Self {
        let queue = Queue::new(limits);
        let inner = Inner { queue, waker: None, only_for_the_end: false, end: None };
        Self { inner: Mutex::new(inner), ended: AtomicBool::new(false) }
    }

    /// Puts an event in. Answers with the waker that the caller wakes once it holds no lock.
    pub(crate) fn push(&self, event: &Arc<Published>) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        if inner.end.is_some() {
            return None;
        }
        match inner.queue.push(event) {
            Pushed::Dropped => return None,
            Pushed::Overflowed => counter!("chat_watcher_overflows_total").increment(1),
            Pushed::Kept | Pushed::StillLost => {}
        }
        inner.take_waker()
    }

    /// Marks everything up to a position as lost. Answers with the waker as `push` does.
    pub(crate) fn lose(&self, up_to: Seq) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        if inner.end.is_some() {
            return None;
        }
        inner.queue.lose(up_to);
        inner.take_waker()
    }

    /// Ends the stream, unless it has ended already. Answers with the waker that the caller wakes once it holds no
    /// lock.
    pub(crate) fn end(&self, end: End) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        inner.end.get_or_insert(end);
        self.ended.store(true, Ordering::SeqCst);
        inner.queue = Queue::new(Limits { events: 0, bytes: 0 });
        inner.waker.take()
    }

    /// Takes the first thing out, or says how the stream ended.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<Result<Queued, End>> {
        let mut inner = lock(&self.inner);
        if let Some(end) = inner.end {
            return Poll::Ready(Err(end));
        }
        if let Some(queued) = inner.queue.pop() {
            return Poll::Ready(Ok(queued));
        }
        inner.wake_later(context, false);
        Poll::Pending
    }

    /// Ready once the stream has ended. Arriving events do not wake the task.
    pub(crate) fn poll_end(&self, context: &Context<'_>) -> Poll<End> {
        let mut inner = lock(&self.inner);
        if let Some(end) = inner.end {
            return Poll::Ready(end);
        }
        inner.wake_later(context, true);
        Poll::Pending
    }

    pub(crate) fn ended(&self) -> Option<End> {
        if self.ended.load(Ordering::SeqCst) { lock(&self.inner).end } else { None }
    }
}

impl Inner {
    fn take_waker(&mut self) -> Option<Waker> {
        if self.only_for_the_end { None } else { self.waker.take() }
    }

    fn wake_later(&mut self, context: &Context<'_>, only_for_the_end: bool) {
        self.only_for_the_end = only_for_the_end;
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }
}
