//! A batch of writes to sessions is data: load what decides about it, decide each write, persist the effects.
//!
//! This page is the whole way of a write through a SQL store. The decisions are the domain's ([`WriteBatch`]); a database
//! brings how its facts are loaded and its effects persisted ([`SessionStore`]).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use chat_domain::model::{KnownPerson, SessionEvent, SessionId, UserId};
use chat_domain::write::{Effects, Facts, LockSet, SessionWrite, WriteBatch, WriteReply};
use chat_domain::{ChatError, Result};

use crate::people_memory::PeopleMemory;
use crate::write_queue::WriteQueue;
use crate::write_store::{Committed, LockMode, TransactionError, WriteOutcome, WriteStore};

/// The sessions of a database, to one writer.
pub trait SessionStore: Send + 'static {
    /// The connection that writes.
    type Connection: 'static;
    /// What its statements fail with.
    type Failure: 'static;

    /// The weakest mode that the store knows.
    const WEAKEST: LockMode;

    /// Begins a transaction, unless it is optimistic.
    ///
    /// # Errors
    /// Why not.
    fn begin(&mut self, locks: &LockSet<'_>, mode: LockMode) -> Result<(), Self::Failure>;

    /// The connection, for a task inside the transaction.
    ///
    /// # Errors
    /// It is gone.
    fn connection(&mut self) -> Result<&mut Self::Connection, Self::Failure>;

    /// Loads the facts that decide about the writes, and locks the sessions as `mode` says.
    ///
    /// # Errors
    /// What the statements fail with.
    fn load(&mut self, writes: &[&SessionWrite], locks: &LockSet<'_>, mode: LockMode) -> Result<Facts, Self::Failure>;

    /// What the node remembers of people.
    fn people(&self) -> &Arc<PeopleMemory>;

    /// What the database holds of these people, in one statement; of one of whom it holds nothing that too.
    ///
    /// # Errors
    /// What the statement fails with.
    fn find_people(&mut self, ids: &[UserId]) -> Result<Vec<Arc<KnownPerson>>, Self::Failure>;

    /// Persists the effects and commits. Returns the sessions that an optimistic persist has skipped, since the database
    /// has them in another state than the facts, or an agent who writes in them is deactivated; all of them when there are
    /// people to write.
    ///
    /// # Errors
    /// What the statements fail with.
    fn persist(
        &mut self,
        effects: &Effects,
        locks: &LockSet<'_>,
        mode: LockMode,
    ) -> Result<HashSet<SessionId>, Self::Failure>;

    /// Takes note of the effects that were committed, and returns the events to publish.
    fn committed(&mut self, effects: Effects, skipped: &HashSet<SessionId>) -> Vec<SessionEvent> {
        effects.into_published(skipped).0
    }

    /// What a failure in this mode means for the batch.
    fn transaction_error(&mut self, failure: Self::Failure, mode: LockMode) -> TransactionError;

    /// Ends a failed transaction without effect.
    fn rollback(&mut self);

    /// Called once, after the last transaction.
    fn close(&mut self);
}

type WriterTask<S> =
    Box<dyn FnMut(&mut <S as SessionStore>::Connection) -> Result<(), <S as SessionStore>::Failure> + Send>;

/// What the writer of sessions takes: a write that the domain decides, or a task of the store itself, such as a probe.
#[expect(clippy::large_enum_variant, reason = "nearly all are the large one, and tasks are rare")]
pub enum StoreWrite<S: SessionStore> {
    /// A write to a session.
    Session(SessionWrite),
    /// Statements that run in the transaction before the batch is loaded, so that the facts show what they did.
    Task(WriterTask<S>),
}

/// Makes a [`WriteStore`] of a [`SessionStore`].
pub struct SessionWriter<S>(pub S);

impl<S: SessionStore> WriteStore for SessionWriter<S> {
    type Write = StoreWrite<S>;
    /// `None` for a task.
    type Reply = Option<WriteReply>;
    type Event = SessionEvent;

    fn commit(
        &mut self,
        writes: &mut [&mut StoreWrite<S>],
        mode: LockMode,
    ) -> Result<Committed<Self::Reply, SessionEvent>, TransactionError> {
        let is_plain =
            |write: &&mut StoreWrite<S>| matches!(write, StoreWrite::Session(write) if write.is_plain_message());
        let weakest = if writes.iter().all(is_plain) { S::WEAKEST } else { LockMode::SkipLocked };
        let mode = mode.max(weakest);
        self.run(writes, mode).map_err(|failure| self.0.transaction_error(failure, mode))
    }

    fn rollback(&mut self) {
        self.0.rollback();
    }

    fn close(&mut self) {
        self.0.close();
    }
}

impl<S: SessionStore> SessionWriter<S> {
    fn run(
        &mut self,
        writes: &mut [&mut StoreWrite<S>],
        mode: LockMode,
    ) -> Result<Committed<Option<WriteReply>, SessionEvent>, S::Failure> {
        let Self(store) = self;
        let mut tasks = Vec::new();
        let mut session_writes = Vec::with_capacity(writes.len());
        let order: Vec<bool> = writes.iter().map(|write| matches!(**write, StoreWrite::Task(_))).collect();
        for write in writes.iter_mut() {
            match &mut **write {
                StoreWrite::Session(write) => session_writes.push(&*write),
                StoreWrite::Task(task) => tasks.push(task),
            }
        }
        let locks = LockSet::of(&session_writes);
        store.begin(&locks, mode)?;
        for task in tasks {
            task(store.connection()?)?;
        }

        let mut facts = store.load(&session_writes, &locks, mode)?;
        let asked_at = Instant::now();
        let (remembered, unknown) = store.people().recall(facts.people_needed(&session_writes), asked_at);
        let read = if unknown.is_empty() { Vec::new() } else { store.find_people(&unknown)? };
        remembered.into_iter().chain(read.iter().cloned()).for_each(|person| facts.add_person(person));
        let mut batch = WriteBatch::new(facts);
        let decide = |write: &&SessionWrite| (!batch.is_blocked(write)).then(|| batch.decide(write));
        let decided: Vec<Option<Result<WriteReply>>> = session_writes.iter().map(decide).collect();
        let effects = batch.into_effects();
        let skipped = store.persist(&effects, &locks, mode)?;
        // After the commit alone: what was read may be of this transaction.
        store.people().remember(&read, asked_at);
        if mode != LockMode::Optimistic {
            store.people().remember(effects.people(), Instant::now());
        }
        let events = store.committed(effects, &skipped);

        let mut decided = session_writes.into_iter().zip(decided);
        let mut outcome = |is_task: bool| {
            if is_task {
                return WriteOutcome::Decided(Ok(None));
            }
            match decided.next() {
                Some((write, Some(Ok(_)))) if write.session_id().is_some_and(|id| skipped.contains(&id)) => {
                    WriteOutcome::Skipped
                }
                Some((_, Some(outcome))) => WriteOutcome::Decided(outcome.map(Some)),
                Some((_, None)) | None => WriteOutcome::Skipped,
            }
        };
        let outcomes = order.into_iter().map(&mut outcome).collect();
        Ok(Committed { mode, outcomes, events })
    }
}

impl<S: SessionStore> WriteQueue<SessionWriter<S>> {
    /// Submits a write to a session; see [`WriteQueue::submit`].
    ///
    /// # Errors
    /// As [`WriteQueue::submit`].
    pub async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        let reply = self.submit(StoreWrite::Session(write)).await?;
        reply.ok_or_else(|| ChatError::internal("a write to a session got the reply to a task"))
    }

    /// Runs statements in a transaction of the writer. `work` may run more than once, each time in a new transaction.
    ///
    /// # Errors
    /// What `work` fails with, besides the errors of [`WriteQueue::submit`].
    pub async fn run<R, F>(&self, mut work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut S::Connection) -> Result<R, S::Failure> + Send + 'static,
    {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let task = move |connection: &mut S::Connection| {
            let done = work(connection)?;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            Ok(())
        };
        self.submit(StoreWrite::Task(Box::new(task))).await?;
        let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or_else(|| ChatError::internal("a task of the writer has left no result"))
    }
}
