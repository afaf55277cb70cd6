//! What the domain needs from the outside, one trait per need. A trait's documentation is its contract; every MUST in
//! it is a case of the contract suite that each adapter passes.
//!
//! One port method is one transaction. With the feature `mock`, every port has a mock named `Mock` + port.

mod agent_directory;
mod attachment_store;
mod clock;
mod connection_registry;
mod event_log;
mod event_sink;
mod health;
mod id_generator;
mod message_repository;
mod notifier;
mod orphan_registry;
mod session_feed;
mod session_repository;
mod stats_reader;
mod store_ownership;
mod ticket_store;

pub use agent_directory::AgentDirectory;
pub use attachment_store::{AttachmentStore, ByteSource, Upload};
pub use clock::Clock;
pub use connection_registry::ConnectionRegistry;
pub use event_log::{EventLog, LogLimit, LogPage, MAX_HEADS};
pub use event_sink::{EventSink, Missed};
pub use health::HealthProbe;
pub use id_generator::IdGenerator;
pub use message_repository::{Appended, AttachmentRecord, MessageRepository};
pub use notifier::Notifier;
pub use orphan_registry::{Marking, OrphanRegistry, OrphanRound};
pub use session_feed::{End, EventStream, Follow, Following, Heard, Opening, Otherwise, Replay, SessionFeed, Start};
pub use session_repository::{Opened, SessionRepository};
pub use stats_reader::StatsReader;
pub use store_ownership::StoreOwnership;
pub use ticket_store::TicketStore;

#[cfg(feature = "mock")]
pub use {
    agent_directory::MockAgentDirectory, attachment_store::MockAttachmentStore, attachment_store::MockByteSource,
    clock::MockClock, connection_registry::MockConnectionRegistry, event_log::MockEventLog, event_sink::MockEventSink,
    health::MockHealthProbe, id_generator::MockIdGenerator, message_repository::MockMessageRepository,
    notifier::MockNotifier, orphan_registry::MockOrphanRegistry, orphan_registry::MockOrphanRound,
    session_feed::MockEventStream, session_feed::MockSessionFeed, session_repository::MockSessionRepository,
    stats_reader::MockStatsReader, store_ownership::MockStoreOwnership, ticket_store::MockTicketStore,
};
