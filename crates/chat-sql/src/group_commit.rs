//! Group commit: one thread takes whatever writes wait, runs them in one transaction, commits once and answers all.
//!
//! Nothing here knows which database it is. There is no timer: a write that comes alone is committed at once, and while
//! a commit is on its way to the disk the next batch gathers by itself.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
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

    /// What it means for the whole transaction that one of its writes failed with this: whether another attempt may work.
    fn trouble(&mut self, failure: ChatError) -> Trouble {
        Trouble::Failed(failure)
    }

    /// Whether the last commit left out a write with this need: on memory because what is remembered has changed, on
    /// locks because somebody else holds what it needs.
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
    /// On rows that are locked until the commit. Those that somebody else has locked are not waited for: they are left
    /// out, so that they keep nobody else waiting.
    Locks,
    /// The same, but those that somebody else has locked are waited for, in line with others who do, for at most a tenth
    /// of a second.
    LocksInTurn,
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

    /// Whether somebody waits for the answer.
    fn is_wanted(&self) -> bool;

    /// How long ago this was asked for the first time.
    fn held_up(&mut self) -> Duration;

    /// Answers with the outcome of the last run.
    fn answer(self: Box<Self>);

    /// Answers with a failure.
    fn fail(self: Box<Self>, error: ChatError);
}

struct Call<N, F, R> {
    need: N,
    work: F,
    outcome: Option<Result<R>>,
    held_up_since: Option<Instant>,
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

    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn held_up(&mut self) -> Duration {
        self.held_up_since.get_or_insert_with(Instant::now).elapsed()
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
/// How long a write waits for what somebody else has locked, and how often it looks.
const HELD_UP: Duration = Duration::from_millis(2_500);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A look may always come between two transactions of a node that writes to the session without pause. So after a while
/// the write stands in line for the lock, which holds the writer up, and not too often.
const IN_TURN_AFTER: Duration = Duration::from_millis(30);
const IN_TURN_EVERY: Duration = Duration::from_millis(500);
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

    /// Runs `work` in a transaction and answers once it is durable, or refused. What has not begun
    /// when the future is dropped, or when it has waited too long, is not done any more; what has begun goes on.
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
        let call = Box::new(Call { need, work, outcome: None, held_up_since: None, reply });
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
        let mut held_up: Members<T> = Vec::new();
        let mut last_in_turn: Option<Instant> = None;
        while running {
            let has_waited = held_up.first_mut().is_some_and(|member| member.held_up() >= IN_TURN_AFTER);
            if has_waited && last_in_turn.is_none_or(|last| last.elapsed() >= IN_TURN_EVERY) {
                held_up = self.commit_in_turn(held_up);
                last_in_turn = Some(Instant::now());
            }
            let first = if held_up.is_empty() {
                queue.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
            } else {
                queue.recv_timeout(LOOK_EVERY)
            };
            let mut batch = match first {
                Ok(Command::Run(first)) => vec![first],
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            };
            while !batch.is_empty() && batch.len() < max_batch {
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
            // Who was told that it takes too long may have tried again elsewhere: what has not begun is not done.
            batch.retain(|member| member.is_wanted());
            held_up.retain(|member| member.is_wanted());
            // What is held up came first. It needs locks, since memory cannot tell that they are gone.
            let wish = if held_up.is_empty() { Footing::Memory } else { Footing::Locks };
            held_up.append(&mut batch);
            self.meters.size.record(as_f64(held_up.len()));
            let started = Instant::now();
            held_up = self.commit(held_up, wish);
            self.meters.duration.record(started.elapsed());
        }
        fail_all(held_up, &stopped());
        self.transaction.close();
        info!("stopped a database writer");
    }

    /// Commits the batch. What does not go in the quick way is done again on a firm footing. Answers what is held up by
    /// somebody else, to be tried again with the next batch.
    fn commit(&mut self, mut batch: Members<T>, wish: Footing) -> Members<T> {
        match self.attempt(&mut batch, wish) {
            Ok(outcome @ Outcome { footing: Footing::Locks | Footing::LocksInTurn, .. }) => {
                self.answer(batch, &outcome)
            }
            Ok(Outcome { footing: Footing::Memory, partly }) => {
                let transaction = &self.transaction;
                let (again, done): (Vec<_>, Vec<_>) = batch
                    .into_iter()
                    .partition(|member| member.is_refused() || (partly && transaction.left_out(member.need())));
                done.into_iter().for_each(Member::answer);
                if again.is_empty() { again } else { self.commit_on_locks(again, COLLISIONS) }
            }
            Err(Trouble::Collision(_)) => self.commit_on_locks(batch, COLLISIONS),
            Err(Trouble::Lost(error)) => fail_all(batch, &error),
            Err(Trouble::Failed(error)) => self.commit_one_by_one(batch, &error),
        }
    }

    /// Lets the write that is held up longest stand in line for its lock: one alone, since each lock may take a while.
    fn commit_in_turn(&mut self, held_up: Members<T>) -> Members<T> {
        let mut others = held_up.into_iter();
        let mut first: Members<T> = others.next().into_iter().collect();
        let mut still = match self.attempt(&mut first, Footing::LocksInTurn) {
            Ok(outcome) => self.answer(first, &outcome),
            Err(Trouble::Lost(error)) => fail_all(first, &error),
            Err(Trouble::Collision(_) | Trouble::Failed(_)) => first,
        };
        still.extend(others);
        still
    }

    fn commit_on_locks(&mut self, mut batch: Members<T>, collisions: u32) -> Members<T> {
        self.meters.retries.increment(1);
        match self.attempt(&mut batch, Footing::Locks) {
            Ok(outcome) => self.answer(batch, &outcome),
            Err(Trouble::Collision(_)) if collisions > 0 => self.commit_on_locks(batch, collisions - 1),
            Err(Trouble::Lost(error)) => fail_all(batch, &error),
            Err(Trouble::Collision(error) | Trouble::Failed(error)) if batch.len() <= 1 => fail_all(batch, &error),
            Err(Trouble::Collision(error) | Trouble::Failed(error)) => self.commit_one_by_one(batch, &error),
        }
    }

    /// Commits each member alone, so that only those fail that are to blame.
    fn commit_one_by_one(&mut self, batch: Members<T>, error: &ChatError) -> Members<T> {
        warn!(batch.size = batch.len(), error = %error, "a batch of writes failed and is retried one by one");
        let started = Instant::now();
        let mut held_up = Vec::new();
        let mut members = batch.into_iter();
        while let Some(member) = members.next() {
            self.meters.retries.increment(1);
            let mut alone = vec![member];
            let error = match self.attempt(&mut alone, Footing::Locks) {
                Ok(outcome) => {
                    held_up.extend(self.answer(alone, &outcome));
                    continue;
                }
                Err(Trouble::Lost(error)) => {
                    // None of the rest can do better; each would only wait as long again.
                    fail_all(members.collect::<Vec<_>>(), &error);
                    fail_all(alone, &error);
                    break;
                }
                Err(Trouble::Collision(error) | Trouble::Failed(error)) => error,
            };
            fail_all(alone, &error);
            if started.elapsed() > ONE_BY_ONE {
                fail_all(members.collect::<Vec<_>>(), &error);
                break;
            }
        }
        held_up
    }

    /// Answers what a commit on locks has done, fails what has been held up for too long, and gives back the rest.
    fn answer(&self, batch: Members<T>, outcome: &Outcome) -> Members<T> {
        let (mut held_up, done): (Members<T>, Members<T>) =
            batch.into_iter().partition(|member| outcome.partly && self.transaction.left_out(member.need()));
        done.into_iter().for_each(Member::answer);
        let given_up: Members<T> = held_up.extract_if(.., |member| member.held_up() >= HELD_UP).collect();
        fail_all(given_up, &ChatError::unavailable("database: somebody else has locked the session"));
        held_up
    }

    /// Runs the members in one transaction and tells the world.
    fn attempt(&mut self, batch: &mut [Box<dyn Member<T>>], wish: Footing) -> Result<Outcome, Trouble> {
        let transaction = &mut self.transaction;
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let needs: Vec<&T::Need> = batch.iter().map(|member| member.need()).collect();
            transaction.begin(&needs, wish)
        }));
        let footing = begun.unwrap_or_else(|panic| {
            transaction.rollback();
            Err(Trouble::Failed(ChatError::internal(format!("a write panicked: {}", panic_text(panic.as_ref())))))
        })?;
        let done = catch_unwind(AssertUnwindSafe(|| {
            for member in batch.iter_mut() {
                member.run(transaction).map_err(|failure| transaction.trouble(failure))?;
            }
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

/// Fails all of them, so that none is held up.
fn fail_all<T: Transaction>(batch: Members<T>, error: &ChatError) -> Members<T> {
    for member in batch {
        member.fail(copy(error));
    }
    Vec::new()
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
mod tests;
