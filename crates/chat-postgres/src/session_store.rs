//! The sessions of the database to one writer: a transaction, the facts of a batch, its effects.
//!
//! A batch costs as many round trips as a single write: each statement takes all of its sessions, keys or messages.
//!
//! A batch of nothing but messages without files is optimistic. It is decided on the sessions that the writer remembers
//! (others are read without a lock), and the one statement that persists it moves a session only from the position and
//! the state that it was remembered in. What does not hold any more is skipped, and decided again with locks: a session
//! that another node has changed, an agent who was deactivated. **A repeated idempotency key is not looked for here**: its
//! message violates the unique index on keys, the whole batch fails, and is decided again with locks, where the keys are
//! looked up. Repeated keys are rare, and looking for them would cost every message a round trip.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use chat_domain::model::{ChatSession, KnownPerson, SessionEvent, SessionId, UserId};
use chat_domain::write::{Effects, Facts, LockSet, SessionWrite};
use chat_sql::{LockMode, PeopleMemory, SessionStore, TransactionError};
use uuid::Uuid;

use crate::collect_orphans::HOLD_FILES;
use crate::error::{Failure, is_lost};
use crate::writing_connection::WritingConnection;
use crate::{get_session, load, people, persist};

/// One writer's connection, and the sessions that it has written last.
pub(crate) struct PgSessionStore {
    connection: WritingConnection,
    remembered: lru::LruCache<SessionId, Arc<ChatSession>>,
    /// The number of the connection over which the remembered sessions were read and written.
    remembered_over: u64,
    people: Arc<PeopleMemory>,
}

impl PgSessionStore {
    /// A store that remembers at most so many sessions.
    pub(crate) fn new(connection: WritingConnection, session_cache: usize, people: Arc<PeopleMemory>) -> Self {
        let capacity = NonZeroUsize::new(session_cache).unwrap_or(NonZeroUsize::MIN);
        // Grows as it is filled: room for all of them would be taken by idle nodes too.
        let mut remembered = lru::LruCache::unbounded();
        remembered.resize(capacity);
        Self { connection, remembered, remembered_over: 0, people }
    }

    /// The sessions of an optimistic batch: those that the writer remembers, and the others as they are stored.
    fn load_optimistic(&mut self, locks: &LockSet<'_>) -> Result<Facts, Failure> {
        let connection = self.connection.get()?;
        let mut facts = Facts::default();
        let mut missing: Vec<Uuid> = Vec::new();
        for id in &locks.sessions {
            match self.remembered.get(id) {
                Some(session) => facts.add_session(Arc::clone(session)),
                None => missing.push(id.as_uuid()),
            }
        }
        if !missing.is_empty() {
            for session in get_session::find_many(connection, &missing)? {
                facts.add_session(session);
            }
        }
        Ok(facts)
    }

    /// What was known over an earlier connection may not be so any more: a standby that has taken over may lack the last
    /// commits.
    fn forget_earlier_connections(&mut self) -> Result<(), Failure> {
        self.connection.get()?;
        if self.remembered_over != self.connection.made() {
            self.remembered.clear();
            self.people.clear();
            self.remembered_over = self.connection.made();
        }
        Ok(())
    }

    /// Runs what begins a batch. Nothing has been written yet, so a connection that turns out to be lost is replaced.
    fn reconnecting<R>(&mut self, mut begin: impl FnMut(&mut Self) -> Result<R, Failure>) -> Result<R, Failure> {
        match begin(self) {
            Err(Failure::Database(error)) if is_lost(&error) => {
                self.connection.drop_lost(&Failure::from(error).into());
                begin(self)
            }
            begun => begun,
        }
    }
}

impl SessionStore for PgSessionStore {
    type Connection = WritingConnection;
    type Failure = Failure;

    const WEAKEST: LockMode = LockMode::Optimistic;

    fn begin(&mut self, locks: &LockSet<'_>, mode: LockMode) -> Result<(), Failure> {
        let mut begin = match mode {
            LockMode::Optimistic => return Ok(()),
            LockMode::SkipLocked => self.connection.begin_with_lock_timeout(),
            LockMode::Wait => "BEGIN".to_owned(),
        };
        if !locks.files.is_empty() {
            begin = format!("{begin}; {HOLD_FILES}");
        }
        self.reconnecting(|store| {
            store.forget_earlier_connections()?;
            store.connection.begin(&begin)
        })
    }

    fn connection(&mut self) -> Result<&mut WritingConnection, Failure> {
        Ok(&mut self.connection)
    }

    fn load(&mut self, writes: &[&SessionWrite], locks: &LockSet<'_>, mode: LockMode) -> Result<Facts, Failure> {
        if mode == LockMode::Optimistic {
            return self.reconnecting(|store| {
                store.forget_earlier_connections()?;
                store.load_optimistic(locks)
            });
        }
        load::facts(self.connection.get()?, writes, locks, mode)
    }

    fn people(&self) -> &Arc<PeopleMemory> {
        &self.people
    }

    fn find_people(&mut self, ids: &[UserId]) -> Result<Vec<Arc<KnownPerson>>, Failure> {
        people::find(self.connection.get()?, ids)
    }

    fn persist(
        &mut self,
        effects: &Effects,
        locks: &LockSet<'_>,
        mode: LockMode,
    ) -> Result<HashSet<SessionId>, Failure> {
        let writer = self.connection.slot();
        let connection = self.connection.get()?;
        if mode == LockMode::Optimistic {
            return persist::optimistic(connection, writer, effects, locks);
        }
        persist::effects(connection, writer, effects)?;
        self.connection.commit()?;
        Ok(HashSet::new())
    }

    /// Remembers the sessions as the batch leaves them.
    fn committed(&mut self, effects: Effects, skipped: &HashSet<SessionId>) -> Vec<SessionEvent> {
        let (events, sessions) = effects.into_published(skipped);
        for session in sessions {
            // A closed session takes no more messages.
            if session.is_active() && !skipped.contains(&session.id) {
                self.remembered.put(session.id, session);
            } else {
                self.remembered.pop(&session.id);
            }
        }
        events
    }

    fn transaction_error(&mut self, failure: Failure, mode: LockMode) -> TransactionError {
        match self.connection.transaction_error(failure) {
            // What fails without locks may succeed with them: a key that was used before, for one.
            TransactionError::Failed(error) if mode == LockMode::Optimistic => {
                TransactionError::SerializationConflict(error)
            }
            error => error,
        }
    }

    fn rollback(&mut self) {
        self.connection.rollback();
    }

    fn close(&mut self) {
        self.connection.close();
    }
}
