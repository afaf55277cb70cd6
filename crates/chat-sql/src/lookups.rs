//! Look-ups by key, many at a time: whatever waits is asked for in one statement.
//!
//! A round trip to the database costs many times what one more key in it costs. As with group commit there is no timer:
//! a look-up that comes alone is done at once, and while it is under way the next ones gather.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use chat_domain::{ChatError, Result};
use r2d2::ManageConnection;
use tokio::sync::oneshot;

use crate::reads::{ReadFailure, Reads};
use crate::writer::{copy, panic_text};

/// How many keys one statement names.
const BATCH: usize = 256;

/// The way to the thread that looks things up. Dropping the last one ends the thread.
pub struct Lookups<K, V> {
    sender: SyncSender<Wanted<K, V>>,
    timeout: Duration,
    /// Tells why a look-up was not done in time.
    too_late: Box<dyn Fn() -> ChatError + Send + Sync>,
}

/// Answers what there is of some keys, none of which comes twice.
pub type LookupLoader<C, K, V, E> = fn(&mut C, &[K]) -> Result<HashMap<K, V>, E>;

struct Wanted<K, V> {
    key: K,
    reply: oneshot::Sender<Result<Option<V>>>,
}

impl<K, V> Lookups<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start<M, E>(
        reads: Reads<M>,
        limits: (usize, Duration),
        load: LookupLoader<M::Connection, K, V, E>,
    ) -> io::Result<Self>
    where
        M: ManageConnection,
        E: ReadFailure,
    {
        let (queue, timeout) = limits;
        let (sender, receiver) = sync_channel(queue.max(1));
        let readers = reads.clone();
        let too_late = Box::new(move || readers.too_late());
        thread::Builder::new().name("chat-lookup".to_owned()).spawn(move || serve(&receiver, &reads, load))?;
        Ok(Self { sender, timeout, too_late })
    }

    /// What there is of `key` at some moment between the call and the answer.
    ///
    /// # Errors
    /// `Unavailable` when too many wait or it takes too long, besides what the database fails with.
    pub async fn find(&self, key: K) -> Result<Option<V>> {
        let (reply, answer) = oneshot::channel();
        match self.sender.try_send(Wanted { key, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(ChatError::unavailable("database: too many reads are waiting")),
            Err(TrySendError::Disconnected(_)) => return Err(stopped()),
        }
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(stopped())),
            Err(_elapsed) => Err((self.too_late)()),
        }
    }
}

fn stopped() -> ChatError {
    ChatError::unavailable("database: shutting down")
}

fn serve<K, V, M, E>(wanted: &Receiver<Wanted<K, V>>, reads: &Reads<M>, load: LookupLoader<M::Connection, K, V, E>)
where
    K: Clone + Eq + Hash,
    V: Clone,
    M: ManageConnection,
    E: ReadFailure,
{
    while let Ok(first) = wanted.recv() {
        let mut batch = vec![first];
        batch.extend(wanted.try_iter().take(BATCH - 1));
        // A caller who has gone needs no reply.
        batch.retain(|wanted| !wanted.reply.is_closed());
        let mut keys: Vec<K> = Vec::with_capacity(batch.len());
        let mut seen = HashSet::with_capacity(batch.len());
        keys.extend(batch.iter().map(|wanted| &wanted.key).filter(|key| seen.insert(*key)).cloned());
        if keys.is_empty() {
            continue;
        }
        let loaded = catch_unwind(AssertUnwindSafe(|| reads.run_blocking(|connection| load(connection, &keys))));
        match loaded.unwrap_or_else(|panic| Err(ChatError::internal(panic_text(panic.as_ref()).to_owned()))) {
            Ok(found) => {
                for Wanted { key, reply } in batch {
                    let _gone = reply.send(Ok(found.get(&key).cloned()));
                }
            }
            Err(error) => {
                for Wanted { reply, .. } in batch {
                    let _gone = reply.send(Err(copy(&error)));
                }
            }
        }
    }
}
