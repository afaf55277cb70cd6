//! Group commit: one thread takes the writes that wait, runs them in one transaction, commits once and replies to all.
//!
//! There is no timer: a write that comes alone is committed at once, and while one commit is on its way to the disk the
//! next batch gathers. Not here: what a transaction does, which is the store's part ([`WriteStore`]).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use chat_domain::ChatError;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tracing::{Span, error, info, warn};

use crate::pending_write::{PendingWrite, WriterCommand, stopped};
use crate::values::as_f64;
use crate::write_store::{Committed, LockMode, TransactionError, WriteOutcome, WriteStore};

/// How long the writes of a failed batch are tried one by one. The rest then fails with the last error: a table that
/// another transaction has locked delays each of them as long as the first.
const ONE_BY_ONE_FOR: Duration = Duration::from_secs(1);
/// How long a write waits for a lock that other transactions hold.
const BLOCKED_AT_MOST: Duration = Duration::from_millis(2_500);
/// How often a blocked write tries the lock.
const RETRY_EVERY: Duration = Duration::from_millis(5);
/// A retry may always come between two transactions of a node that writes to the session without pause. After this time
/// the write waits in the database's queue for the lock, which delays the writer …
const WAIT_AFTER: Duration = Duration::from_millis(30);
/// … and therefore happens only so often.
const WAIT_EVERY: Duration = Duration::from_millis(500);
/// How often a transaction is run again after a serialization conflict.
const MAX_CONFLICTS: u32 = 5;

/// What the thread owns.
pub(crate) struct Writer<S, P> {
    pub(crate) store: S,
    pub(crate) publish: P,
    pub(crate) metrics: WriterMetrics,
}

pub(crate) struct WriterMetrics {
    pub(crate) waiting: Gauge,
    pub(crate) size: Histogram,
    pub(crate) duration: Histogram,
    pub(crate) retries: Counter,
}

impl WriterMetrics {
    pub(crate) fn new(store: &'static str) -> Self {
        Self {
            waiting: gauge!("chat_writes_waiting", "store" => store),
            size: histogram!("chat_write_batch_size", "store" => store),
            duration: histogram!("chat_write_commit_duration_seconds", "store" => store),
            retries: counter!("chat_write_retries_total", "store" => store),
        }
    }
}

type Batch<S> = Vec<Box<PendingWrite<S>>>;
type Outcomes<S> = Vec<WriteOutcome<<S as WriteStore>::Reply>>;
/// The mode in which a transaction was committed, and what became of its writes.
type WriteAttempt<S> = Result<(LockMode, Outcomes<S>), TransactionError>;

impl<S: WriteStore, P: FnMut(S::Event)> Writer<S, P> {
    pub(crate) fn serve(&mut self, queue: &Receiver<WriterCommand<S>>, max_batch: usize) {
        let mut running = true;
        let mut blocked: Batch<S> = Vec::new();
        let mut last_wait: Option<Instant> = None;
        while running {
            let is_due = blocked.first_mut().is_some_and(|write| write.blocked_for() >= WAIT_AFTER);
            if is_due && last_wait.is_none_or(|last| last.elapsed() >= WAIT_EVERY) {
                blocked = self.commit_waiting(blocked);
                last_wait = Some(Instant::now());
            }
            let first = if blocked.is_empty() {
                queue.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
            } else {
                queue.recv_timeout(RETRY_EVERY)
            };
            let mut batch = match first {
                Ok(WriterCommand::Write(first)) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Ok(WriterCommand::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            };
            while !batch.is_empty() && batch.len() < max_batch {
                match queue.try_recv() {
                    Ok(WriterCommand::Write(next)) => batch.push(next),
                    Ok(WriterCommand::Stop) | Err(TryRecvError::Disconnected) => {
                        running = false;
                        break;
                    }
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.metrics.waiting.decrement(as_f64(batch.len()));
            // A caller who has given up may have sent the request to another node, so the write must not take place.
            batch.retain(|write| write.is_wanted());
            blocked.retain(|write| write.is_wanted());
            // Blocked writes came first. They need locks: what the store remembers does not show that a lock is gone.
            let mode = if blocked.is_empty() { LockMode::Optimistic } else { LockMode::SkipLocked };
            blocked.append(&mut batch);
            self.metrics.size.record(as_f64(blocked.len()));
            let started = Instant::now();
            blocked = batch_span(&blocked).in_scope(|| self.commit(blocked, mode));
            self.metrics.duration.record(started.elapsed());
        }
        fail_all(blocked, &stopped());
        self.store.close();
        info!("stopped a database writer");
    }

    /// Commits the batch; what the optimistic mode refuses or skips is decided again with locks. Returns the writes that
    /// other transactions block, which are to be tried again with the next batch.
    pub(crate) fn commit(&mut self, mut batch: Batch<S>, mode: LockMode) -> Batch<S> {
        match self.attempt(&mut batch, mode) {
            Ok((LockMode::Optimistic, outcomes)) => {
                let mut again = Vec::new();
                for (write, outcome) in batch.into_iter().zip(outcomes) {
                    match outcome {
                        WriteOutcome::Decided(Ok(reply)) => write.finish(Ok(reply)),
                        WriteOutcome::Decided(Err(_)) | WriteOutcome::Skipped => again.push(write),
                    }
                }
                if again.is_empty() { again } else { self.commit_with_locks(again, MAX_CONFLICTS) }
            }
            Ok((LockMode::SkipLocked | LockMode::Wait, outcomes)) => reply(batch, outcomes),
            Err(TransactionError::SerializationConflict(_)) => self.commit_with_locks(batch, MAX_CONFLICTS),
            Err(TransactionError::ConnectionLost(error)) => fail_all(batch, &error),
            Err(TransactionError::Failed(error)) => self.commit_one_by_one(batch, &error),
        }
    }

    /// Lets the write that has been blocked longest wait for its lock: one alone, since each lock may take a while.
    fn commit_waiting(&mut self, blocked: Batch<S>) -> Batch<S> {
        let mut others = blocked.into_iter();
        let mut first: Batch<S> = others.next().into_iter().collect();
        let mut still = match self.attempt(&mut first, LockMode::Wait) {
            Ok((_, outcomes)) => reply(first, outcomes),
            Err(TransactionError::ConnectionLost(error)) => fail_all(first, &error),
            Err(TransactionError::SerializationConflict(_) | TransactionError::Failed(_)) => first,
        };
        still.extend(others);
        still
    }

    fn commit_with_locks(&mut self, mut batch: Batch<S>, conflicts: u32) -> Batch<S> {
        self.metrics.retries.increment(1);
        match self.attempt(&mut batch, LockMode::SkipLocked) {
            Ok((_, outcomes)) => reply(batch, outcomes),
            Err(TransactionError::SerializationConflict(_)) if conflicts > 0 => {
                self.commit_with_locks(batch, conflicts - 1)
            }
            Err(TransactionError::ConnectionLost(error)) => fail_all(batch, &error),
            Err(TransactionError::SerializationConflict(error) | TransactionError::Failed(error)) => {
                if batch.len() <= 1 { fail_all(batch, &error) } else { self.commit_one_by_one(batch, &error) }
            }
        }
    }

    /// Commits each write alone, so that only the write at fault fails.
    fn commit_one_by_one(&mut self, batch: Batch<S>, error: &ChatError) -> Batch<S> {
        warn!(batch.size = batch.len(), error = %error, "a batch of writes failed and is retried one by one");
        let started = Instant::now();
        let mut blocked = Vec::new();
        let mut writes = batch.into_iter();
        while let Some(write) = writes.next() {
            self.metrics.retries.increment(1);
            let mut alone = vec![write];
            let (error, is_lost) = match self.attempt(&mut alone, LockMode::SkipLocked) {
                Ok((_, outcomes)) => {
                    blocked.extend(reply(alone, outcomes));
                    continue;
                }
                Err(TransactionError::ConnectionLost(error)) => (error, true),
                Err(TransactionError::SerializationConflict(error) | TransactionError::Failed(error)) => (error, false),
            };
            fail_all(alone, &error);
            // Without a connection none of the rest succeeds; each would only wait as long again.
            if is_lost || started.elapsed() > ONE_BY_ONE_FOR {
                fail_all(writes.collect::<Vec<_>>(), &error);
                break;
            }
        }
        blocked
    }

    /// Runs the writes in one transaction and publishes its events.
    fn attempt(&mut self, batch: &mut [Box<PendingWrite<S>>], mode: LockMode) -> WriteAttempt<S> {
        let store = &mut self.store;
        let committed = tracing::trace_span!(target: "chat_trace", "commit", db.lock_mode = ?mode).in_scope(|| {
            catch_unwind(AssertUnwindSafe(|| {
                let mut writes: Vec<&mut S::Write> = batch.iter_mut().map(|pending| &mut pending.write).collect();
                store.commit(&mut writes, mode)
            }))
        });
        let failed = match committed {
            Ok(Ok(Committed { mode, outcomes, events })) => {
                self.publish(events);
                return Ok((mode, outcomes));
            }
            Ok(Err(failed)) => failed,
            Err(panic) => {
                let text = format!("a write panicked: {}", panic_text(panic.as_ref()));
                TransactionError::Failed(ChatError::internal(text))
            }
        };
        self.store.rollback();
        Err(failed)
    }

    fn publish(&mut self, events: Vec<S::Event>) {
        let _span = tracing::trace_span!(target: "chat_trace", "fan-out", events = events.len()).entered();
        for event in events {
            let publish = &mut self.publish;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| publish(event))) {
                // The change is durable, and its caller gets the reply; sockets find it by its position.
                error!(panic = panic_text(panic.as_ref()), "publishing a committed event panicked");
            }
        }
    }
}

/// The span of a batch, under the first of its writes that is traced. It names the others, which wait for the same commit.
fn batch_span<S: WriteStore>(batch: &[Box<PendingWrite<S>>]) -> Span {
    let mut traced = batch.iter().map(|write| &write.trace).filter(|trace| !trace.is_disabled());
    let Some(first) = traced.next() else { return Span::none() };
    let span = first.in_scope(|| tracing::trace_span!(target: "chat_trace", "batch", batch.size = batch.len()));
    for other in traced {
        span.follows_from(other);
    }
    span
}

/// Replies to the writes that a transaction with locks has decided, fails those that were blocked for too long, and
/// returns the rest.
fn reply<S: WriteStore>(batch: Batch<S>, outcomes: Outcomes<S>) -> Batch<S> {
    let mut blocked: Batch<S> = Vec::new();
    for (mut write, outcome) in batch.into_iter().zip(outcomes) {
        match outcome {
            WriteOutcome::Decided(outcome) => write.finish(outcome),
            WriteOutcome::Skipped if write.blocked_for() >= BLOCKED_AT_MOST => {
                write.finish(Err(ChatError::unavailable("database: another transaction has locked the session")));
            }
            WriteOutcome::Skipped => blocked.push(write),
        }
    }
    blocked
}

/// Fails all of them, so that none is blocked.
fn fail_all<S: WriteStore>(batch: Batch<S>, error: &ChatError) -> Batch<S> {
    for write in batch {
        write.finish(Err(copy(error)));
    }
    Vec::new()
}

/// The same failure for one more caller; its cause becomes text, since causes cannot be copied.
pub(crate) fn copy(error: &ChatError) -> ChatError {
    match error {
        ChatError::Unavailable { reason, retry_after } => {
            ChatError::Unavailable { reason: reason.clone(), retry_after: *retry_after }
        }
        other => ChatError::internal(other.to_string()),
    }
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
