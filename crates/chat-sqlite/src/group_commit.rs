//! Group commit: one thread takes whatever writes wait, runs them in one transaction, commits once and answers all.
//!
//! Nothing here knows which database it is. There is no timer: a write that comes alone is committed at once, and while
//! a commit is on its way to the disk the next batch gathers by itself.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use chat_domain::{ChatError, Result};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

/// A place where writes share a transaction.
pub(crate) trait Transaction: Send + 'static {
    /// What is told to the world once it is committed.
    type Event;

    /// Starts.
    fn begin(&mut self) -> Result<()>;

    /// Makes everything since `begin` durable and answers what happened, in order.
    fn commit(&mut self) -> Result<Vec<Self::Event>>;

    /// Forgets everything since `begin`.
    fn rollback(&mut self);

    /// Called once, after the last transaction.
    fn close(&mut self);
}

/// A write that waits for its transaction.
trait Member<T>: Send {
    /// Does the work; may be called again after a rollback. A refusal by the domain is kept for the answer and is no
    /// error here: it has changed nothing, so the others of the batch are not concerned.
    fn run(&mut self, transaction: &mut T) -> Result<()>;

    /// Answers with the outcome of the last run.
    fn answer(self: Box<Self>);

    /// Answers with a failure.
    fn fail(self: Box<Self>, error: ChatError);
}

struct Call<F, R> {
    work: F,
    outcome: Option<Result<R>>,
    reply: oneshot::Sender<Result<R>>,
}

impl<T, F, R> Member<T> for Call<F, R>
where
    F: FnMut(&mut T) -> Result<R> + Send,
    R: Send,
{
    fn run(&mut self, transaction: &mut T) -> Result<()> {
        match (self.work)(transaction) {
            Err(error) if !error.is_certain() => Err(error),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
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

/// The way to the writer thread. Cloning it is cheap.
pub(crate) struct WriteQueue<T> {
    sender: SyncSender<Command<T>>,
}

/// How the writer thread works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many writes wait at most.
    pub(crate) queue: usize,
    /// How many writes share a transaction at most.
    pub(crate) batch: usize,
}

/// Starts the writer thread.
pub(crate) fn start<T: Transaction>(
    transaction: T,
    limits: Limits,
    publish: impl FnMut(T::Event) + Send + 'static,
) -> io::Result<(WriteQueue<T>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(limits.queue);
    let mut writer = Writer { transaction, publish };
    let thread =
        thread::Builder::new().name("chat-writer".to_owned()).spawn(move || writer.serve(&receiver, limits.batch))?;
    Ok((WriteQueue { sender }, thread))
}

impl<T: Transaction> WriteQueue<T> {
    /// Runs `work` in a transaction and answers once it is durable, or refused. Dropping the future changes nothing.
    ///
    /// `work` may run more than once, each time from the same state.
    ///
    /// # Errors
    /// `Unavailable` when too many writes wait already or the writer has stopped, besides what `work` fails with.
    pub(crate) async fn run<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut T) -> Result<R> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(Call { work, outcome: None, reply });
        match self.sender.try_send(Command::Run(call)) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(stopped())),
            Err(TrySendError::Full(_)) => Err(ChatError::unavailable("database: too many writes are waiting")),
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
        }
    }

    /// Lets the writer finish what waits, then stop. Blocks while the queue is full.
    pub(crate) fn stop(&self) {
        // An error means that it has stopped already.
        let _stopped = self.sender.send(Command::Stop);
    }
}

fn stopped() -> ChatError {
    ChatError::unavailable("database: the writer has stopped")
}

struct Writer<T, P> {
    transaction: T,
    publish: P,
}

impl<T: Transaction, P: FnMut(T::Event)> Writer<T, P> {
    fn serve(&mut self, queue: &Receiver<Command<T>>, max_batch: usize) {
        let mut batch = Vec::new();
        let mut running = true;
        while running {
            match queue.recv() {
                Ok(Command::Run(first)) => batch.push(first),
                Ok(Command::Stop) | Err(_) => break,
            }
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
            self.commit(mem::take(&mut batch));
        }
        self.transaction.close();
        info!("stopped the database writer");
    }

    /// Commits the batch, or each member alone when that fails, so that only those fail that are to blame.
    fn commit(&mut self, mut batch: Vec<Box<dyn Member<T>>>) {
        match self.attempt(&mut batch) {
            Ok(()) => batch.into_iter().for_each(Member::answer),
            Err(Attempt::NotStarted(error)) => fail_all(batch, &error),
            Err(Attempt::Failed(error)) if batch.len() <= 1 => fail_all(batch, &error),
            Err(Attempt::Failed(error)) => {
                warn!(batch.size = batch.len(), error = %error, "a batch of writes failed and is retried one by one");
                self.commit_one_by_one(batch);
            }
        }
    }

    fn commit_one_by_one(&mut self, batch: Vec<Box<dyn Member<T>>>) {
        let mut members = batch.into_iter();
        while let Some(member) = members.next() {
            let mut alone = vec![member];
            match self.attempt(&mut alone) {
                Ok(()) => alone.into_iter().for_each(Member::answer),
                Err(Attempt::Failed(error)) => fail_all(alone, &error),
                Err(Attempt::NotStarted(error)) => {
                    // Without a transaction none of the rest can do better; each would only wait as long again.
                    fail_all(alone, &error);
                    return fail_all(members.collect(), &error);
                }
            }
        }
    }

    /// Runs the members in one transaction and tells the world.
    fn attempt(&mut self, batch: &mut [Box<dyn Member<T>>]) -> Result<(), Attempt> {
        self.transaction.begin().map_err(Attempt::NotStarted)?;
        let transaction = &mut self.transaction;
        let done = catch_unwind(AssertUnwindSafe(|| {
            batch.iter_mut().try_for_each(|member| member.run(transaction))?;
            transaction.commit()
        }));
        let failed = match done {
            Ok(Ok(events)) => {
                self.publish(events);
                return Ok(());
            }
            Ok(Err(failed)) => failed,
            Err(panic) => ChatError::internal(format!("a write panicked: {}", panic_text(panic.as_ref()))),
        };
        self.transaction.rollback();
        Err(Attempt::Failed(failed))
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

/// Why a transaction did not take place.
enum Attempt {
    NotStarted(ChatError),
    Failed(ChatError),
}

fn fail_all<T>(batch: Vec<Box<dyn Member<T>>>, error: &ChatError) {
    for member in batch {
        member.fail(copy(error));
    }
}

/// The same failure for one more caller; its cause is told as text, since causes cannot be copied.
fn copy(error: &ChatError) -> ChatError {
    match error {
        ChatError::Unavailable { reason, retry_after } => {
            ChatError::Unavailable { reason: reason.clone(), retry_after: *retry_after }
        }
        other => ChatError::internal(other.to_string()),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Adds numbers; each committed sum is an event.
    struct Sum {
        committed: u64,
        pending: u64,
        may_begin: bool,
    }

    impl Transaction for Sum {
        type Event = u64;

        fn begin(&mut self) -> Result<()> {
            if self.may_begin { Ok(()) } else { Err(ChatError::unavailable("locked")) }
        }

        fn commit(&mut self) -> Result<Vec<u64>> {
            self.committed += mem::take(&mut self.pending);
            Ok(vec![self.committed])
        }

        fn rollback(&mut self) {
            self.pending = 0;
        }

        fn close(&mut self) {}
    }

    fn writer(may_begin: bool, events: Sender<u64>) -> Writer<Sum, impl FnMut(u64)> {
        let transaction = Sum { committed: 0, pending: 0, may_begin };
        Writer { transaction, publish: move |event| events.send(event).unwrap() }
    }

    fn call(work: fn(&mut Sum) -> Result<()>) -> (Box<dyn Member<Sum>>, oneshot::Receiver<Result<()>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Call { work, outcome: None, reply }), answer)
    }

    #[expect(clippy::unnecessary_wraps, reason = "has the form of every work")]
    fn add_one(sum: &mut Sum) -> Result<()> {
        sum.pending += 1;
        Ok(())
    }

    #[test]
    fn a_member_that_panics_fails_alone_and_the_writer_goes_on() {
        let (events, published) = channel();
        let mut writer = writer(true, events);
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
        let mut writer = writer(true, events);
        let (members, answers): (Vec<_>, Vec<_>) = (0..10).map(|_| call(add_one)).unzip();
        writer.commit(members);
        assert_eq!(published.try_iter().collect::<Vec<_>>(), [10]);
        assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap().is_ok()));
    }

    #[test]
    fn without_a_transaction_all_members_fail_at_once() {
        let (events, published) = channel();
        let mut writer = writer(false, events);
        let (members, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| call(add_one)).unzip();
        writer.commit(members);
        for mut answer in answers {
            assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
        }
        assert_eq!(published.try_iter().count(), 0);
    }
}
