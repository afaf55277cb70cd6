//! The unit of work: what the members of one batch share inside their transaction.
//!
//! A session is read once per batch and written back once, at the end, however many messages it got; the counters
//! likewise. Rows that are only ever added (messages, events) are inserted at once, each by the same prepared statement:
//! inside one process that costs no round trip, and whatever reads after it in the same batch finds it.

use std::collections::HashMap;

use chat_domain::error::Refusal;
use chat_domain::model::{
    AgentId, Change, ChatMessage, ChatSession, IdempotencyKey, Principal, SessionEvent, SessionId, StatisticsDelta,
    UserId,
};
use chat_sql::{Batch, Committed, Footing, Transaction, Trouble, Unsaved};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::agent_directory;
use crate::connection;
use crate::counters;
use crate::error::Failure;
use crate::get_session;
use crate::rows::{NewEvent, SaveProgress, StateUpdate};
use crate::schema::{chat_session_events, chat_sessions};
use crate::values::DbId;

/// The connection that writes, and what the current batch has read and changed.
pub(crate) struct UnitOfWork {
    pub(crate) connection: SqliteConnection,
    batch: Batch,
    /// Whether an agent who writes in this batch is deactivated, once that was looked up.
    deactivated: HashMap<AgentId, bool>,
}

impl UnitOfWork {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self { connection, batch: Batch::default(), deactivated: HashMap::new() }
    }

    /// Refuses an agent who is deactivated at this point of the batch.
    ///
    /// # Errors
    /// `Forbidden(AgentDeactivated)`.
    pub(crate) fn require_active(&mut self, who: &Principal) -> Result<(), Failure> {
        let Some(agent) = who.agent() else { return Ok(()) };
        let is_deactivated = if let Some(known) = self.deactivated.get(&agent) {
            *known
        } else {
            let found = agent_directory::find(&mut self.connection, &agent)?;
            let is_deactivated = found.is_some_and(|agent| !agent.active);
            self.deactivated.insert(agent, is_deactivated);
            is_deactivated
        };
        if is_deactivated { Err(Refusal::AgentDeactivated.into()) } else { Ok(()) }
    }

    /// Notes that the row of an agent is about to change.
    pub(crate) fn agent_changes(&mut self, agent: &AgentId) {
        self.deactivated.remove(agent);
    }

    /// The session as it is at this point of the batch.
    pub(crate) fn session(&mut self, id: SessionId) -> Result<Option<ChatSession>, Failure> {
        if let Some(session) = self.batch.session(id) {
            return Ok(Some(session.clone()));
        }
        let session = get_session::find(&mut self.connection, id)?;
        if let Some(session) = &session {
            self.batch.hold(session.clone());
        }
        Ok(session)
    }

    /// Takes over a session whose row has just been inserted, with the event that opened it.
    pub(crate) fn opened(&mut self, session: &ChatSession, actor: UserId) -> Result<(), Failure> {
        let event = self.batch.opened(session, actor);
        log(&mut self.connection, event)
    }

    /// Takes over a session after a change, with the event that tells of it. The last step of a member: whatever may
    /// refuse comes before.
    pub(crate) fn changed(
        &mut self,
        session: ChatSession,
        actor: UserId,
        change: Change,
        statistics: StatisticsDelta,
    ) -> Result<(), Failure> {
        let event = self.batch.changed(session, actor, change, statistics);
        log(&mut self.connection, event)
    }

    /// Takes over a message whose row has just been inserted, with its author's key, and its session after it.
    pub(crate) fn appended(
        &mut self,
        session: ChatSession,
        message: ChatMessage,
        key: Option<IdempotencyKey>,
        statistics: StatisticsDelta,
    ) {
        self.batch.appended(session, message, key, statistics);
    }

    /// Takes over a session of which only a mark has moved that says where to look.
    pub(crate) fn marked(&mut self, session: ChatSession) {
        self.batch.marked(session);
    }

    /// Writes what was kept back until the end of the batch.
    fn flush(&mut self) -> QueryResult<()> {
        for held in self.batch.held() {
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
        counters::flush(&mut self.connection, self.batch.counts())?;
        counters::add_statistics(&mut self.connection, &self.batch.statistics())
    }
}

fn log(connection: &mut SqliteConnection, event: &SessionEvent) -> Result<(), Failure> {
    if let Some(row) = NewEvent::new(event)? {
        diesel::insert_into(chat_session_events::table).values(row).execute(connection)?;
    }
    Ok(())
}

/// Transactions are driven by plain statements and not by diesel's transaction manager: SQLite ends a transaction by
/// itself after some errors (a full disk, for one), and the manager then takes the connection for broken for good.
impl Transaction for UnitOfWork {
    /// Nothing need be said in advance: the one writer has the whole database to itself.
    type Need = ();
    type Event = SessionEvent;

    fn begin(&mut self, _: &[&()], _: Footing) -> Result<Footing, Trouble> {
        // IMMEDIATE takes the write lock now, where waiting for another process is possible, and not at the first write.
        // Without it none of the members can do better alone; each would only wait as long again.
        self.deactivated.clear();
        let begun = self.connection.batch_execute("BEGIN IMMEDIATE");
        begun.map_err(|error| Trouble::Lost(Failure::from(error).into()))?;
        Ok(Footing::Locks)
    }

    fn commit(&mut self) -> Result<Committed<SessionEvent>, Trouble> {
        let committed = self.flush().and_then(|()| self.connection.batch_execute("COMMIT"));
        committed.map_err(|error| Trouble::Failed(Failure::from(error).into()))?;
        let (events, _) = self.batch.finish();
        Ok(Committed { events, partly: false })
    }

    fn left_out(&self, (): &()) -> bool {
        false
    }

    fn rollback(&mut self) {
        // An error means that SQLite has already rolled back by itself.
        let _no_transaction = self.connection.batch_execute("ROLLBACK");
        self.batch.clear();
        self.deactivated.clear();
    }

    fn close(&mut self) {
        if let Err(error) = connection::checkpoint(&mut self.connection) {
            tracing::warn!(error = %error, "could not checkpoint the write-ahead log; the next start reads it back");
        }
    }
}
