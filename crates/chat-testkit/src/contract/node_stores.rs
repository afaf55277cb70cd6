//! The stores of several nodes on one database, and what is checked of all of them.

use std::ops::Deref;
use std::sync::Arc;

use chat_domain::model::{ChatMessage, SessionEvent, SessionId};

use super::StoreUnderTest;
use super::checks::{messages_in, whole_log};

/// At least two nodes on the same data, empty and for one case alone.
pub struct Nodes(pub(super) Vec<StoreUnderTest>);

impl Nodes {
    /// These nodes.
    ///
    /// # Panics
    /// When there is only one.
    pub fn new(nodes: Vec<StoreUnderTest>) -> Self {
        assert!(nodes.len() > 1, "one node is not several");
        Self(nodes)
    }

    /// Two handles of one store, for an adapter whose data belongs to one process.
    pub fn handles_of(store: StoreUnderTest) -> Self {
        let other = StoreUnderTest {
            sessions: Arc::clone(&store.sessions),
            inbox_reader: Arc::clone(&store.inbox_reader),
            messages: Arc::clone(&store.messages),
            events: Arc::clone(&store.events),
            stats: Arc::clone(&store.stats),
            agents: Arc::clone(&store.agents),
            people: Arc::clone(&store.people),
            presence: Arc::clone(&store.presence),
            revocations: Arc::clone(&store.revocations),
            orphans: Arc::clone(&store.orphans),
            uploads: Arc::clone(&store.uploads),
            notifier: Arc::clone(&store.notifier),
            guard: Box::new(()),
        };
        Self::new(vec![other, store])
    }

    /// The node whose turn it is at step `n`.
    pub(super) fn at(&self, n: u64) -> &StoreUnderTest {
        &self.0[usize::try_from(n % self.0.len() as u64).expect("there are few nodes")]
    }

    /// The events of a session that each of the different notifiers got.
    fn published(&self, id: SessionId) -> Vec<Vec<SessionEvent>> {
        let mut notifiers: Vec<_> = self.0.iter().map(|node| &node.notifier).collect();
        notifiers.dedup_by(|one, other| Arc::ptr_eq(one, other));
        notifiers.into_iter().map(|notifier| notifier.changes_of(id)).collect()
    }
}

/// Sets up on the first node.
impl Deref for Nodes {
    type Target = StoreUnderTest;

    fn deref(&self) -> &StoreUnderTest {
        &self.0[0]
    }
}

/// Checks that the log is the same on every node, that each change in it was published by one node, once, and by each node
/// in order, and that it ends where every node says the session is.
pub(super) async fn assert_published_once(nodes: &Nodes, id: SessionId) -> Vec<SessionEvent> {
    let log = whole_log(nodes, id).await;
    for node in &nodes.0 {
        assert_eq!(whole_log(node, id).await, log, "every node reads the same log");
        let last = node.session(id).await.progress.last_seq;
        assert_eq!(log.last().map(|event| event.seq), Some(last), "the log ends at the session's position");
    }
    let published = nodes.published(id);
    for part in &published {
        assert!(part.is_sorted_by(|one, next| one.seq < next.seq), "a node publishes in order");
    }
    let mut published: Vec<SessionEvent> = published.into_iter().flatten().collect();
    published.sort_by_key(|event| event.seq);
    assert_eq!(published, log, "each change is published once, by the node that committed it");
    log
}

/// Checks that a node has published the messages that it answered as its own.
pub(super) fn assert_publisher(node: &StoreUnderTest, answered: &ChatMessage) {
    let published = messages_in(&node.notifier.changes_of(answered.session_id));
    assert!(published.contains(answered), "the node that commits a change publishes it");
}
