//! The use cases, one file each. `policy::authorize` is asked before anything is done or told: by the use case, or by
//! the store under the session's lock when the use case is one change of a session.

mod admit;
mod assign_agent;
mod block_person;
mod check_attachments;
mod close_deactivated;
mod close_session;
mod close_sockets;
mod collect_orphans;
mod create_session;
mod deactivate_agent;
mod download_attachment;
mod find_people;
mod get_message;
mod get_messages;
mod get_session;
mod get_stats;
mod get_thumbnail;
mod issue_socket_ticket;
mod issue_ticket;
mod list_agents;
mod list_inbox;
mod list_sessions;
mod mark_delivered;
mod mark_read;
mod mark_read_up_to;
mod migrate_attachments;
mod open_inbox;
mod open_socket;
mod person_sockets;
mod present_agents;
mod put_agent;
mod redeem_ticket;
mod refresh_revocations;
mod remove_upload;
mod report_presence;
mod require_access;
mod revocations;
mod send_message;
mod send_typing;
mod set_availability;
mod sign_out_person;
mod store_file;
mod subscribe_session;
mod sweep_revocations;
mod transfer_session;
mod unblock_person;
mod update_session;
mod upload_attachment;

use std::sync::Arc;
use std::time::Duration;

pub use check_attachments::{AttachmentCheck, CheckedAttachments, Finding};
pub use collect_orphans::{Collected, OrphanCollector, OrphanWaits, Removal, Round};
pub use create_session::CreateSession;
pub use download_attachment::Download;
pub use list_agents::{AgentList, ListedAgent};
pub use list_inbox::InboxRequest;
pub use mark_read::ReadMessages;
pub use migrate_attachments::{AttachmentMigration, FileMigration, MigrationBatch};
pub use open_inbox::OpenedInbox;
pub use open_socket::PersonalSocket;
pub use present_agents::PRESENCE_REFRESHED_EVERY;
pub use send_message::{MessageContent, SendMessage};
pub use subscribe_session::{AccessState, SessionSubscription, SubscribeFrom, SubscribeOptions};

use person_sockets::PersonSockets;
use present_agents::PresentAgents;
use revocations::Revocations;

use crate::error::{ChatError, Resource, Result};
use crate::model::{ChatSession, SessionId, SocketLimits, UploadQuota};
use crate::ports::{
    AgentDirectory, AttachmentStore, Clock, EventLog, IdGenerator, InboxFeed, MessageRepository, Notifier,
    PeopleDirectory, PresenceStore, RevocationStore, SessionFeed, SessionRepository, SocketRegistry, StatsReader,
    ThumbnailMaker, ThumbnailStore, TicketStore, UploadRegistry,
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
    pub people: Arc<dyn PeopleDirectory>,
    pub presence: Arc<dyn PresenceStore>,
    pub revocations: Arc<dyn RevocationStore>,
    pub uploads: Arc<dyn UploadRegistry>,
    pub attachments: Arc<dyn AttachmentStore>,
    pub thumbnails: Arc<dyn ThumbnailStore>,
    pub thumbnail_maker: Arc<dyn ThumbnailMaker>,
    pub notifier: Arc<dyn Notifier>,
    pub feed: Arc<dyn SessionFeed>,
    pub inboxes: Arc<dyn InboxFeed>,
    pub sockets: Arc<dyn SocketRegistry>,
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
    /// What a person may have uploaded and not sent.
    pub upload_quota: UploadQuota,
    /// How many sockets a person may have open.
    pub sockets: SocketLimits,
    /// How many sessions a customer may have open; `None` for any number.
    pub max_open_sessions: Option<u32>,
    /// Whether a customer chooses the priority of the sessions that they open. If not, it is the default.
    pub accepts_customer_priority: bool,
    /// How long a token lives at most: so long a sign-out is remembered.
    pub max_token_lifetime: Duration,
}

impl Rules {
    /// The most files a message has, unless an operator sets another number.
    pub const MAX_FILES: usize = 10;
    /// The most bytes a file has, unless an operator sets another number.
    pub const MAX_FILE_BYTES: u64 = 25 * 1024 * 1024;
    /// The most bytes all files of a message have together, unless an operator sets another number.
    pub const MAX_MESSAGE_BYTES: u64 = 50 * 1024 * 1024;
    /// The most files that a person may have uploaded and not sent.
    pub const MAX_UNSENT_FILES: u64 = 500;
    /// The most bytes that a person may have uploaded and not sent, unless an operator sets another number.
    pub const MAX_UNSENT_BYTES: u64 = 200 * 1024 * 1024;
    /// How many sessions a customer may have open, unless an operator sets another number.
    pub const MAX_OPEN_SESSIONS: u32 = 20;
    /// How long a token lives at most, unless an operator sets another time.
    pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_hours(365 * 24);
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            agent_autoregister: true,
            max_files: Self::MAX_FILES,
            max_file_bytes: Self::MAX_FILE_BYTES,
            max_message_bytes: Self::MAX_MESSAGE_BYTES,
            upload_quota: UploadQuota { files: Self::MAX_UNSENT_FILES, bytes: Self::MAX_UNSENT_BYTES },
            sockets: SocketLimits::default(),
            max_open_sessions: Some(Self::MAX_OPEN_SESSIONS),
            accepts_customer_priority: true,
            max_token_lifetime: Self::MAX_TOKEN_LIFETIME,
        }
    }
}

/// The use cases of a support chat. Cloning them is cheap.
#[derive(Clone)]
pub struct ChatService {
    ports: Arc<Ports>,
    /// Shared, since each socket has a service of its own.
    rules: Arc<Rules>,
    person_sockets: Arc<PersonSockets>,
    present_agents: Arc<PresentAgents>,
    revocations: Arc<Revocations>,
}

impl ChatService {
    /// Puts the use cases on top of the given adapters.
    pub fn new(ports: Ports, rules: Rules) -> Self {
        Self {
            ports: Arc::new(ports),
            rules: Arc::new(rules),
            person_sockets: Arc::default(),
            present_agents: Arc::default(),
            revocations: Arc::default(),
        }
    }

    /// What the operator decided.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    async fn session(&self, id: SessionId) -> Result<ChatSession> {
        self.ports.sessions.find(id).await?.ok_or(ChatError::NotFound(Resource::Session))
    }
}
