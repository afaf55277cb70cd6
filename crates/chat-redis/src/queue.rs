//! A queue with room for so many things and so many bytes. Putting something in never waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// A queue of at most `length` things that weigh at most `bytes` together.
pub(crate) fn bounded<T>(length: usize, bytes: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(length.max(1));
    let weight = Arc::new(AtomicUsize::new(0));
    (Sender { inner: sender, weight: Arc::clone(&weight), bytes }, Receiver { inner: receiver, weight })
}

/// The end that things are put into.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    inner: mpsc::Sender<(T, usize)>,
    weight: Arc<AtomicUsize>,
    bytes: usize,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), weight: Arc::clone(&self.weight), bytes: self.bytes }
    }
}

impl<T> Sender<T> {
    /// Puts something in, unless there is no room for it or nobody takes anything out any more.
    pub(crate) fn offer(&self, thing: T, weight: usize) -> bool {
        let before = self.weight.fetch_add(weight, Ordering::Relaxed);
        if before.saturating_add(weight) <= self.bytes && self.inner.try_send((thing, weight)).is_ok() {
            return true;
        }
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        false
    }
}

/// The end that things are taken from.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    inner: mpsc::Receiver<(T, usize)>,
    weight: Arc<AtomicUsize>,
}

impl<T> Receiver<T> {
    /// Waits for the next thing. `None` when no sender is left. Loses nothing when it is cancelled.
    pub(crate) async fn take(&mut self) -> Option<T> {
        let (thing, weight) = self.inner.recv().await?;
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        Some(thing)
    }

    /// The next thing, if one is there.
    pub(crate) fn take_now(&mut self) -> Option<T> {
        let (thing, weight) = self.inner.try_recv().ok()?;
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_full_by_number_or_by_weight() {
        let (sender, mut receiver) = bounded(2, 10);
        assert!(sender.offer('a', 4));
        assert!(!sender.offer('x', 7));
        assert!(sender.offer('b', 6));
        assert!(!sender.offer('x', 0));
        assert_eq!(receiver.take_now(), Some('a'));
        assert!(!sender.offer('x', 5));
        assert!(sender.offer('c', 4));
        assert_eq!([receiver.take_now(), receiver.take_now(), receiver.take_now()], [Some('b'), Some('c'), None]);
        assert!(sender.offer('d', 10));
    }

    #[test]
    fn nothing_is_put_where_nobody_takes_it_out() {
        let (sender, receiver) = bounded(2, 10);
        drop(receiver);
        assert!(!sender.offer('a', 1));
    }
}
