//! Rows of `chat_sessions`.

use chat_domain::inbox::settled_activity;
use chat_domain::model::{AgentId, ChatSession, Idempotency, SessionStatus, Subject, Timestamp, UserId};
use chat_sql::{SessionRecord, opened_with_to_json, tags_to_json};
use diesel::prelude::*;

use super::progress::ProgressColumns;
use crate::error::Failure;
use crate::schema::chat_sessions;
use crate::values::{DbId, DbPriority, DbStatus, StoredStatus};

/// A session as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_sessions, check_for_backend(diesel::sqlite::Sqlite))]
pub(crate) struct SessionRow {
    id: DbId,
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
    user_delivered_seq: i64,
    support_delivered_seq: i64,
    user_read_seq: i64,
    support_read_seq: i64,
    last_event_at: i64,
    opened_with: Option<String>,
    last_message: Option<String>,
    last_activity_at: Option<i64>,
}

impl TryFrom<SessionRow> for ChatSession {
    type Error = Failure;

    fn try_from(row: SessionRow) -> Result<Self, Failure> {
        let record = SessionRecord {
            id: row.id.0,
            status: row.status.0,
            priority: row.priority.0,
            user_id: row.user_id,
            agent_id: row.agent_id,
            subject: row.subject,
            tags: row.tags,
            started_at: row.started_at,
            ended_at: row.ended_at,
            last_seq: row.last_seq,
            message_count: row.message_count,
            waiting_since: row.waiting_since,
            unread_by_user: row.unread_by_user,
            unread_by_support: row.unread_by_support,
            user_delivered_seq: row.user_delivered_seq,
            support_delivered_seq: row.support_delivered_seq,
            user_read_seq: row.user_read_seq,
            support_read_seq: row.support_read_seq,
            last_event_at: row.last_event_at,
            opened_with: row.opened_with,
            last_message: row.last_message,
            last_activity_at: row.last_activity_at,
        };
        Ok(Self::try_from(record)?)
    }
}

/// The stage of life of a session.
fn status_of(session: &ChatSession) -> SessionStatus {
    if session.is_active() { SessionStatus::Active } else { SessionStatus::Closed }
}

/// A session that was just opened.
#[derive(Insertable)]
#[diesel(table_name = chat_sessions, treat_none_as_default_value = false)]
pub(crate) struct NewSessionRow<'a> {
    id: DbId,
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
            id: session.id.into(),
            user_id: session.owner.as_str(),
            agent_id: session.agent().map(AgentId::as_str),
            status: DbStatus(status_of(session)),
            priority: DbPriority(session.priority),
            subject: session.subject.as_ref().map(Subject::as_str),
            tags: tags_to_json(&session.tags),
            started_at: session.started_at.unix_ms(),
            ended_at: session.ended_at().map(Timestamp::unix_ms),
            progress: ProgressColumns::new(session),
            created_by: creator.as_str(),
            idempotency_key: idempotency.map(|idempotency| idempotency.key.as_str()),
            fingerprint: idempotency.map(|idempotency| idempotency.fingerprint.as_bytes().as_slice()),
        }
    }
}

/// What an assignment, a transfer or a close moves: indexed columns, so they are left alone otherwise.
#[derive(AsChangeset)]
#[diesel(table_name = chat_sessions, treat_none_as_null = true)]
pub(crate) struct StateUpdate<'a> {
    agent_id: Option<&'a str>,
    status: DbStatus,
    ended_at: Option<i64>,
    settled_at: Option<i64>,
}

impl<'a> StateUpdate<'a> {
    pub(crate) fn new(session: &'a ChatSession) -> Self {
        Self {
            agent_id: session.agent().map(AgentId::as_str),
            status: DbStatus(status_of(session)),
            ended_at: session.ended_at().map(Timestamp::unix_ms),
            settled_at: settled_activity(session).map(Timestamp::unix_ms),
        }
    }
}

/// What a change of what a session is about writes.
#[derive(AsChangeset)]
#[diesel(table_name = chat_sessions, treat_none_as_null = true)]
pub(crate) struct DetailsRow<'a> {
    priority: DbPriority,
    subject: Option<&'a str>,
    tags: String,
    opened_with: Option<String>,
}

impl<'a> DetailsRow<'a> {
    pub(crate) fn new(session: &'a ChatSession) -> Self {
        Self {
            priority: DbPriority(session.priority),
            subject: session.subject.as_ref().map(Subject::as_str),
            tags: tags_to_json(&session.tags),
            opened_with: opened_with_to_json(session),
        }
    }
}
