//! The ports kept in memory, to the letter of their documentation. Tests of everything above the stores run on these,
//! and the contract suites hold them to the same cases as the real stores.

mod agent_directory;
mod attachment_store;
mod event_log;
mod health_probe;
mod message_repository;
mod orphan_registry;
mod people_directory;
mod presence_store;
mod revocation_store;
mod session_repository;
mod signing_key_store;
mod socket_registry;
mod stats_reader;
mod ticket_store;
mod upload_registry;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

pub use attachment_store::MemoryAttachmentStore;
use chat_domain::model::{
    Agent, AgentId, AttachmentId, ChatMessage, ChatSession, Epoch, Fingerprint, IdempotencyKey, MessageId,
    PersonClaims, Revocation, SessionEvent, SessionId, Statistics, StatisticsDelta, UnsentUpload, UserId,
};
use chat_domain::ports::Notifier;
use orphan_registry::Orphans;
pub use socket_registry::MemorySockets;
pub use ticket_store::MemoryTicketStore;

/// The only history that a store in memory has.
const EPOCH: &str = "in-memory";

/// All stores of the chat over one locked state: a method is a transaction because it holds the lock from its first
/// read to its last write, and events are in order because they are published before the lock is given up.
pub struct MemoryStore {
    state: Mutex<MemoryState>,
    notifier: Arc<dyn Notifier>,
    epoch: Mutex<Epoch>,
    /// Held by a round of collecting.
    round: Arc<tokio::sync::Mutex<()>>,
    this: Weak<Self>,
}

impl MemoryStore {
    /// An empty store that publishes its changes to `notifier`.
    pub fn new(notifier: Arc<dyn Notifier>) -> Arc<Self> {
        let epoch = Epoch::parse(EPOCH).expect("the epoch is valid");
        let made = |this: &Weak<Self>| Self {
            state: Mutex::default(),
            notifier,
            epoch: Mutex::new(epoch),
            round: Arc::default(),
            this: Weak::clone(this),
        };
        Arc::new_cyclic(made)
    }

    /// Begins another history, as an operator does who has restored a backup. The rows stay.
    pub fn rotate_epoch(&self) {
        let mut epoch = self.epoch.lock().expect("no method panics while it holds the lock");
        *epoch = Epoch::parse(&format!("{}-", epoch.as_str())).expect("the epoch is valid");
    }

    /// The history that it has now.
    fn current_epoch(&self) -> Epoch {
        self.epoch.lock().expect("no method panics while it holds the lock").clone()
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().expect("no method panics while it holds the lock")
    }
}

#[derive(Default)]
struct MemoryState {
    sessions: BTreeMap<SessionId, MemorySession>,
    /// What was opened under which key, per creator.
    session_keys: HashMap<(UserId, IdempotencyKey), (Fingerprint, SessionId)>,
    attachments: HashMap<AttachmentId, (SessionId, MessageId)>,
    uploads: BTreeMap<AttachmentId, UnsentUpload>,
    agents: BTreeMap<AgentId, Agent>,
    people: HashMap<UserId, PersonClaims>,
    /// When they were seen, and how much longer ago that was.
    presence: HashMap<AgentId, (Instant, Duration)>,
    revocations: HashMap<UserId, Revocation>,
    statistics: Statistics,
    orphans: Orphans,
}

struct MemorySession {
    session: ChatSession,
    /// In order.
    messages: Vec<ChatMessage>,
    /// All durable changes; the one at position `n` is the `n`th.
    events: Vec<SessionEvent>,
    /// What was sent under which key, per author.
    message_keys: HashMap<(UserId, IdempotencyKey), (Fingerprint, MessageId)>,
}

impl MemoryState {
    fn count(&mut self, delta: StatisticsDelta) {
        let figures = &mut self.statistics;
        figures.total_sessions += delta.opened;
        figures.active_sessions = figures.active_sessions + delta.opened - delta.closed;
        figures.messages += delta.messages;
        figures.responses += delta.responses;
        figures.response_time_ms += delta.response_time_ms;
    }
}

impl MemorySession {
    fn new(session: ChatSession) -> Self {
        Self { session, messages: Vec::new(), events: Vec::new(), message_keys: HashMap::new() }
    }

    fn message(&self, id: MessageId) -> Option<&ChatMessage> {
        self.messages.iter().find(|message| message.id == id)
    }
}
