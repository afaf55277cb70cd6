//! The queue in front of a writer's thread.

use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chat_domain::{ChatError, Result};
use metrics::{Counter, Gauge, counter, gauge};

use crate::pending_write::{PendingWrite, WriterCommand, stopped};
use crate::values::as_f64;
use crate::write_store::WriteStore;
use crate::writer::{Writer, WriterMetrics};

/// How a writer works.
#[derive(Clone, Copy, Debug)]
pub struct WriterLimits {
    /// The store's name in metrics.
    pub store: &'static str,
    /// How many writes wait at most; more are refused as `Unavailable`.
    pub queue: usize,
    /// How many writes share a transaction at most.
    pub batch: usize,
    /// How long a caller waits for the reply. The write itself may still take place later.
    pub timeout: Duration,
}

/// The queue in front of one writer.
pub struct WriteQueue<S: WriteStore> {
    sender: SyncSender<WriterCommand<S>>,
    timeout: Duration,
    waiting: Gauge,
    refused: Counter,
}

impl<S: WriteStore> WriteQueue<S> {
    /// Starts a writer's thread, which hands every committed event to `publish`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(
        store: S,
        limits: WriterLimits,
        publish: impl FnMut(S::Event) + Send + 'static,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(limits.queue.max(1));
        let name = limits.store;
        // The writers of one store share these gauges.
        gauge!("chat_write_queue_capacity", "store" => name).increment(as_f64(limits.queue.max(1)));
        let metrics = WriterMetrics::new(name);
        let waiting = metrics.waiting.clone();
        let mut writer = Writer { store, publish, metrics };
        let batch = limits.batch.max(1);
        let thread =
            thread::Builder::new().name("chat-writer".to_owned()).spawn(move || writer.serve(&receiver, batch))?;
        let refused = counter!("chat_writes_refused_total", "store" => name);
        Ok((Self { sender, timeout: limits.timeout, waiting, refused }, thread))
    }

    /// Submits a write and returns its reply once it is durable or refused. A write whose transaction has not begun when
    /// the future is dropped, or when it has waited too long, does not take place; one whose transaction has begun is
    /// completed.
    ///
    /// # Errors
    /// `Unavailable` when too many writes wait already, when the reply takes too long and when the writer has stopped,
    /// besides why the write is refused.
    pub async fn submit(&self, write: S::Write) -> Result<S::Reply> {
        let (pending, reply) = PendingWrite::boxed(write);
        self.waiting.increment(1.0);
        match self.sender.try_send(WriterCommand::Write(pending)) {
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
        match tokio::time::timeout(self.timeout, reply).await {
            Ok(reply) => reply.unwrap_or_else(|_| Err(stopped())),
            Err(_elapsed) => Err(ChatError::unavailable("database: a write takes too long")),
        }
    }

    /// Lets the writer finish the writes that wait, then stop. Blocks while the queue is full.
    pub fn stop(&self) {
        // An error means that it has stopped already.
        let _stopped = self.sender.send(WriterCommand::Stop);
    }
}
