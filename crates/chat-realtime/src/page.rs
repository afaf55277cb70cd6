//! A page of a session's log, shared by all streams that catch up over it.

use std::sync::Arc;

use chat_domain::model::{LiveEvent, Seq, SessionEvent};
use chat_domain::ports::{LogLimit, SharedEvent};

use crate::peers::TYPING_BYTES;

/// Durable events in the order of the log.
pub type SharedPage = Arc<[Arc<SharedEvent>]>;

/// Makes a page of log events.
pub fn page_of(events: Vec<SessionEvent>) -> SharedPage {
    events.into_iter().map(|event| SharedEvent::new(LiveEvent::Durable(event))).collect()
}

/// About how many bytes it takes to keep or to write an event.
pub fn bytes_of(event: &SharedEvent) -> usize {
    match event.event() {
        LiveEvent::Durable(event) => LogLimit::bytes_of(event),
        LiveEvent::Typing(_) => TYPING_BYTES,
    }
}

/// The sequence number of a durable event; typing has none.
pub(crate) fn position(event: &SharedEvent) -> Option<Seq> {
    match event.event() {
        LiveEvent::Durable(event) => Some(event.seq),
        LiveEvent::Typing(_) => None,
    }
}
