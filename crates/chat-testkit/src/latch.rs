//! A notifier that holds a store's writer until a test releases it, so that writes queue up behind it.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use chat_domain::model::LiveEvent;
use chat_domain::ports::Notifier;

use crate::RecordingNotifier;

/// Stops the writer at one of its events.
pub struct Latch {
    /// What was published so far.
    pub heard: RecordingNotifier,
    at: usize,
    reached: Sender<()>,
    released: Mutex<Option<Receiver<()>>>,
}

/// The other end of a latch. A writer that stands goes on, and fails its test, when this is dropped.
pub struct Holder {
    reached: Receiver<()>,
    release: Sender<()>,
}

/// A latch that stops at the first event, and its holder.
pub fn latch() -> (Arc<Latch>, Holder) {
    latch_at(1)
}

/// A latch that stops at event number `at`, counted from 1, and its holder.
pub fn latch_at(at: usize) -> (Arc<Latch>, Holder) {
    let (reached, is_reached) = channel();
    let (release, released) = channel();
    let latch = Latch { heard: RecordingNotifier::new(), at, reached, released: Mutex::new(Some(released)) };
    (Arc::new(latch), Holder { reached: is_reached, release })
}

impl Notifier for Latch {
    fn publish(&self, event: LiveEvent) {
        self.heard.publish(event);
        if self.heard.events().len() < self.at {
            return;
        }
        let first = self.released.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(released) = first {
            self.reached.send(()).expect("the holder is there");
            released.recv().expect("the holder lets go");
        }
    }
}

impl Holder {
    /// Waits until the writer stands. Blocks.
    ///
    /// # Panics
    /// When the store is gone before anything happens.
    pub fn wait(&self) {
        self.reached.recv().expect("the writer comes to the latch");
    }

    /// Lets the writer go on, for good.
    ///
    /// # Panics
    /// When the store is gone.
    pub fn release(self) {
        self.release.send(()).expect("the writer stands");
    }
}

/// Polls a write once, which brings it as far as the queue. Whether it is still waiting.
pub async fn is_waiting<F: Future + Unpin>(mut write: F) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut write).poll(context).is_pending())).await
}
