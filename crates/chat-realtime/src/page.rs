//! A piece of a session's log, shared by all who catch up over it.

use std::sync::Arc;

use chat_domain::model::{LiveEvent, Published, Seq, SessionEvent};

/// Durable events as the log gave them.
pub type Page = Arc<[Arc<Published>]>;

/// Makes a page of what was read.
pub fn page_of(events: Vec<SessionEvent>) -> Page {
    events.into_iter().map(|event| Published::new(LiveEvent::Durable(event))).collect()
}

/// The position of a durable event; typing has none.
pub(crate) fn position(event: &Published) -> Option<Seq> {
    match event.event() {
        LiveEvent::Durable(event) => Some(event.seq),
        LiveEvent::Typing(_) => None,
    }
}
