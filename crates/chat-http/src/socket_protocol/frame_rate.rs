//! How many frames a client may send, and how many subscriptions a socket has.

/// So many at once.
pub(crate) const FRAME_BURST: u32 = 40;
/// So many a minute.
pub(crate) const FRAMES_PER_MINUTE: u32 = 120;
/// So many that begin or end a subscription at once: a client that connects again begins all of them.
pub(crate) const SUBSCRIPTION_BURST: u32 = 200;
/// So many of these a minute.
pub(crate) const SUBSCRIPTIONS_PER_MINUTE: u32 = 400;
/// The most subscriptions of a socket.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 100;
