//! The use cases, one file each. `policy::authorize` is asked before anything is done or told: by the use case, or by
//! the store under the session's lock when the use case is one change of a session.

mod admit;
mod agent_sockets;
mod assign_agent;
mod check_attachments;
mod close_session;
mod collect_orphans;
mod create_session;
mod deactivate_agent;
mod download_attachment;
mod end_deactivated;
mod get_messages;
mod get_session;
mod get_stats;
mod issue_ticket;
mod list_agents;
mod list_sessions;
mod mark_delivered;
mod mark_read;
mod mark_read_up_to;
mod put_agent;
mod redeem_ticket;
mod send_message;
mod send_typing;
mod transfer_session;
mod watch_session;

use std::sync::Arc;

pub use check_attachments::{AttachmentCheck, Checked, Finding};
pub use collect_orphans::{Collected, OrphanCollector, OrphanWaits, Removal, Round};
pub use create_session::CreateSession;
pub use download_attachment::Download;
pub use send_message::Composition;
pub use watch_session::{Right, SessionWatch, WatchFrom, WatchItem, WatchRequest};

use agent_sockets::AgentSockets;

use crate::error::{ChatError, Resource, Result};
use crate::model::{ChatSession, ConnectionLimits, SessionId};
use crate::ports::{
    AgentDirectory, AttachmentStore, Clock, ConnectionRegistry, EventLog, IdGenerator, MessageRepository, Notifier,
    SessionFeed, SessionRepository, StatsReader, TicketStore,
};

/// Everything the use cases need from the outside.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the port of its type")]
pub struct Ports {
    pub sessions: Arc<dyn SessionRepository>,
    pub messages: Arc<dyn MessageRepository>,
    pub events: Arc<dyn EventLog>,
    pub stats: Arc<dyn StatsReader>,
    pub agents: Arc<dyn AgentDirectory>,
    pub attachments: Arc<dyn AttachmentStore>,
    pub notifier: Arc<dyn Notifier>,
    pub feed: Arc<dyn SessionFeed>,
    pub connections: Arc<dyn ConnectionRegistry>,
    pub tickets: Arc<dyn TicketStore>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
}

/// What an operator decides about the use cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether an agent enters the directory with their first request.
    pub agent_autoregister: bool,
    /// The most files a message has.
    pub max_files: usize,
    /// The most bytes a file has.
    pub max_file_bytes: u64,
    /// The most bytes all files of a message have together.
    pub max_message_bytes: u64,
    /// How many sockets a person may have open.
    pub connections: ConnectionLimits,
}

impl Default for Rules {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            agent_autoregister: true,
            max_files: 10,
            max_file_bytes: 25 * MIB,
            max_message_bytes: 50 * MIB,
            connections: ConnectionLimits::default(),
        }
    }
}

/// The use cases of a support chat. Cloning them is cheap.
#[derive(Clone)]
pub struct ChatService {
    ports: Arc<Ports>,
    rules: Rules,
    agent_sockets: Arc<AgentSockets>,
}

impl ChatService {
    /// Puts the use cases on top of the given adapters.
    pub fn new(ports: Ports, rules: Rules) -> Self {
        Self { ports: Arc::new(ports), rules, agent_sockets: Arc::default() }
    }

    /// What the operator decided.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    async fn session(&self, id: SessionId) -> Result<ChatSession> {
        self.ports.sessions.find(id).await?.ok_or(ChatError::NotFound(Resource::Session))
    }
}
