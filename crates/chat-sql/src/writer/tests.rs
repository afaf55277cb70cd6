//! The writer on a database that adds numbers.

use std::mem;
use std::sync::mpsc::{Receiver, Sender, channel};

use chat_domain::Result;
use chat_domain::error::Conflict;
use tokio::sync::oneshot;

use super::*;

/// A write to the database that adds numbers.
struct Add {
    /// What is locked, or remembered wrongly.
    row: u32,
    decide: fn(LockMode) -> Result<u64>,
}

/// Adds numbers; each committed sum is an event.
#[derive(Default)]
struct Sum {
    committed: u64,
    /// What the next transactions fail with, last first.
    errors: Vec<TransactionError>,
    is_optimistic: bool,
    /// The rows that an optimistic transaction skips.
    stale: Vec<u32>,
    /// The rows that a transaction with locks skips.
    locked: Vec<u32>,
    /// What was asked for, for the test to see.
    modes: Vec<LockMode>,
    rows: Vec<u32>,
    rollbacks: u32,
}

impl WriteStore for Sum {
    type Write = Add;
    type Reply = u64;
    type Event = u64;

    fn commit(&mut self, writes: &mut [&mut Add], mode: LockMode) -> Result<Committed<u64, u64>, TransactionError> {
        let mode = if self.is_optimistic { mode } else { mode.max(LockMode::SkipLocked) };
        self.modes.push(mode);
        self.rows = writes.iter().map(|write| write.row).collect();
        if let Some(error) = self.errors.pop() {
            return Err(error);
        }
        let skipped = if mode == LockMode::Optimistic { &self.stale } else { &self.locked };
        let mut sum = 0;
        let outcomes = writes.iter().map(|write| {
            if skipped.contains(&write.row) {
                return WriteOutcome::Skipped;
            }
            let decided = (write.decide)(mode);
            sum += decided.as_ref().copied().unwrap_or_default();
            WriteOutcome::Decided(decided)
        });
        let outcomes = outcomes.collect();
        self.committed += mem::take(&mut sum);
        Ok(Committed { mode, outcomes, events: vec![self.committed] })
    }

    fn rollback(&mut self) {
        self.rollbacks += 1;
    }

    fn close(&mut self) {}
}

fn writer(store: Sum) -> (Writer<Sum, impl FnMut(u64)>, Receiver<u64>) {
    let (events, published): (Sender<u64>, Receiver<u64>) = channel();
    let metrics = WriterMetrics {
        waiting: Gauge::noop(),
        size: Histogram::noop(),
        duration: Histogram::noop(),
        retries: Counter::noop(),
    };
    (Writer { store, publish: move |event| events.send(event).unwrap(), metrics }, published)
}

type Reply = oneshot::Receiver<Result<u64>>;

fn pending(row: u32, decide: fn(LockMode) -> Result<u64>) -> (Box<PendingWrite<Sum>>, Reply) {
    PendingWrite::boxed(Add { row, decide })
}

#[expect(clippy::unnecessary_wraps, reason = "has the form of every decision")]
fn one(_: LockMode) -> Result<u64> {
    Ok(1)
}

fn refused(_: LockMode) -> Result<u64> {
    Err(Conflict::SessionClosed.into())
}

fn conflict() -> TransactionError {
    TransactionError::SerializationConflict(ChatError::unavailable("deadlock"))
}

#[test]
fn a_write_that_panics_fails_alone_and_the_writer_goes_on() {
    let (mut writer, published) = writer(Sum::default());
    let (first, mut first_reply) = pending(0, one);
    let (second, mut second_reply) = pending(0, |_| panic!("a seeded fault"));
    let (third, mut third_reply) = pending(0, one);
    writer.commit(vec![first, second, third], LockMode::Optimistic);
    assert!(first_reply.try_recv().unwrap().is_ok());
    assert!(matches!(second_reply.try_recv().unwrap(), Err(ChatError::Internal(_))));
    assert!(third_reply.try_recv().unwrap().is_ok());
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(writer.store.rollbacks, 2, "of the batch, and of the write alone");
}

#[test]
fn a_batch_is_committed_once() {
    let (mut writer, published) = writer(Sum::default());
    let (writes, replies): (Vec<_>, Vec<_>) = (0..10).map(|_| pending(0, one)).unzip();
    writer.commit(writes, LockMode::Optimistic);
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [10]);
    assert!(replies.into_iter().all(|mut reply| reply.try_recv().unwrap().is_ok()));
}

#[test]
fn all_writes_fail_at_once_when_the_connection_is_lost() {
    let lost = TransactionError::ConnectionLost(ChatError::unavailable("gone"));
    let (mut writer, published) = writer(Sum { errors: vec![lost], ..Sum::default() });
    let (writes, replies): (Vec<_>, Vec<_>) = (0..3).map(|_| pending(0, one)).unzip();
    writer.commit(writes, LockMode::Optimistic);
    for mut reply in replies {
        assert!(matches!(reply.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
    }
    assert_eq!(published.try_iter().count(), 0);
}

#[test]
fn optimistic_skips_and_refusals_are_decided_again_with_locks() {
    let (mut writer, published) = writer(Sum { is_optimistic: true, stale: vec![2], ..Sum::default() });
    let (fresh, mut fresh_reply) = pending(1, one);
    let (stale, mut stale_reply) = pending(2, |mode| Ok(if mode == LockMode::SkipLocked { 10 } else { 0 }));
    let (doubtful, mut doubtful_reply) = pending(3, |mode| match mode {
        LockMode::Optimistic => Err(Conflict::SessionClosed.into()),
        LockMode::SkipLocked | LockMode::Wait => Ok(1),
    });
    writer.commit(vec![fresh, stale, doubtful], LockMode::Optimistic);
    for reply in [&mut fresh_reply, &mut stale_reply, &mut doubtful_reply] {
        assert!(reply.try_recv().unwrap().is_ok());
    }
    assert_eq!(writer.store.modes, [LockMode::Optimistic, LockMode::SkipLocked]);
    assert_eq!(writer.store.rows, [2, 3], "a write that took place does not take place again");
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 12]);
}

#[test]
fn a_refusal_with_locks_is_final() {
    let (mut writer, _published) = writer(Sum::default());
    let (write, mut reply) = pending(0, refused);
    writer.commit(vec![write], LockMode::Optimistic);
    assert!(matches!(reply.try_recv().unwrap(), Err(ChatError::Conflict(Conflict::SessionClosed))));
    assert_eq!(writer.store.modes.len(), 1);
}

#[test]
fn a_serialization_conflict_is_retried_as_one_batch() {
    let (mut writer, published) = writer(Sum { errors: vec![conflict(), conflict()], ..Sum::default() });
    let (writes, replies): (Vec<_>, Vec<_>) = (0..3).map(|_| pending(0, one)).unzip();
    writer.commit(writes, LockMode::Optimistic);
    assert!(replies.into_iter().all(|mut reply| reply.try_recv().unwrap().is_ok()));
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [3], "in one transaction");
}

#[test]
fn endless_serialization_conflicts_are_given_up() {
    let (mut writer, _published) = writer(Sum { errors: (0..100).map(|_| conflict()).collect(), ..Sum::default() });
    let (write, mut reply) = pending(0, one);
    writer.commit(vec![write], LockMode::Optimistic);
    assert!(matches!(reply.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
}

#[test]
fn a_blocked_write_delays_no_other_write() {
    let (mut writer, published) = writer(Sum { locked: vec![2], ..Sum::default() });
    let (free, mut free_reply) = pending(1, one);
    let (blocked, mut blocked_reply) = pending(2, one);
    let still_blocked = writer.commit(vec![free, blocked], LockMode::SkipLocked);
    assert!(free_reply.try_recv().unwrap().is_ok());
    assert!(blocked_reply.try_recv().is_err(), "neither done nor refused");
    writer.store.locked.clear();
    assert!(writer.commit(still_blocked, LockMode::SkipLocked).is_empty());
    assert!(blocked_reply.try_recv().unwrap().is_ok());
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_write_that_stays_blocked_for_too_long_fails() {
    let (mut writer, _published) = writer(Sum { locked: vec![2], ..Sum::default() });
    let (mut write, mut reply) = pending(2, one);
    write.blocked_since = Instant::now().checked_sub(BLOCKED_AT_MOST);
    assert!(writer.commit(vec![write], LockMode::SkipLocked).is_empty());
    assert!(matches!(reply.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
}
