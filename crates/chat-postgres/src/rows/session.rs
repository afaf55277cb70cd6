//! Rows of `chat_sessions`.

use chat_domain::model::{
    AgentId, ChatSession, Idempotency, Progress, SessionId, StatusFilter, Subject, Timestamp, UserId,
};
use chat_sql::{
    from_db, last_event_from_db, moment_from_db, seq_from_db, state_from_db, tags_from_json, tags_to_json, valid,
};
use diesel::prelude::*;
use uuid::Uuid;

use super::progress::ProgressColumns;
use crate::error::Failure;
use crate::schema::chat_sessions;
use crate::values::{DbPriority, DbStatus, StoredStatus};

/// A session as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_sessions, check_for_backend(diesel::pg::Pg))]
pub(crate) struct SessionRow {
    id: Uuid,
    user_id: String,
    agent_id: Option<String>,
    status: StoredStatus,
    priority: DbPriority,
    subject: Option<String>,
    tags: String,
    started_at: i64,
    ended_at: Option<i64>,
    last_seq: i64,
    message_count: i64,
    waiting_since: Option<i64>,
    unread_by_user: i64,
    unread_by_support: i64,
    delivered_to_user: i64,
    delivered_to_support: i64,
    read_to_user: i64,
    read_to_support: i64,
    last_event_at: i64,
}

impl TryFrom<SessionRow> for ChatSession {
    type Error = Failure;

    fn try_from(row: SessionRow) -> Result<Self, Failure> {
        let agent = row.agent_id.map(|id| valid("chat_sessions.agent_id", AgentId::parse(&id))).transpose()?;
        let started_at = Timestamp::from_unix_ms(row.started_at);
        let last_event_at = last_event_from_db(row.last_event_at, row.started_at, row.waiting_since, row.ended_at);
        let state = state_from_db(row.status.0, agent, row.ended_at, last_event_at)?;
        let subject = match &row.subject {
            Some(subject) => valid("chat_sessions.subject", Subject::parse(subject))?,
            None => None,
        };
        Ok(Self {
            id: SessionId::new(row.id),
            owner: valid("chat_sessions.user_id", UserId::parse(&row.user_id))?,
            subject,
            priority: row.priority.0,
            tags: tags_from_json("chat_sessions.tags", &row.tags)?,
            started_at,
            state,
            progress: Progress {
                last_seq: seq_from_db("chat_sessions.last_seq", row.last_seq)?,
                last_event_at,
                message_count: from_db("chat_sessions.message_count", row.message_count)?,
                waiting_since: moment_from_db(row.waiting_since),
                unread_by_user: from_db("chat_sessions.unread_by_user", row.unread_by_user)?,
                unread_by_support: from_db("chat_sessions.unread_by_support", row.unread_by_support)?,
                delivered_to_user: seq_from_db("chat_sessions.delivered_to_user", row.delivered_to_user)?,
                delivered_to_support: seq_from_db("chat_sessions.delivered_to_support", row.delivered_to_support)?,
                read_to_user: seq_from_db("chat_sessions.read_to_user", row.read_to_user)?,
                read_to_support: seq_from_db("chat_sessions.read_to_support", row.read_to_support)?,
            },
        })
    }
}

/// The stage of life of a session.
pub(crate) fn status_of(session: &ChatSession) -> StatusFilter {
    if session.is_active() { StatusFilter::Active } else { StatusFilter::Closed }
}

/// A session that was just opened.
#[derive(Insertable)]
#[diesel(table_name = chat_sessions, treat_none_as_default_value = false)]
pub(crate) struct NewSessionRow<'a> {
    id: Uuid,
    user_id: &'a str,
    agent_id: Option<&'a str>,
    status: DbStatus,
    priority: DbPriority,
    subject: Option<&'a str>,
    tags: String,
    started_at: i64,
    ended_at: Option<i64>,
    #[diesel(embed)]
    progress: ProgressColumns,
    created_by: &'a str,
    idempotency_key: Option<&'a str>,
    fingerprint: Option<&'a [u8]>,
}

impl<'a> NewSessionRow<'a> {
    pub(crate) fn new(session: &'a ChatSession, creator: &'a UserId, idempotency: Option<&'a Idempotency>) -> Self {
        Self {
            id: session.id.as_uuid(),
            user_id: session.owner.as_str(),
            agent_id: session.agent().map(AgentId::as_str),
            status: DbStatus(status_of(session)),
            priority: DbPriority(session.priority),
            subject: session.subject.as_ref().map(Subject::as_str),
            tags: tags_to_json(&session.tags),
            started_at: session.started_at.unix_ms(),
            ended_at: session.ended_at().map(Timestamp::unix_ms),
            progress: ProgressColumns::new(&session.progress),
            created_by: creator.as_str(),
            idempotency_key: idempotency.map(|idempotency| idempotency.key.as_str()),
            fingerprint: idempotency.map(|idempotency| idempotency.fingerprint.as_bytes().as_slice()),
        }
    }
}
