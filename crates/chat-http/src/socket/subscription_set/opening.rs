//! Opening subscriptions: a few at a time, so that a client that subscribes to a hundred sessions at once does not take the
//! readers of the database from everyone else.

use chat_domain::ChatError;
use chat_domain::error::Refusal;
use chat_domain::ports::ReplayFallback;
use chat_domain::service::{SessionSubscription, SubscribeOptions};
use tokio::time::Instant;

use super::SubscriptionSet;
use super::entry::{EntryState, SubscriptionEntry};
use crate::error::ApiError;
use crate::socket::close_reason::SocketCloseReason;
use crate::socket::connection::SocketConnection;
use crate::socket::jobs::in_time;
use crate::socket::live_subscription::LiveSubscription;
use crate::socket_protocol::{CloseCode, ServerFrame};

/// How many subscriptions of a socket are opened at a time.
const AT_A_TIME: usize = 4;

impl SubscriptionSet {
    /// Opens the next ones of those that wait.
    pub(super) fn start_openings(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut running = self.entries.iter().filter(|(_, entry)| entry.is_opening()).count();
        while running < AT_A_TIME
            && let Some(place) = self.waiting.pop_front()
        {
            let Some(entry) = self.entries.get_mut(place) else { continue };
            if matches!(entry.state, EntryState::Waiting) {
                let options = SubscribeOptions { from: Ok(entry.from.clone()), fallback: ReplayFallback::StartNow };
                let opening = self.person.subscribe(entry.session, options);
                entry.state = EntryState::Opening(Box::pin(in_time(opening)));
                self.woken.push(place);
                running += 1;
            }
        }
    }

    /// Opens those again that are being opened: the right was looked at for a role that the person has no more.
    pub(super) fn restart_openings(&mut self) {
        for (place, entry) in &mut self.entries {
            if entry.is_opening() {
                entry.state = EntryState::Waiting;
                self.waiting.push_front(place);
            }
        }
        self.start_openings();
    }

    /// Takes the outcome: from here on the events of the session are sent, or the client hears why not.
    pub(super) fn on_opened(
        &mut self,
        place: usize,
        outcome: Result<SessionSubscription, ChatError>,
        connection: &mut SocketConnection,
        now: Instant,
    ) -> Result<(), SocketCloseReason> {
        let Some(entry) = self.entries.get_mut(place) else { return Ok(()) };
        match outcome {
            Ok(subscription) => {
                tracing::debug!(
                    session.id = %entry.session, socket.id = %self.person.socket_id(), "subscription opened"
                );
                let frame = ServerFrame::subscribed(subscription.session_id(), subscription.outcome());
                connection.send_frame_of(entry.tag, &frame, now);
                let mut live =
                    LiveSubscription::new(subscription, connection.mode, &connection.app, now).with_tag(entry.tag);
                // A newer token may have come meanwhile.
                live.set_viewer(self.person.shared_viewer());
                entry.state = EntryState::Live(live);
                self.woken.push(place);
                Ok(())
            }
            Err(error) => {
                let reason = refusal(&error);
                self.has_warned |= log_failure(entry, error, self.has_warned);
                self.end(place, reason, connection, now)
            }
        }
    }
}

/// Why a subscription is not opened, as it would end for the same.
fn refusal(error: &ChatError) -> SocketCloseReason {
    match error {
        ChatError::SignedOut => SocketCloseReason::SignedOut,
        ChatError::Forbidden(Refusal::Blocked) => SocketCloseReason::Blocked,
        ChatError::Forbidden(Refusal::AgentDeactivated) => SocketCloseReason::AgentDeactivated,
        ChatError::Forbidden(Refusal::NotAllowed(_)) => CloseCode::AccessLost.into(),
        ChatError::NotFound(_) => CloseCode::Gone.into(),
        ChatError::Unavailable { .. } | ChatError::LimitReached(_) => CloseCode::Overloaded.into(),
        ChatError::Invalid(_)
        | ChatError::Conflict(_)
        | ChatError::VersionMismatch { .. }
        | ChatError::ReplayUnavailable(_)
        | ChatError::StorageFull
        | ChatError::DamagedFile
        | ChatError::Internal(_) => CloseCode::Internal.into(),
    }
}

/// Logs why a subscription was not opened: a fault once for each socket, since a hundred may fail for one cause. Returns
/// whether it was a fault.
fn log_failure(entry: &SubscriptionEntry, error: ChatError, has_warned: bool) -> bool {
    let error = ApiError::from(error);
    let (session, code) = (entry.session, error.code().as_str());
    if error.is_fault() && !has_warned {
        tracing::warn!(session.id = %session, error.code = code, error.cause = error.cause(), "subscription failed");
    } else {
        tracing::debug!(session.id = %session, error.code = code, error.cause = error.cause(), "subscription refused");
    }
    error.is_fault()
}
