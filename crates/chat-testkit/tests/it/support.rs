//! The in-memory stores as the suites want them.

use std::sync::Arc;

use chat_testkit::contract::nodes::Nodes;
use chat_testkit::contract::{AttachmentStoreUnderTest, StoreUnderTest};
use chat_testkit::{FixedClock, MemoryAttachmentStore, MemoryStore, RecordingNotifier};

pub(crate) async fn make_store() -> StoreUnderTest {
    let notifier = Arc::new(RecordingNotifier::new());
    let store = MemoryStore::new(notifier.clone());
    StoreUnderTest {
        sessions: store.clone(),
        messages: store.clone(),
        events: store.clone(),
        stats: store.clone(),
        agents: store,
        notifier,
        guard: Box::new(()),
    }
}

/// What is in the memory of a process belongs to that process: its nodes are handles.
pub(crate) async fn make_nodes() -> Nodes {
    Nodes::handles_of(make_store().await)
}

pub(crate) async fn make_attachment_store() -> AttachmentStoreUnderTest {
    let clock = Arc::new(FixedClock::new());
    AttachmentStoreUnderTest { store: MemoryAttachmentStore::new(clock), guard: Box::new(()) }
}
