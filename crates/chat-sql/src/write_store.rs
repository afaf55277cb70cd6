//! What a writer needs of a database: to run some writes in one transaction.

use chat_domain::{ChatError, Result};

/// A database to which one writer writes.
pub trait WriteStore: Send + 'static {
    /// A write, as data.
    type Write: Send + 'static;
    /// What a write returns.
    type Reply: Send + 'static;
    /// What is published once a transaction is committed.
    type Event;

    /// Decides the writes in their order and commits what they change, all in one transaction. A write that is refused
    /// changes nothing, and does not concern the others.
    ///
    /// # Errors
    /// Why nothing is committed, as far as is known. The writer calls [`rollback`](Self::rollback) then.
    fn commit(
        &mut self,
        writes: &mut [&mut Self::Write],
        mode: LockMode,
    ) -> Result<Committed<Self::Reply, Self::Event>, TransactionError>;

    /// Ends a transaction that has failed, or in which a write panicked, without effect.
    fn rollback(&mut self);

    /// Called once, after the last transaction.
    fn close(&mut self);
}

/// What the decisions of a transaction stand on, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// On what the store remembers, without locks. The commit checks that it still holds, and skips the writes for which
    /// it does not. A refusal cannot be checked in this way, so the writer has it decided again with locks.
    Optimistic,
    /// On rows that are locked until the commit. Writes for which another transaction holds a lock are skipped, so that
    /// they delay no other write.
    SkipLocked,
    /// The same, but a lock that another transaction holds is waited for, for at most a tenth of a second.
    Wait,
}

/// What a transaction has committed.
#[derive(Debug)]
pub struct Committed<R, E> {
    /// The mode that was used, which may be a stronger one than the mode that was asked for.
    pub mode: LockMode,
    /// What became of each write, in their order.
    pub outcomes: Vec<WriteOutcome<R>>,
    /// What to publish, in order.
    pub events: Vec<E>,
}

/// What became of a write in a transaction that was committed.
#[derive(Debug)]
pub enum WriteOutcome<R> {
    /// It was decided: it took place, or was refused.
    Decided(Result<R>),
    /// It did not take place: the store remembered something else than the database has, or another transaction holds a
    /// lock.
    Skipped,
}

/// Why a transaction did not take place.
#[derive(Debug)]
pub enum TransactionError {
    /// It conflicts with another transaction. If it is run again, it should succeed.
    SerializationConflict(ChatError),
    /// One of its writes fails. The others may succeed, each in a transaction of its own.
    Failed(ChatError),
    /// The database cannot be reached. Whether the transaction took place may be unknown.
    ConnectionLost(ChatError),
}
