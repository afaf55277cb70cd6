//! Rows as plain values, whichever database they come from, and what they mean to the domain.
//!
//! An adapter's row knows the types of its driver and becomes one of these by name; that a column holds what the domain
//! allows is checked here, once for all databases.

use chat_domain::model::{
    Agent, AgentId, Attachment, AttachmentId, ChatMessage, ChatSession, Color, Content, Delivery, DisplayName,
    FileName, LastMessage, LatestActivity, MediaMetadata, MediaType, MessageId, Party, Priority, Progress, Revocation,
    RevocationVersion, SessionId, SessionStatus, StoredObject, Subject, Timestamp, UserId,
};
use chat_domain::write::KnownMessage;
use uuid::Uuid;

use crate::Corrupt;
use crate::details::opened_with_from_json;
use crate::last_message::{activity_from_db, last_message_from_text};
use crate::presence::agent_status_from_db;
use crate::values::{from_db, last_event_from_db, moment_from_db, seq_from_db, state_from_db, tags_from_json, valid};

/// A row of `chat_sessions`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct SessionRecord {
    pub id: Uuid,
    pub user_id: String,
    pub agent_id: Option<String>,
    /// `None` when only a newer version knows it.
    pub status: Option<SessionStatus>,
    pub priority: Priority,
    pub subject: Option<String>,
    pub tags: String,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub last_seq: i64,
    pub message_count: i64,
    pub waiting_since: Option<i64>,
    pub unread_by_user: i64,
    pub unread_by_support: i64,
    pub user_delivered_seq: i64,
    pub support_delivered_seq: i64,
    pub user_read_seq: i64,
    pub support_read_seq: i64,
    pub last_event_at: i64,
    pub opened_with: Option<String>,
    pub last_message: Option<String>,
    pub last_activity_at: Option<i64>,
}

impl TryFrom<SessionRecord> for ChatSession {
    type Error = Corrupt;

    fn try_from(row: SessionRecord) -> Result<Self, Corrupt> {
        let agent = row.agent_id.map(|id| valid("chat_sessions.agent_id", AgentId::parse(&id))).transpose()?;
        let last_event_at = last_event_from_db(row.last_event_at, row.started_at, row.waiting_since, row.ended_at);
        let state = state_from_db(row.status, agent, row.ended_at, last_event_at)?;
        let subject = match &row.subject {
            Some(subject) => valid("chat_sessions.subject", Subject::parse(subject))?,
            None => None,
        };
        let latest = LatestActivity {
            activity_at: activity_from_db(row.last_activity_at, row.started_at, &state),
            message: last_message_from_text(row.last_message.as_deref()),
        };
        Ok(Self {
            id: SessionId::new(row.id),
            owner: valid("chat_sessions.user_id", UserId::parse(&row.user_id))?,
            subject,
            priority: row.priority,
            tags: tags_from_json("chat_sessions.tags", &row.tags)?,
            started_at: Timestamp::from_unix_ms(row.started_at),
            state,
            opened_with: opened_with_from_json(row.opened_with.as_deref())?,
            progress: Progress {
                last_seq: seq_from_db("chat_sessions.last_seq", row.last_seq)?,
                last_event_at,
                message_count: from_db("chat_sessions.message_count", row.message_count)?,
                waiting_since: moment_from_db(row.waiting_since),
                unread_by_user: from_db("chat_sessions.unread_by_user", row.unread_by_user)?,
                unread_by_support: from_db("chat_sessions.unread_by_support", row.unread_by_support)?,
                user_delivered_seq: seq_from_db("chat_sessions.user_delivered_seq", row.user_delivered_seq)?,
                support_delivered_seq: seq_from_db("chat_sessions.support_delivered_seq", row.support_delivered_seq)?,
                user_read_seq: seq_from_db("chat_sessions.user_read_seq", row.user_read_seq)?,
                support_read_seq: seq_from_db("chat_sessions.support_read_seq", row.support_read_seq)?,
            },
            latest,
        })
    }
}

/// A row of `chat_messages`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct MessageRecord {
    pub seq: i64,
    pub id: Uuid,
    pub author_id: String,
    pub sender: Party,
    pub content: String,
    pub created_at: i64,
    pub delivered_at: Option<i64>,
    pub read_at: Option<i64>,
}

impl MessageRecord {
    /// The message of a session, with its files.
    ///
    /// # Errors
    /// A column holds what the domain does not allow.
    pub fn into_message(self, session_id: SessionId, attachments: Vec<Attachment>) -> Result<ChatMessage, Corrupt> {
        Ok(ChatMessage {
            id: MessageId::new(self.id),
            session_id,
            seq: seq_from_db("chat_messages.seq", self.seq)?,
            author: valid("chat_messages.author_id", UserId::parse(&self.author_id))?,
            sender: self.sender,
            content: Content::from_store(self.content),
            sent_at: Timestamp::from_unix_ms(self.created_at),
            delivery: Delivery::from_moments(moment_from_db(self.delivered_at), moment_from_db(self.read_at)),
            attachments,
        })
    }
}

/// Shows the newest message of a session, which another version has stored.
///
/// # Errors
/// A column of the message holds what the domain does not allow.
pub fn show_newest(session: &mut ChatSession, newest: MessageRecord, files: i32) -> Result<(), Corrupt> {
    let message = newest.into_message(session.id, Vec::new())?;
    let number = session.progress.message_count;
    let attachment_count = u64::try_from(files).unwrap_or_default();
    let last = LastMessage { attachment_count, ..LastMessage::of(&message, number) };
    *session = session.clone().with_last_message(last);
    Ok(())
}

/// A message as a receipt needs it: position, id, sender, and when it was delivered and read.
///
/// # Errors
/// The position is none.
pub fn known_message(
    (seq, id, sender, delivered_at, read_at): (i64, Uuid, Party, Option<i64>, Option<i64>),
) -> Result<KnownMessage, Corrupt> {
    Ok(KnownMessage {
        id: MessageId::new(id),
        seq: seq_from_db("chat_messages.seq", seq)?,
        sender,
        is_delivered: delivered_at.is_some(),
        is_read: read_at.is_some(),
    })
}

/// A row of `chat_attachments`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct AttachmentRecord {
    pub id: Uuid,
    pub name: String,
    pub media_type: String,
    pub size: i64,
    pub sha256: Vec<u8>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub duration: Option<f64>,
    pub dominant_color: Option<i32>,
}

impl TryFrom<AttachmentRecord> for Attachment {
    type Error = Corrupt;

    fn try_from(row: AttachmentRecord) -> Result<Self, Corrupt> {
        let corrupt = |column, problem| Corrupt { column, problem };
        let pixels = |column, pixels: Option<i64>| {
            pixels.map(u32::try_from).transpose().map_err(|_| corrupt(column, "is no number of pixels"))
        };
        let media_type = MediaType::parse(&row.media_type)
            .ok_or_else(|| corrupt("chat_attachments.media_type", "is no media type"))?;
        let sha256 =
            <[u8; 32]>::try_from(row.sha256).map_err(|_| corrupt("chat_attachments.sha256", "has not 32 bytes"))?;
        Ok(Self {
            id: AttachmentId::new(row.id),
            name: FileName::sanitize(&row.name),
            object: StoredObject {
                size: from_db("chat_attachments.size", row.size)?,
                sha256,
                media_type,
                metadata: MediaMetadata {
                    width: pixels("chat_attachments.width", row.width)?,
                    height: pixels("chat_attachments.height", row.height)?,
                    duration: row.duration,
                },
            },
            // Decoration: of what is none, a page shows none.
            dominant_color: row.dominant_color.and_then(|color| Color::from_number(u32::try_from(color).ok()?)),
        })
    }
}

/// A row of `chat_agents`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct AgentRecord {
    pub id: String,
    pub display_name: Option<String>,
    pub active: bool,
    pub created_at: i64,
    pub status: Option<String>,
}

impl TryFrom<AgentRecord> for Agent {
    type Error = Corrupt;

    fn try_from(row: AgentRecord) -> Result<Self, Corrupt> {
        let name = row.display_name.map(|name| valid("chat_agents.display_name", DisplayName::parse(&name)));
        Ok(Self {
            id: valid("chat_agents.id", AgentId::parse(&row.id))?,
            display_name: name.transpose()?,
            active: row.active,
            status: agent_status_from_db(row.status.as_deref()),
            created_at: Timestamp::from_unix_ms(row.created_at),
        })
    }
}

/// A row of `chat_revocations`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the columns")]
pub struct RevocationRecord {
    pub person_id: String,
    pub signed_out_at: Option<i64>,
    pub is_blocked: bool,
    pub version: i64,
}

impl TryFrom<RevocationRecord> for Revocation {
    type Error = Corrupt;

    fn try_from(row: RevocationRecord) -> Result<Self, Corrupt> {
        Ok(Self {
            person: valid("chat_revocations.person_id", UserId::parse(&row.person_id))?,
            signed_out_at: moment_from_db(row.signed_out_at),
            is_blocked: row.is_blocked,
            version: RevocationVersion::new(from_db("chat_revocations.version", row.version)?),
        })
    }
}
