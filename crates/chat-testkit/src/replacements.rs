//! A sink that records which sockets were replaced.

use std::collections::BTreeSet;

use chat_domain::model::{SessionId, SocketId};
use chat_domain::ports::SocketCloser;
use tokio::sync::watch;

/// Records which sockets of a node were replaced, and in which sessions. A second call for a socket changes nothing, as for
/// every sink.
#[derive(Debug, Default)]
pub struct Replacements(watch::Sender<BTreeSet<(SessionId, SocketId)>>);

impl Replacements {
    /// A sink without calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sockets so far.
    pub fn all(&self) -> BTreeSet<(SessionId, SocketId)> {
        self.0.borrow().clone()
    }

    /// Waits until this socket is replaced.
    pub async fn replaced(&self, session: SessionId, socket: SocketId) {
        let mut all = self.0.subscribe();
        all.wait_for(|all| all.contains(&(session, socket))).await.expect("the sender is ours");
    }
}

impl SocketCloser for Replacements {
    fn close_replaced(&self, session: SessionId, socket: SocketId) {
        self.0.send_modify(|all| {
            all.insert((session, socket));
        });
    }
}
