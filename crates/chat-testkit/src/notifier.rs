//! A notifier that remembers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_domain::model::{LiveEvent, SessionEvent, SessionId};
use chat_domain::ports::Notifier;

/// Keeps every event in the order in which it came.
#[derive(Debug, Default)]
pub struct RecordingNotifier(Mutex<Vec<LiveEvent>>);

impl RecordingNotifier {
    /// A notifier that has heard nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All events so far.
    pub fn events(&self) -> Vec<LiveEvent> {
        self.lock().clone()
    }

    /// The events of one session so far.
    pub fn events_of(&self, session: SessionId) -> Vec<LiveEvent> {
        self.lock().iter().filter(|event| event.session_id() == session).cloned().collect()
    }

    /// The durable changes of one session so far.
    pub fn changes_of(&self, session: SessionId) -> Vec<SessionEvent> {
        let durable = |event| match event {
            LiveEvent::Durable(change) => Some(change),
            LiveEvent::Typing(_) => None,
        };
        self.events_of(session).into_iter().filter_map(durable).collect()
    }

    /// All events so far, which are then forgotten.
    pub fn take(&self) -> Vec<LiveEvent> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LiveEvent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier for RecordingNotifier {
    fn publish(&self, event: LiveEvent) {
        self.lock().push(event);
    }
}
