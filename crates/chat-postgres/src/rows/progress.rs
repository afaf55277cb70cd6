//! The counters of a session: the columns that every durable change moves.

use chat_domain::model::{ChatSession, Timestamp};
use chat_sql::{last_message_to_text, to_db};
use diesel::prelude::*;

use crate::schema::chat_sessions;

/// The columns of `Progress` and `LatestActivity`.
#[derive(Insertable)]
#[diesel(table_name = chat_sessions, treat_none_as_default_value = false)]
pub(crate) struct ProgressColumns {
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
    last_message: Option<String>,
    last_activity_at: Option<i64>,
    queue_place: Option<i64>,
}

impl ProgressColumns {
    pub(super) fn new(session: &ChatSession) -> Self {
        let progress = &session.progress;
        Self {
            last_seq: to_db(progress.last_seq.get()),
            message_count: to_db(progress.message_count),
            waiting_since: progress.waiting_since.map(Timestamp::unix_ms),
            unread_by_user: to_db(progress.unread_by_user),
            unread_by_support: to_db(progress.unread_by_support),
            user_delivered_seq: to_db(progress.user_delivered_seq.get()),
            support_delivered_seq: to_db(progress.support_delivered_seq.get()),
            user_read_seq: to_db(progress.user_read_seq.get()),
            support_read_seq: to_db(progress.support_read_seq.get()),
            last_event_at: progress.last_event_at.unix_ms(),
            last_message: last_message_to_text(session),
            last_activity_at: Some(session.latest.activity_at.unix_ms()),
            queue_place: session.queue_place(),
        }
    }
}
