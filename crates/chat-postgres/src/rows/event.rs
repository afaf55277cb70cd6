//! Rows of `chat_session_events`.

use chat_domain::model::{ChatSession, SessionEvent};
use chat_sql::{EventRecord, decode_event};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_session_events;

/// An event as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_session_events, check_for_backend(diesel::pg::Pg))]
pub(crate) struct EventRow {
    seq: i64,
    kind: String,
    actor: String,
    at: i64,
    data: String,
}

impl EventRow {
    /// The event as it was published. `session` is the session at any later time.
    pub(crate) fn into_event(self, session: &ChatSession) -> Result<SessionEvent, Failure> {
        let Self { seq, kind, actor, at, data } = self;
        Ok(decode_event(&EventRecord { seq, kind, actor, at, data }, session)?)
    }
}
