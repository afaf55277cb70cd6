//! The ports kept in memory, to the letter of their documentation. Tests of everything above the stores run on these,
//! and the contract suites hold them to the same cases as the real stores.

mod agent_directory;
mod attachment_store;
mod connection_registry;
mod event_log;
mod health_probe;
mod message_repository;
mod orphan_registry;
mod session_repository;
mod stats_reader;
mod ticket_store;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

pub use attachment_store::MemoryAttachmentStore;
use chat_domain::error::{Refusal, Resource};
use chat_domain::model::{
    Agent, AgentId, AttachmentId, Change, ChatMessage, ChatSession, Epoch, Fingerprint, IdempotencyKey, LiveEvent,
    MessageId, Principal, SessionEvent, SessionId, Statistics, StatisticsDelta, UserId,
};
use chat_domain::ports::Notifier;
use chat_domain::{ChatError, Result};
pub use connection_registry::MemoryConnections;
use orphan_registry::Orphans;
pub use ticket_store::FewTickets;

/// The only history that a store in memory has.
const EPOCH: &str = "in-memory";

/// All stores of the chat over one locked state: a method is a transaction because it holds the lock from its first
/// read to its last write, and events are in order because they are published before the lock is given up.
pub struct MemoryStore {
    state: Mutex<State>,
    notifier: Arc<dyn Notifier>,
    epoch: Epoch,
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
            epoch,
            round: Arc::default(),
            this: Weak::clone(this),
        };
        Arc::new_cyclic(made)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no method panics while it holds the lock")
    }
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<SessionId, SessionRecord>,
    /// What was opened under which key, per creator.
    session_keys: HashMap<(UserId, IdempotencyKey), (Fingerprint, SessionId)>,
    attachments: HashMap<AttachmentId, (SessionId, MessageId)>,
    agents: BTreeMap<AgentId, Agent>,
    statistics: Statistics,
    orphans: Orphans,
}

struct SessionRecord {
    session: ChatSession,
    /// In order.
    messages: Vec<ChatMessage>,
    /// All durable changes; the one at position `n` is the `n`th.
    events: Vec<SessionEvent>,
    /// What was sent under which key, per author.
    message_keys: HashMap<(UserId, IdempotencyKey), (Fingerprint, MessageId)>,
}

impl State {
    fn session(&mut self, id: SessionId) -> Result<&mut SessionRecord> {
        self.sessions.get_mut(&id).ok_or(ChatError::NotFound(Resource::Session))
    }

    /// Refuses an agent who is deactivated.
    fn require_active(&self, who: &Principal) -> Result<()> {
        let agent = who.agent().and_then(|id| self.agents.get(&id));
        if agent.is_some_and(|agent| !agent.active) { Err(Refusal::AgentDeactivated.into()) } else { Ok(()) }
    }

    fn count(&mut self, delta: StatisticsDelta) {
        let figures = &mut self.statistics;
        figures.total_sessions += delta.opened;
        figures.active_sessions = figures.active_sessions + delta.opened - delta.closed;
        figures.messages += delta.messages;
        figures.responses += delta.responses;
        figures.response_time_ms += delta.response_time_ms;
    }
}

impl SessionRecord {
    fn new(session: ChatSession) -> Self {
        Self { session, messages: Vec::new(), events: Vec::new(), message_keys: HashMap::new() }
    }

    fn message(&self, id: MessageId) -> Option<&ChatMessage> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// Takes over the session after a change and writes the change down at its position.
    fn commit(&mut self, session: ChatSession, actor: UserId, change: Change) -> LiveEvent {
        self.commit_keyed(session, actor, None, change)
    }

    /// The same for a change that its actor gave a key.
    fn commit_keyed(
        &mut self,
        session: ChatSession,
        actor: UserId,
        key: Option<IdempotencyKey>,
        change: Change,
    ) -> LiveEvent {
        let (seq, at) = (session.progress.last_seq, session.progress.last_event_at);
        let event = SessionEvent { session_id: session.id, seq, at, actor, key, change };
        self.session = session;
        self.events.push(event.clone());
        LiveEvent::Durable(event)
    }
}
