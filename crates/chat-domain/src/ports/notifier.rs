//! How events reach the sockets of a session.

use crate::model::LiveEvent;

/// Publishes events to all sockets of their session, on this node and others.
///
/// It may lose events: a stream finds a gap by `seq` and reads the log. So publishing MUST return at once and cannot
/// fail.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Notifier: Send + Sync {
    /// Publishes an event. Durable events of one session come in `seq` order.
    fn publish(&self, event: LiveEvent);
}
