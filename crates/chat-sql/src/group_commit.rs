//! Group commit: one thread takes whatever writes wait, runs them in one transaction, commits once and answers all.
//!
//! Nothing here knows which database it is. There is no timer: a write that comes alone is committed at once, and while
//! a commit is on its way to the disk the next batch gathers by itself.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chat_domain::{ChatError, Result};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

/// A place where writes share a transaction.
pub trait Transaction: Send + 'static {
    /// What a write says in advance of what it will look at.
    type Need: Send;
    /// What is told to the world once it is committed.
    type Event;

    /// Starts a transaction for writes with these needs, which come in this order, on the wished footing or on a firmer
    /// one, and answers on which.
    ///
    /// # Errors
    /// Why it has not started; then there is nothing to roll back.
    fn begin(&mut self, needs: &[&Self::Need], wish: Footing) -> Result<Footing, Trouble>;

    /// Makes everything since `begin` durable and answers what happened, in order.
    ///
    /// # Errors
    /// Why not; then it is rolled back.
    fn commit(&mut self) -> Result<Committed<Self::Event>, Trouble>;

    /// Whether the last commit left out a write with this need, which a commit on the footing of memory may do.
    fn left_out(&self, need: &Self::Need) -> bool;

    /// Forgets everything since `begin`.
    fn rollback(&mut self);

    /// Called once, after the last transaction.
    fn close(&mut self);
}

/// What the decisions of a transaction stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// On what the writer remembers. The commit checks that it is still so and leaves out what is not; a refusal cannot
    /// be checked in this way and is decided again on a firm footing.
    Memory,
    /// On rows that are locked until the commit.
    Locks,
}

/// What a commit did.
#[derive(Debug)]
pub struct Committed<E> {
    /// What happened, in order.
    pub events: Vec<E>,
    /// Whether `left_out` is true of any write.
    pub partly: bool,
}

/// Why a transaction did not take place.
#[derive(Debug)]
pub enum Trouble {
    /// It was in the way of another one. The same once more should work.
    Collision(ChatError),
    /// Something in it does not work; the others may, each alone.
    Failed(ChatError),
    /// Nothing works at present, as when the connection is gone. Whether it took place may be unknown.
    Lost(ChatError),
}

/// A write that waits for its transaction.
trait Member<T: Transaction>: Send {
    fn need(&self) -> &T::Need;

    /// Does the work; may be called again after a rollback. A refusal by the domain is kept for the answer and is no
    /// error here: it has changed nothing, so the others of the batch are not concerned.
    fn run(&mut self, transaction: &mut T) -> Result<()>;

    /// Whether the last run was refused by the domain.
    fn is_refused(&self) -> bool;

    /// Answers with the outcome of the last run.
    fn answer(self: Box<Self>);

    /// Answers with a failure.
    fn fail(self: Box<Self>, error: ChatError);
}

struct Call<N, F, R> {
    need: N,
    work: F,
    outcome: Option<Result<R>>,
    reply: oneshot::Sender<Result<R>>,
}

impl<T, F, R> Member<T> for Call<T::Need, F, R>
where
    T: Transaction,
    F: FnMut(&mut T) -> Result<R> + Send,
    R: Send,
{
    fn need(&self) -> &T::Need {
        &self.need
    }

    fn run(&mut self, transaction: &mut T) -> Result<()> {
        match (self.work)(transaction) {
            Err(error) if !error.is_certain() => Err(error),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn is_refused(&self) -> bool {
        matches!(self.outcome, Some(Err(_)))
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(ChatError::internal("a write was answered before it ran")));
        // Whoever does not wait any more does not need the answer.
        let _gone = self.reply.send(outcome);
    }

    fn fail(self: Box<Self>, error: ChatError) {
        let _gone = self.reply.send(Err(error));
    }
}

enum Command<T> {
    Run(Box<dyn Member<T>>),
    Stop,
}

/// How a writer works.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The store's name in metrics.
    pub store: &'static str,
    /// How many writes wait at most; more are refused as `Unavailable`.
    pub queue: usize,
    /// How many writes share a transaction at most.
    pub batch: usize,
    /// How long a caller waits for the answer. The write itself may still take place later.
    pub timeout: Duration,
}

/// How long the members of a failed batch are tried one by one. What is left then fails as the last one did: a table that
/// somebody has locked makes each of them wait as long as the first.
const ONE_BY_ONE: Duration = Duration::from_secs(1);
/// How often a transaction is run again that collided with another.
const COLLISIONS: u32 = 5;

/// The way to a writer's thread.
pub struct WriteQueue<T> {
    sender: SyncSender<Command<T>>,
    timeout: Duration,
    waiting: Gauge,
    refused: Counter,
}

/// What the thread owns.
struct Writer<T, P> {
    transaction: T,
    publish: P,
    meters: Meters,
}

struct Meters {
    waiting: Gauge,
    size: Histogram,
    duration: Histogram,
    retries: Counter,
}

impl<T: Transaction> WriteQueue<T> {
    /// Starts a writer's thread, which hands every committed change to `publish`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        transaction: T,
        limits: Limits,
        publish: impl FnMut(T::Event) + Send + 'static,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(limits.queue.max(1));
        let store = limits.store;
        // Writers of one store add theirs up, as what waits for them does.
        gauge!("chat_write_queue_capacity", "store" => store).increment(as_f64(limits.queue.max(1)));
        let waiting = gauge!("chat_writes_waiting", "store" => store);
        let meters = Meters {
            waiting: waiting.clone(),
            size: histogram!("chat_write_batch_size", "store" => store),
            duration: histogram!("chat_write_commit_duration_seconds", "store" => store),
            retries: counter!("chat_write_retries_total", "store" => store),
        };
        let mut writer = Writer { transaction, publish, meters };
        let batch = limits.batch.max(1);
        let thread =
            thread::Builder::new().name("chat-writer".to_owned()).spawn(move || writer.serve(&receiver, batch))?;
        let refused = counter!("chat_writes_refused_total", "store" => store);
        Ok((Self { sender, timeout: limits.timeout, waiting, refused }, thread))
    }

    /// Runs `work` in a transaction and answers once it is durable, or refused. Dropping the future changes nothing.
    ///
    /// `work` may run more than once, each time from the same state.
    ///
    /// # Errors
    /// `Unavailable` when too many writes wait already, the answer takes too long or the writer has stopped, besides
    /// what `work` fails with.
    pub async fn run<R, F>(&self, need: T::Need, work: F) -> Result<R>
    where
        R: Send + 'static,
        T::Need: 'static,
        F: FnMut(&mut T) -> Result<R> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(Call { need, work, outcome: None, reply });
        self.waiting.increment(1.0);
        match self.sender.try_send(Command::Run(call)) {
            Ok(()) => {}
            Err(refused) => {
                self.waiting.decrement(1.0);
                self.refused.increment(1);
                return Err(match refused {
                    TrySendError::Full(_) => ChatError::unavailable("database: too many writes are waiting"),
                    TrySendError::Disconnected(_) => stopped(),
                });
            }
        }
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(stopped())),
            Err(_elapsed) => Err(ChatError::unavailable("database: a write takes too long")),
        }
    }

    /// Lets the writer finish what waits, then stop. Blocks while the queue is full.
    pub fn stop(&self) {
        // An error means that it has stopped already.
        let _stopped = self.sender.send(Command::Stop);
    }
}

fn stopped() -> ChatError {
    ChatError::unavailable("database: the writer has stopped")
}

type Members<T> = Vec<Box<dyn Member<T>>>;

impl<T: Transaction, P: FnMut(T::Event)> Writer<T, P> {
    fn serve(&mut self, queue: &Receiver<Command<T>>, max_batch: usize) {
        let mut running = true;
        while running {
            let mut batch = match queue.recv() {
                Ok(Command::Run(first)) => vec![first],
                Ok(Command::Stop) | Err(_) => break,
            };
            while batch.len() < max_batch {
                match queue.try_recv() {
                    Ok(Command::Run(next)) => batch.push(next),
                    Ok(Command::Stop) | Err(TryRecvError::Disconnected) => {
                        running = false;
                        break;
                    }
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.meters.waiting.decrement(as_f64(batch.len()));
            self.meters.size.record(as_f64(batch.len()));
            let started = Instant::now();
            self.commit(batch);
            self.meters.duration.record(started.elapsed());
        }
        self.transaction.close();
        info!("stopped a database writer");
    }

    /// Commits the batch, first in the quick way. What does not go that way is done again on a firm footing.
    fn commit(&mut self, mut batch: Members<T>) {
        match self.attempt(&mut batch, Footing::Memory) {
            Ok(Outcome { footing: Footing::Locks, .. }) => batch.into_iter().for_each(Member::answer),
            Ok(Outcome { footing: Footing::Memory, partly }) => {
                let transaction = &self.transaction;
                let (again, done): (Vec<_>, Vec<_>) = batch
                    .into_iter()
                    .partition(|member| member.is_refused() || (partly && transaction.left_out(member.need())));
                done.into_iter().for_each(Member::answer);
                if !again.is_empty() {
                    self.commit_on_locks(again, COLLISIONS);
                }
            }
            Err(Trouble::Collision(_)) => self.commit_on_locks(batch, COLLISIONS),
            Err(Trouble::Lost(error)) => fail_all(batch, &error),
            Err(Trouble::Failed(error)) => self.commit_one_by_one(batch, &error),
        }
    }

    fn commit_on_locks(&mut self, mut batch: Members<T>, collisions: u32) {
        self.meters.retries.increment(1);
        match self.attempt(&mut batch, Footing::Locks) {
            Ok(_) => batch.into_iter().for_each(Member::answer),
            Err(Trouble::Collision(_)) if collisions > 0 => self.commit_on_locks(batch, collisions - 1),
            Err(Trouble::Lost(error)) => fail_all(batch, &error),
            Err(Trouble::Collision(error) | Trouble::Failed(error)) if batch.len() <= 1 => fail_all(batch, &error),
            Err(Trouble::Collision(error) | Trouble::Failed(error)) => self.commit_one_by_one(batch, &error),
        }
    }

    /// Commits each member alone, so that only those fail that are to blame.
    fn commit_one_by_one(&mut self, batch: Members<T>, error: &ChatError) {
        warn!(batch.size = batch.len(), error = %error, "a batch of writes failed and is retried one by one");
        let started = Instant::now();
        let mut members = batch.into_iter();
        while let Some(member) = members.next() {
            self.meters.retries.increment(1);
            let mut alone = vec![member];
            let error = match self.attempt(&mut alone, Footing::Locks) {
                Ok(_) => {
                    alone.into_iter().for_each(Member::answer);
                    continue;
                }
                Err(Trouble::Lost(error)) => {
                    // None of the rest can do better; each would only wait as long again.
                    fail_all(alone, &error);
                    return fail_all(members.collect(), &error);
                }
                Err(Trouble::Collision(error) | Trouble::Failed(error)) => error,
            };
            fail_all(alone, &error);
            if started.elapsed() > ONE_BY_ONE {
                return fail_all(members.collect(), &error);
            }
        }
    }

    /// Runs the members in one transaction and tells the world.
    fn attempt(&mut self, batch: &mut [Box<dyn Member<T>>], wish: Footing) -> Result<Outcome, Trouble> {
        let needs: Vec<&T::Need> = batch.iter().map(|member| member.need()).collect();
        let footing = self.transaction.begin(&needs, wish)?;
        let transaction = &mut self.transaction;
        let done = catch_unwind(AssertUnwindSafe(|| {
            batch.iter_mut().try_for_each(|member| member.run(transaction)).map_err(Trouble::Failed)?;
            transaction.commit()
        }));
        let trouble = match done {
            Ok(Ok(committed)) => {
                self.publish(committed.events);
                return Ok(Outcome { footing, partly: committed.partly });
            }
            Ok(Err(trouble)) => trouble,
            Err(panic) => {
                Trouble::Failed(ChatError::internal(format!("a write panicked: {}", panic_text(panic.as_ref()))))
            }
        };
        self.transaction.rollback();
        Err(trouble)
    }

    fn publish(&mut self, events: Vec<T::Event>) {
        for event in events {
            let publish = &mut self.publish;
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| publish(event))) {
                // The change is durable and is answered; watchers find it by its position.
                error!(panic = panic_text(panic.as_ref()), "publishing a committed event panicked");
            }
        }
    }
}

/// How a transaction took place.
struct Outcome {
    footing: Footing,
    partly: bool,
}

fn fail_all<T: Transaction>(batch: Members<T>, error: &ChatError) {
    for member in batch {
        member.fail(copy(error));
    }
}

/// The same failure for one more caller; its cause is told as text, since causes cannot be copied.
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

#[expect(clippy::cast_precision_loss, reason = "a batch is far smaller than 2^53")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::mem;
    use std::sync::mpsc::{Sender, channel};

    use chat_domain::error::Conflict;

    use super::*;

    /// Adds numbers; each committed sum is an event.
    struct Sum {
        committed: u64,
        pending: u64,
        /// What the next transactions fail to start with, last first.
        trouble: Vec<Trouble>,
        /// Whether it decides on memory when it may.
        remembers: bool,
        /// The needs that a commit on memory leaves out.
        stale: Vec<u32>,
        /// What was wished for and needed, for the test to see.
        footings: Vec<Footing>,
        needs: Vec<u32>,
    }

    impl Transaction for Sum {
        type Need = u32;
        type Event = u64;

        fn begin(&mut self, needs: &[&u32], wish: Footing) -> Result<Footing, Trouble> {
            self.footings.push(wish);
            self.needs = needs.iter().map(|need| **need).collect();
            match self.trouble.pop() {
                Some(trouble) => Err(trouble),
                None => Ok(if self.remembers { wish } else { Footing::Locks }),
            }
        }

        fn commit(&mut self) -> Result<Committed<u64>, Trouble> {
            let partly = self.footings.last() == Some(&Footing::Memory) && !self.stale.is_empty();
            self.committed += mem::take(&mut self.pending);
            Ok(Committed { events: vec![self.committed], partly })
        }

        fn left_out(&self, need: &u32) -> bool {
            self.stale.contains(need)
        }

        fn rollback(&mut self) {
            self.pending = 0;
        }

        fn close(&mut self) {}
    }

    fn writer(trouble: Vec<Trouble>, events: Sender<u64>) -> Writer<Sum, impl FnMut(u64)> {
        let transaction = Sum {
            committed: 0,
            pending: 0,
            trouble,
            remembers: false,
            stale: Vec::new(),
            footings: Vec::new(),
            needs: Vec::new(),
        };
        let meters = Meters {
            waiting: Gauge::noop(),
            size: Histogram::noop(),
            duration: Histogram::noop(),
            retries: Counter::noop(),
        };
        Writer { transaction, publish: move |event| events.send(event).unwrap(), meters }
    }

    type Answer = oneshot::Receiver<Result<()>>;

    fn call(work: fn(&mut Sum) -> Result<()>) -> (Box<dyn Member<Sum>>, Answer) {
        needing(0, work)
    }

    fn needing(need: u32, work: fn(&mut Sum) -> Result<()>) -> (Box<dyn Member<Sum>>, Answer) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Call { need, work, outcome: None, reply }), answer)
    }

    #[expect(clippy::unnecessary_wraps, reason = "has the form of every work")]
    fn add_one(sum: &mut Sum) -> Result<()> {
        sum.pending += 1;
        Ok(())
    }

    #[test]
    fn a_member_that_panics_fails_alone_and_the_writer_goes_on() {
        let (events, published) = channel();
        let mut writer = writer(Vec::new(), events);
        let (first, mut first_answer) = call(add_one);
        let (second, mut second_answer) = call(|sum| {
            sum.pending += 100;
            panic!("a seeded fault")
        });
        let (third, mut third_answer) = call(add_one);
        writer.commit(vec![first, second, third]);
        assert!(first_answer.try_recv().unwrap().is_ok());
        assert!(matches!(second_answer.try_recv().unwrap(), Err(ChatError::Internal(_))));
        assert!(third_answer.try_recv().unwrap().is_ok());
        assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_batch_is_committed_once() {
        let (events, published) = channel();
        let mut writer = writer(Vec::new(), events);
        let (members, answers): (Vec<_>, Vec<_>) = (0..10).map(|_| call(add_one)).unzip();
        writer.commit(members);
        assert_eq!(published.try_iter().collect::<Vec<_>>(), [10]);
        assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap().is_ok()));
    }

    #[test]
    fn without_a_transaction_all_members_fail_at_once() {
        let (events, published) = channel();
        let mut writer = writer(vec![Trouble::Lost(ChatError::unavailable("locked"))], events);
        let (members, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| call(add_one)).unzip();
        writer.commit(members);
        for mut answer in answers {
            assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
        }
        assert_eq!(published.try_iter().count(), 0);
    }

    #[test]
    fn what_memory_gets_wrong_is_decided_again_on_locks() {
        let (events, published) = channel();
        let mut writer = writer(Vec::new(), events);
        writer.transaction.remembers = true;
        writer.transaction.stale = vec![2];
        let (fresh, mut fresh_answer) = needing(1, add_one);
        let (stale, mut stale_answer) = needing(2, |sum| {
            if sum.footings.last() == Some(&Footing::Locks) {
                sum.pending += 10;
            }
            Ok(())
        });
        let (refused, mut refused_answer) = needing(3, |sum| match sum.footings.last() {
            Some(Footing::Locks) => add_one(sum),
            _ => Err(Conflict::SessionClosed.into()),
        });
        writer.commit(vec![fresh, stale, refused]);
        for answer in [&mut fresh_answer, &mut stale_answer, &mut refused_answer] {
            assert!(answer.try_recv().unwrap().is_ok());
        }
        assert_eq!(writer.transaction.footings, [Footing::Memory, Footing::Locks]);
        assert_eq!(writer.transaction.needs, [2, 3], "what was done is not done again");
        assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 12]);
    }

    #[test]
    fn a_refusal_on_locks_is_final() {
        let (events, _published) = channel();
        let mut writer = writer(Vec::new(), events);
        let (refused, mut answer) = call(|_| Err(Conflict::SessionClosed.into()));
        writer.commit(vec![refused]);
        assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Conflict(Conflict::SessionClosed))));
        assert_eq!(writer.transaction.footings.len(), 1);
    }

    #[test]
    fn a_collision_is_run_again_as_it_was() {
        let (events, published) = channel();
        let collision = || Trouble::Collision(ChatError::unavailable("deadlock"));
        let mut writer = writer(vec![collision(), collision()], events);
        let (members, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| call(add_one)).unzip();
        writer.commit(members);
        assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap().is_ok()));
        assert_eq!(published.try_iter().collect::<Vec<_>>(), [3], "in one transaction");
    }

    #[test]
    fn collisions_without_end_are_given_up() {
        let (events, _published) = channel();
        let endless = (0..100).map(|_| Trouble::Collision(ChatError::unavailable("deadlock"))).collect();
        let mut writer = writer(endless, events);
        let (member, mut answer) = call(add_one);
        writer.commit(vec![member]);
        assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
    }
}
