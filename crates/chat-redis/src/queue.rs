//! A queue that is bounded in items and in bytes. Pushing never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// A queue of at most `length` items of at most `bytes` together.
pub(crate) fn bounded<T>(length: usize, bytes: usize) -> (QueueSender<T>, QueueReceiver<T>) {
    let (sender, receiver) = mpsc::channel(length.max(1));
    let weight = Arc::new(AtomicUsize::new(0));
    (QueueSender { inner: sender, weight: Arc::clone(&weight), bytes }, QueueReceiver { inner: receiver, weight })
}

/// The end that items are pushed into.
#[derive(Debug)]
pub(crate) struct QueueSender<T> {
    inner: mpsc::Sender<(T, usize)>,
    weight: Arc<AtomicUsize>,
    bytes: usize,
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), weight: Arc::clone(&self.weight), bytes: self.bytes }
    }
}

impl<T> QueueSender<T> {
    /// Pushes an item and returns whether it was taken: not without room for it, or after the receiver was dropped.
    pub(crate) fn try_push(&self, item: T, weight: usize) -> bool {
        let before = self.weight.fetch_add(weight, Ordering::Relaxed);
        if before.saturating_add(weight) <= self.bytes && self.inner.try_send((item, weight)).is_ok() {
            return true;
        }
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        false
    }
}

/// The end that items are received from.
#[derive(Debug)]
pub(crate) struct QueueReceiver<T> {
    inner: mpsc::Receiver<(T, usize)>,
    weight: Arc<AtomicUsize>,
}

impl<T> QueueReceiver<T> {
    /// Waits for the next item. `None` when no sender is left. Loses nothing when it is cancelled.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        let (item, weight) = self.inner.recv().await?;
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        Some(item)
    }

    /// The next item, if there is one.
    pub(crate) fn try_recv(&mut self) -> Option<T> {
        let (item, weight) = self.inner.try_recv().ok()?;
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_full_by_number_or_by_weight() {
        let (sender, mut receiver) = bounded(2, 10);
        assert!(sender.try_push('a', 4));
        assert!(!sender.try_push('x', 7));
        assert!(sender.try_push('b', 6));
        assert!(!sender.try_push('x', 0));
        assert_eq!(receiver.try_recv(), Some('a'));
        assert!(!sender.try_push('x', 5));
        assert!(sender.try_push('c', 4));
        assert_eq!([receiver.try_recv(), receiver.try_recv(), receiver.try_recv()], [Some('b'), Some('c'), None]);
        assert!(sender.try_push('d', 10));
    }

    #[test]
    fn a_queue_without_a_receiver_takes_nothing() {
        let (sender, receiver) = bounded(2, 10);
        drop(receiver);
        assert!(!sender.try_push('a', 1));
    }
}
