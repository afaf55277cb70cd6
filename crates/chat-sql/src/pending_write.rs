//! A write between its caller and the writer's thread.

use std::time::{Duration, Instant};

use chat_domain::{ChatError, Result};
use tokio::sync::oneshot;
use tracing::Span;

use crate::write_store::WriteStore;

/// A write that waits for its transaction.
pub(crate) struct PendingWrite<S: WriteStore> {
    pub(crate) write: S::Write,
    /// When another transaction was first found to hold a lock that the write needs.
    pub(crate) blocked_since: Option<Instant>,
    /// From the caller's request to the reply, where the request is traced.
    pub(crate) trace: Span,
    reply: oneshot::Sender<Result<S::Reply>>,
}

impl<S: WriteStore> PendingWrite<S> {
    /// A write for the queue: on the heap, because the queue has room for thousands of them before there are any.
    pub(crate) fn boxed(write: S::Write) -> (Box<Self>, oneshot::Receiver<Result<S::Reply>>) {
        let (reply, receiver) = oneshot::channel();
        let trace = tracing::trace_span!(target: "chat_trace", "write");
        (Box::new(Self { write, blocked_since: None, trace, reply }), receiver)
    }

    /// Whether the caller still waits for the reply.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    /// For how long other transactions have held a lock that the write needs.
    pub(crate) fn blocked_for(&mut self) -> Duration {
        self.blocked_since.get_or_insert_with(Instant::now).elapsed()
    }

    /// Returns the outcome to the caller.
    pub(crate) fn finish(self, outcome: Result<S::Reply>) {
        // A caller who no longer waits does not need the reply.
        let _gone = self.reply.send(outcome);
    }
}

pub(crate) enum WriterCommand<S: WriteStore> {
    Write(Box<PendingWrite<S>>),
    Stop,
}

/// Why a write does not take place after the writer has stopped.
pub(crate) fn stopped() -> ChatError {
    ChatError::unavailable("database: the writer has stopped")
}
