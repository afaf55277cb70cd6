//! The unit of work: what the members of one batch share inside their transaction.
//!
//! A session is read once per batch and written back once, at the end, however many messages it got; the counters
//! likewise. Rows that are only ever added (messages, events) are inserted at once, each by the same prepared statement:
//! inside one process that costs no round trip, and whatever reads after it in the same batch finds it.

use std::collections::HashMap;
use std::mem;

use chat_domain::Result as DomainResult;
use chat_domain::model::{Change, ChatSession, SessionEvent, SessionId, StatisticsDelta, Timestamp, UserId};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::connection;
use crate::counters::{self, SessionCounts};
use crate::error::Failure;
use crate::get_session;
use crate::group_commit::Transaction;
use crate::rows::{NewEvent, SaveProgress, StateUpdate};
use crate::schema::{chat_session_events, chat_sessions};
use crate::values::DbId;

/// The connection that writes, and what the current batch has read and changed.
pub(crate) struct UnitOfWork {
    pub(crate) connection: SqliteConnection,
    /// What the current batch adds to the statistics.
    pub(crate) statistics: StatisticsDelta,
    held: HashMap<SessionId, Held>,
    counts: SessionCounts,
    events: Vec<SessionEvent>,
}

/// A session as the batch has left it so far.
struct Held {
    session: ChatSession,
    unsaved: Unsaved,
}

/// What of a session the row does not have yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unsaved {
    Nothing,
    Progress,
    StateAndProgress,
}

impl UnitOfWork {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            statistics: StatisticsDelta::default(),
            held: HashMap::new(),
            counts: SessionCounts::default(),
            events: Vec::new(),
        }
    }

    /// The session as it is at this point of the batch.
    pub(crate) fn session(&mut self, id: SessionId) -> Result<Option<ChatSession>, Failure> {
        if let Some(held) = self.held.get(&id) {
            return Ok(Some(held.session.clone()));
        }
        let session = get_session::find(&mut self.connection, id)?;
        if let Some(session) = &session {
            self.held.insert(id, Held { session: session.clone(), unsaved: Unsaved::Nothing });
        }
        Ok(session)
    }

    /// Takes over a session whose row has just been inserted, with the event that opened it.
    pub(crate) fn opened(&mut self, session: &ChatSession, actor: UserId) -> Result<(), Failure> {
        self.log(event(session, session.started_at, actor, Change::Opened(session.clone())))?;
        self.counts.add(session);
        self.statistics.opened += 1;
        self.held.insert(session.id, Held { session: session.clone(), unsaved: Unsaved::Nothing });
        Ok(())
    }

    /// Takes over a session after a change, with the event that tells of it. The last step of a member: whatever may
    /// refuse comes before.
    pub(crate) fn changed(
        &mut self,
        session: ChatSession,
        at: Timestamp,
        actor: UserId,
        change: Change,
    ) -> Result<(), Failure> {
        self.log(event(&session, at, actor, change))?;
        let before = self.held.remove(&session.id);
        let mut unsaved = before.as_ref().map_or(Unsaved::Nothing, |held| held.unsaved).max(Unsaved::Progress);
        if let Some(before) = before
            && before.session.state != session.state
        {
            self.counts.remove(&before.session);
            self.counts.add(&session);
            unsaved = Unsaved::StateAndProgress;
        }
        self.held.insert(session.id, Held { session, unsaved });
        Ok(())
    }

    fn log(&mut self, event: SessionEvent) -> Result<(), Failure> {
        if let Some(row) = NewEvent::new(&event)? {
            diesel::insert_into(chat_session_events::table).values(row).execute(&mut self.connection)?;
        }
        self.events.push(event);
        Ok(())
    }

    /// Writes what was kept back until the end of the batch.
    fn flush(&mut self) -> QueryResult<()> {
        for held in self.held.values() {
            if held.unsaved == Unsaved::Nothing {
                continue;
            }
            if held.unsaved == Unsaved::StateAndProgress {
                let row = chat_sessions::table.find(DbId::from(held.session.id));
                diesel::update(row).set(StateUpdate::new(&held.session)).execute(&mut self.connection)?;
            }
            if SaveProgress::of(&held.session).execute(&mut self.connection)? != 1 {
                return Err(diesel::result::Error::NotFound);
            }
        }
        self.counts.flush(&mut self.connection)?;
        counters::add_statistics(&mut self.connection, &self.statistics)
    }

    fn forget(&mut self) {
        self.held.clear();
        self.counts.clear();
        self.events.clear();
        self.statistics = StatisticsDelta::default();
    }
}

fn event(session: &ChatSession, at: Timestamp, actor: UserId, change: Change) -> SessionEvent {
    SessionEvent { session_id: session.id, seq: session.progress.last_seq, at, actor, change }
}

/// Transactions are driven by plain statements and not by diesel's transaction manager: SQLite ends a transaction by
/// itself after some errors (a full disk, for one), and the manager then takes the connection for broken for good.
impl Transaction for UnitOfWork {
    type Event = SessionEvent;

    fn begin(&mut self) -> DomainResult<()> {
        // IMMEDIATE takes the write lock now, where waiting for another process is possible, and not at the first write.
        self.connection.batch_execute("BEGIN IMMEDIATE").map_err(|error| Failure::from(error).into())
    }

    fn commit(&mut self) -> DomainResult<Vec<SessionEvent>> {
        self.flush().and_then(|()| self.connection.batch_execute("COMMIT")).map_err(Failure::from)?;
        let events = mem::take(&mut self.events);
        self.forget();
        Ok(events)
    }

    fn rollback(&mut self) {
        // An error means that SQLite has already rolled back by itself.
        let _no_transaction = self.connection.batch_execute("ROLLBACK");
        self.forget();
    }

    fn close(&mut self) {
        if let Err(error) = connection::checkpoint(&mut self.connection) {
            tracing::warn!(error = %error, "could not checkpoint the write-ahead log; the next start reads it back");
        }
    }
}
