//! A notifier that holds the writer's thread until it is told to go on, so that writes queue up behind it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use chat_domain::model::LiveEvent;
use chat_domain::ports::Notifier;

/// Stops the writer at its first event.
pub(crate) struct Latch {
    reached: Sender<()>,
    released: Mutex<Option<Receiver<()>>>,
}

/// The other end of a latch.
pub(crate) struct Holder {
    reached: Receiver<()>,
    release: Sender<()>,
}

/// A latch and its holder.
pub(crate) fn latch() -> (Arc<Latch>, Holder) {
    let (reached, is_reached) = channel();
    let (release, released) = channel();
    let latch = Latch { reached, released: Mutex::new(Some(released)) };
    (Arc::new(latch), Holder { reached: is_reached, release })
}

impl Notifier for Latch {
    fn publish(&self, _event: LiveEvent) {
        let first = self.released.lock().unwrap().take();
        if let Some(released) = first {
            self.reached.send(()).unwrap();
            released.recv().unwrap();
        }
    }
}

impl Holder {
    /// Waits until the writer stands.
    pub(crate) fn wait(&self) {
        self.reached.recv().unwrap();
    }

    /// Lets the writer go on, for good.
    pub(crate) fn release(self) {
        self.release.send(()).unwrap();
    }
}
