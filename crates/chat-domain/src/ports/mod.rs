//! What the domain needs from the outside, one trait per need. A trait's documentation is its contract; every MUST in
//! it is a case of the contract suite that each adapter passes.
//!
//! One port method is one transaction. With the feature `mock`, every port has a mock named `Mock` + port.

mod agent_directory;
mod attachment_store;
mod clock;
mod event_log;
mod health;
mod id_generator;
mod inbox_feed;
mod inbox_reader;
mod message_form;
mod message_repository;
mod notifier;
mod orphan_registry;
mod people_directory;
mod presence_store;
mod revocation_store;
mod session_feed;
mod session_repository;
mod signing_key_store;
mod socket_registry;
mod stats_reader;
mod store_ownership;
mod thumbnail_maker;
mod thumbnail_store;
mod ticket_store;
mod upload_registry;

pub use agent_directory::AgentDirectory;
pub use attachment_store::{AttachmentStore, ByteSource, Upload};
pub use clock::Clock;
pub use event_log::{EventLog, LogLimit, LogPage, MAX_HEADS};
pub use health::HealthProbe;
pub use id_generator::IdGenerator;
pub use inbox_feed::{InboxFeed, InboxStream, InboxUpdate};
pub use inbox_reader::{InboxReader, MAX_ENDED, MAX_FOUND};
pub use message_form::{IncomingFile, MessageField, MessageForm};
pub use message_repository::{AttachmentLookup, MessageLookup, MessageRepository};
pub use notifier::Notifier;
pub use orphan_registry::{Marking, OrphanRegistry, OrphanRound};
pub use people_directory::{MAX_PEOPLE_AGE, PeopleDirectory};
pub use presence_store::PresenceStore;
pub use revocation_store::RevocationStore;
pub use session_feed::{
    EventStream, Replay, ReplayFallback, SessionFeed, SharedEvent, StartPosition, StreamCloseReason, StreamItem,
    SubscribeOutcome, SubscribeRequest, Subscription,
};
pub use session_repository::SessionRepository;
pub use signing_key_store::SigningKeyStore;
pub use socket_registry::{SocketCloser, SocketRegistry};
pub use stats_reader::StatsReader;
pub use store_ownership::StoreOwnership;
pub use thumbnail_maker::ThumbnailMaker;
pub use thumbnail_store::ThumbnailStore;
pub use ticket_store::TicketStore;
pub use upload_registry::UploadRegistry;

#[cfg(feature = "mock")]
pub use {
    agent_directory::MockAgentDirectory, attachment_store::MockAttachmentStore, attachment_store::MockByteSource,
    clock::MockClock, event_log::MockEventLog, health::MockHealthProbe, id_generator::MockIdGenerator,
    inbox_feed::MockInboxFeed, inbox_reader::MockInboxReader, message_form::MockMessageForm,
    message_repository::MockMessageRepository, notifier::MockNotifier, orphan_registry::MockOrphanRegistry,
    orphan_registry::MockOrphanRound, people_directory::MockPeopleDirectory, presence_store::MockPresenceStore,
    revocation_store::MockRevocationStore, session_feed::MockEventStream, session_feed::MockSessionFeed,
    session_repository::MockSessionRepository, signing_key_store::MockSigningKeyStore,
    socket_registry::MockSocketCloser, socket_registry::MockSocketRegistry, stats_reader::MockStatsReader,
    store_ownership::MockStoreOwnership, thumbnail_maker::MockThumbnailMaker, thumbnail_store::MockThumbnailStore,
    ticket_store::MockTicketStore, upload_registry::MockUploadRegistry,
};
