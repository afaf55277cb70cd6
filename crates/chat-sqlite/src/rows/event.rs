//! Rows of `chat_session_events`.

use chat_domain::model::{ChatSession, SessionEvent};
use chat_sql::{EventRecord, decode_event, encode_event, to_db};
use diesel::prelude::*;

use crate::error::Failure;
use crate::schema::chat_session_events;
use crate::values::DbId;

/// An event as it is read.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = chat_session_events, check_for_backend(diesel::sqlite::Sqlite))]
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

/// An event that just happened.
#[derive(Insertable)]
#[diesel(table_name = chat_session_events, treat_none_as_default_value = false)]
pub(crate) struct NewEvent<'a> {
    session_id: DbId,
    seq: i64,
    kind: &'static str,
    actor: &'a str,
    at: i64,
    data: String,
}

impl<'a> NewEvent<'a> {
    /// The row of an event; `None` for a message, whose own row is its event.
    pub(crate) fn new(event: &'a SessionEvent) -> Result<Option<Self>, Failure> {
        let Some((kind, data)) = encode_event(event)? else { return Ok(None) };
        Ok(Some(Self {
            session_id: event.session_id.into(),
            seq: to_db(event.seq.get()),
            kind,
            actor: event.actor.as_str(),
            at: event.at.unix_ms(),
            data,
        }))
    }
}
