//! One subscription of a socket that has many.

use std::sync::Arc;
use std::task::Waker;

use chat_domain::Result;
use chat_domain::model::SessionId;
use chat_domain::service::{SessionSubscription, SubscribeFrom};
use futures_util::future::LocalBoxFuture;

use crate::socket::live_subscription::LiveSubscription;
use crate::socket::ready_set::ReadyMark;

/// A subscription and where it stands.
pub(super) struct SubscriptionEntry {
    pub(super) state: EntryState,
    pub(super) session: SessionId,
    /// Where the client wants to start; needed again if it is opened again.
    pub(super) from: SubscribeFrom,
    /// Of the frames that wait to be written.
    pub(super) tag: u32,
    pub(super) mark: Arc<ReadyMark>,
    /// Whether it is among those that wait for their turn.
    pub(super) has_turn: bool,
    /// Whether it is among those whose right is to be checked.
    pub(super) wants_check: bool,
}

/// How far a subscription has come.
#[expect(clippy::large_enum_variant, reason = "nearly all subscriptions are live at most times")]
pub(super) enum EntryState {
    /// It was asked for.
    Waiting,
    /// The stores are asked for it.
    Opening(LocalBoxFuture<'static, Result<SessionSubscription>>),
    /// Its events are sent.
    Live(LiveSubscription),
}

impl SubscriptionEntry {
    /// What wakes it from now on. To be called before it is polled.
    pub(super) fn take_mark(&self) -> Waker {
        self.mark.clear();
        Waker::from(Arc::clone(&self.mark))
    }

    pub(super) fn live(&mut self) -> Option<&mut LiveSubscription> {
        match &mut self.state {
            EntryState::Live(live) => Some(live),
            EntryState::Waiting | EntryState::Opening(_) => None,
        }
    }

    pub(super) fn is_being_checked(&self) -> bool {
        matches!(&self.state, EntryState::Live(live) if live.is_being_checked())
    }

    pub(super) fn is_recording(&self) -> bool {
        matches!(&self.state, EntryState::Live(live) if live.is_recording())
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.state, EntryState::Opening(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_subscription_is_small() {
        // Besides it there are its stream and its queue, at most 600 bytes, its mark, and its places in the hub and the
        // registry: together less than 1.5 KiB.
        assert!(size_of::<SubscriptionEntry>() + size_of::<ReadyMark>() <= 700, "{}", size_of::<SubscriptionEntry>());
    }
}
