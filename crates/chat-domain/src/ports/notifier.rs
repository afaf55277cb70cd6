//! How those who watch a session hear of what happens.

use crate::model::LiveEvent;

/// Spreads events to everyone who watches their session, on this node and others.
///
/// It may lose events: whoever watches finds a gap by its `seq` and reads the log. So it MUST return at once and
/// cannot fail.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Notifier: Send + Sync {
    /// Spreads an event. Durable events of one session come in `seq` order.
    fn publish(&self, event: LiveEvent);
}
