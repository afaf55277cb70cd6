//! A sink that remembers which connections were replaced.

use std::collections::BTreeSet;

use chat_domain::model::{ConnectionId, LiveEvent, SessionId};
use chat_domain::ports::{EventSink, Missed};
use tokio::sync::watch;

/// Remembers which connections of a node were replaced, and in which sessions. Being told twice is being told once, as
/// for every sink.
#[derive(Debug, Default)]
pub struct Replacements(watch::Sender<BTreeSet<(SessionId, ConnectionId)>>);

impl Replacements {
    /// A sink that was told of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What it was told so far.
    pub fn all(&self) -> BTreeSet<(SessionId, ConnectionId)> {
        self.0.borrow().clone()
    }

    /// Waits until it is told that this one was replaced.
    pub async fn told(&self, session: SessionId, connection: ConnectionId) {
        let mut all = self.0.subscribe();
        all.wait_for(|all| all.contains(&(session, connection))).await.expect("the sender is ours");
    }
}

impl EventSink for Replacements {
    fn deliver(&self, _: LiveEvent) {}
    fn missed(&self, _: Missed) {}
    fn heard(&self, _: bool) {}
    fn replaced(&self, session: SessionId, connection: ConnectionId) {
        self.0.send_modify(|all| {
            all.insert((session, connection));
        });
    }
}
