//! The queue of a subscription between its two sides: the hub pushes events, the stream takes them.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chat_domain::model::Seq;
use chat_domain::ports::{SharedEvent, StreamCloseReason};
use metrics::counter;

use crate::page::bytes_of;
use crate::queue::{EventQueue, PushOutcome, QueueItem, QueueLimits};
use crate::socket_budget::SocketBudget;
use crate::stream_waker::StreamWaker;
use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// A queue behind a lock, with the waker of its stream.
pub(crate) struct Mailbox {
    inner: Mutex<MailboxState>,
    /// Whether there is a close reason: read before each event, without the lock.
    closed: AtomicBool,
    /// What the queues of the same socket hold together, if it has several.
    budget: Option<Arc<SocketBudget>>,
}

struct MailboxState {
    queue: EventQueue,
    waker: StreamWaker,
    close_reason: Option<StreamCloseReason>,
}

impl Mailbox {
    pub(crate) fn new(limits: QueueLimits, budget: Option<Arc<SocketBudget>>) -> Self {
        let queue = EventQueue::new(limits);
        let inner = MailboxState { queue, waker: StreamWaker::default(), close_reason: None };
        Self { inner: Mutex::new(inner), closed: AtomicBool::new(false), budget }
    }

    /// Pushes an event. Returns the waker that the caller wakes once it holds no lock.
    pub(crate) fn push(&self, event: &Arc<SharedEvent>) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        if inner.close_reason.is_some() {
            return None;
        }
        match self.push_within_budget(&mut inner.queue, event) {
            PushOutcome::Dropped => return None,
            PushOutcome::Overflowed => counter!("chat_subscription_overflows_total").increment(1),
            PushOutcome::Kept | PushOutcome::GapExtended => {}
        }
        inner.waker.take_for_item()
    }

    fn push_within_budget(&self, queue: &mut EventQueue, event: &Arc<SharedEvent>) -> PushOutcome {
        let Some(budget) = &self.budget else { return queue.push(event) };
        let (waiting, weight) = (queue.bytes(), bytes_of(event));
        if budget.reserve(weight) {
            let outcome = queue.push(event);
            budget.release((waiting + weight).saturating_sub(queue.bytes()));
            outcome
        } else {
            let outcome = queue.push_without_room(event);
            budget.release(waiting.saturating_sub(queue.bytes()));
            outcome
        }
    }

    /// Gives the bytes back that a queue had and has no more.
    fn give_back(&self, had: usize, queue: &EventQueue) {
        if let Some(budget) = &self.budget {
            budget.release(had.saturating_sub(queue.bytes()));
        }
    }

    /// Marks everything up to an event as a gap. Returns the waker as `push` does.
    pub(crate) fn mark_gap(&self, up_to: Seq) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        if inner.close_reason.is_some() {
            return None;
        }
        let had = inner.queue.bytes();
        inner.queue.mark_gap(up_to);
        self.give_back(had, &inner.queue);
        inner.waker.take_for_item()
    }

    /// Closes the stream, unless it is closed already. Returns the waker that the caller wakes once it holds no lock.
    pub(crate) fn close(&self, reason: StreamCloseReason) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        inner.close_reason.get_or_insert(reason);
        self.closed.store(true, Ordering::SeqCst);
        let had = inner.queue.bytes();
        inner.queue = EventQueue::new(QueueLimits { events: 0, bytes: 0 });
        self.give_back(had, &inner.queue);
        inner.waker.take_for_close()
    }

    /// Takes the first item, or returns the close reason.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<Result<QueueItem, StreamCloseReason>> {
        let mut inner = lock(&self.inner);
        if let Some(reason) = inner.close_reason {
            return Poll::Ready(Err(reason));
        }
        let had = inner.queue.bytes();
        if let Some(queued) = inner.queue.pop() {
            self.give_back(had, &inner.queue);
            return Poll::Ready(Ok(queued));
        }
        inner.waker.wait_for_item(context);
        Poll::Pending
    }

    /// Ready once the stream is closed. Events do not wake the task.
    pub(crate) fn poll_closed(&self, context: &Context<'_>) -> Poll<StreamCloseReason> {
        let mut inner = lock(&self.inner);
        if let Some(reason) = inner.close_reason {
            return Poll::Ready(reason);
        }
        inner.waker.wait_for_close(context);
        Poll::Pending
    }

    /// What the queues of the same socket hold together, if it has several.
    pub(crate) fn budget(&self) -> Option<&Arc<SocketBudget>> {
        self.budget.as_ref()
    }

    pub(crate) fn close_reason(&self) -> Option<StreamCloseReason> {
        if self.closed.load(Ordering::SeqCst) { lock(&self.inner).close_reason } else { None }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.release(lock(&self.inner).queue.bytes());
        }
    }
}
