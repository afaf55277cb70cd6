//! Reads: admitted in bounded number, done by threads of their own, limited in time, tried again when the connection
//! turns out to be gone.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use chat_domain::{ChatError, Result};
use metrics::{Gauge, Histogram, gauge, histogram};
use r2d2::{CustomizeConnection, HandleError, ManageConnection, Pool};
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use crate::read_threads::ReadThreads;

/// Why a read ended early.
pub trait ReadFailure: Into<ChatError> + Send + 'static {
    /// Whether the connection is gone, so that another one may do better.
    fn is_lost(&self) -> bool;
}

/// How much is read at once.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// The store's name in metrics.
    pub store: &'static str,
    /// How many connections read at the same time.
    pub connections: u32,
    /// How many reads are with the connections at most, running or in line; more wait for a place.
    pub queue: usize,
    /// How long a read may take, waiting included, before it is refused as `Unavailable`.
    pub timeout: Duration,
    /// How long connections are used. `None` for a database that cannot become another one.
    pub lifetime: Option<ConnectionLifetime>,
}

/// How long a connection is used before the next read gets a new one.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLifetime {
    /// At most; at least half of it, at random, so that connections that were made together do not end together.
    pub at_most: Duration,
    /// How long it is used without a look whether it still leads to where a new one would, which is what the manager's
    /// `is_valid` says.
    pub check_every: Duration,
}

/// The way to the connections that read. Cloning it is cheap.
pub struct Reads<M: ManageConnection> {
    shared: Arc<ReadsInner<M>>,
}

struct ReadsInner<M: ManageConnection> {
    pool: Pool<Discarding<M>>,
    manager: Arc<M>,
    lifetime: Option<ConnectionLifetime>,
    /// One thread per reading connection, so that no thread ever waits for a connection that works.
    threads: ReadThreads,
    /// How many reads may wait for the threads; more wait here, for a bounded time.
    permits: Arc<Semaphore>,
    timeout: Duration,
    outage: Outage,
    meters: Meters,
}

struct Meters {
    waiting: Gauge,
    busy: Gauge,
    duration: Histogram,
}

impl<M: ManageConnection> Clone for Reads<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<M: ManageConnection> Reads<M> {
    /// Starts the threads and makes the first connection; others are made when they are needed.
    ///
    /// # Errors
    /// The first connection cannot be made in time, or a thread cannot be started.
    pub fn start(
        manager: M,
        prepare: Box<dyn CustomizeConnection<M::Connection, M::Error>>,
        limits: ReadLimits,
    ) -> Result<Self, StartError> {
        let connections = limits.connections.max(1);
        let outage = Outage::default();
        let (manager, lifetime) = (Arc::new(manager), limits.lifetime);
        let pool = Pool::builder()
            // One more for the thread of look-ups, so that it never waits for a reader to be done.
            .max_size(connections.saturating_add(1))
            .min_idle(Some(1))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_on_check_out(false)
            .connection_timeout(limits.timeout)
            .connection_customizer(Box::new(ReaderCustomizer(prepare)))
            .error_handler(Box::new(outage.clone()))
            .build(Discarding { manager: Arc::clone(&manager), outage: outage.clone(), lifetime })
            .map_err(|error| StartError::Connection(error.to_string()))?;
        let threads = usize::try_from(connections).unwrap_or(usize::MAX);
        let threads = ReadThreads::start(threads).map_err(StartError::Thread)?;
        gauge!("chat_read_connections", "store" => limits.store).set(f64::from(connections));
        let meters = Meters {
            waiting: gauge!("chat_reads_waiting", "store" => limits.store),
            busy: gauge!("chat_read_connections_busy", "store" => limits.store),
            duration: histogram!("chat_read_duration_seconds", "store" => limits.store),
        };
        let permits = Arc::new(Semaphore::new(limits.queue.max(1)));
        let timeout = limits.timeout;
        let shared = ReadsInner { pool, manager, lifetime, threads, permits, timeout, outage, meters };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Does what reads with a connection. What has not begun when the caller goes away is not done any more. `work` may
    /// run twice: again when the connection turns out to be gone.
    ///
    /// # Errors
    /// `Unavailable` when it is not done in time, besides what `work` fails with.
    pub async fn run<R, E, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        E: ReadFailure,
        F: FnMut(&mut M::Connection) -> Result<R, E> + Send + 'static,
    {
        let _waiting = Counted::new(&self.shared.meters.waiting);
        match tokio::time::timeout(self.shared.timeout, self.in_turn(work)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(self.too_late()),
        }
    }

    /// Why a read was not done in time.
    pub(crate) fn too_late(&self) -> ChatError {
        ChatError::unavailable(match self.shared.outage.reason() {
            Some(reason) => format!("database: no connection to read with: {reason}"),
            None => "database: too many reads are waiting, or one takes too long".to_owned(),
        })
    }

    async fn in_turn<R, E, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        E: ReadFailure,
        F: FnMut(&mut M::Connection) -> Result<R, E> + Send + 'static,
    {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await;
        let permit = permit.map_err(|_closed| shutting_down())?;
        let shared = Arc::clone(&self.shared);
        let task = self.shared.threads.run(move || {
            let outcome = shared.with_connection(work);
            drop(permit);
            outcome
        });
        let Some(task) = task else { return Err(shutting_down()) };
        match task.await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => Err(ChatError::internal(ended)),
            Err(_) => Err(shutting_down()),
        }
    }

    /// Does what reads with a connection, on the calling thread, which it blocks.
    ///
    /// # Errors
    /// `Unavailable` when no connection is to be had, besides what `work` fails with.
    pub(crate) fn run_blocking<R, E: ReadFailure>(
        &self,
        work: impl FnMut(&mut M::Connection) -> Result<R, E>,
    ) -> Result<R> {
        self.shared.with_connection(work)
    }
}

impl<M: ManageConnection> ReadsInner<M> {
    fn with_connection<R, E: ReadFailure>(
        &self,
        mut work: impl FnMut(&mut M::Connection) -> Result<R, E>,
    ) -> Result<R> {
        let started = Instant::now();
        let (mut tries, mut replaced) = (0, 0);
        let pooled = usize::try_from(self.pool.max_size()).unwrap_or(usize::MAX);
        loop {
            let mut slot = self.pool.get().map_err(|error| {
                let reason = self.outage.reason().unwrap_or_else(|| error.to_string());
                ChatError::unavailable(format!("database: no connection to read with: {reason}"))
            })?;
            if replaced <= pooled && !self.may_be_used(&mut slot) {
                slot.lost = true;
                replaced += 1;
                continue;
            }
            let _busy = Counted::new(&self.meters.busy);
            tries += 1;
            match work(&mut slot) {
                Ok(done) => {
                    self.meters.duration.record(started.elapsed());
                    return Ok(done);
                }
                Err(failure) => {
                    slot.lost = failure.is_lost();
                    // Every pooled connection may have been lost at once, so a new connection is the last try.
                    if !slot.lost || tries > pooled {
                        return Err(failure.into());
                    }
                }
            }
        }
    }
}

impl<M: ManageConnection> ReadsInner<M> {
    /// Whether the connection is young enough, and still leads to where a new one would.
    fn may_be_used(&self, slot: &mut PooledReader<M::Connection>) -> bool {
        let Some(lifetime) = self.lifetime else { return true };
        let now = Instant::now();
        if slot.ends_at.is_some_and(|end| now >= end) {
            debug!("a connection to read from the database is replaced: it is old");
            return false;
        }
        if now.duration_since(slot.checked_at) < lifetime.check_every {
            return true;
        }
        slot.checked_at = now;
        match self.manager.is_valid(&mut slot.connection) {
            Ok(()) => true,
            Err(error) => {
                info!(%error, "a connection to read from the database is replaced");
                false
            }
        }
    }
}

fn shutting_down() -> ChatError {
    ChatError::unavailable("database: shutting down")
}

/// Counts something for as long as it lives.
struct Counted<'a>(&'a Gauge);

impl<'a> Counted<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Why reading could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The first connection cannot be made.
    Connection(String),
    /// A thread cannot be started.
    Thread(io::Error),
}

/// Connections that leave the pool once their work has found them lost. The drivers' own signs of it come too late:
/// a connection may be broken outside a transaction without being called so.
struct Discarding<M> {
    manager: Arc<M>,
    outage: Outage,
    lifetime: Option<ConnectionLifetime>,
}

/// Whether no connection can be made at present, and why. The pool tries again and again; the log tells the beginning and
/// the end.
#[derive(Clone, Debug, Default)]
struct Outage(Arc<Mutex<Option<String>>>);

impl Outage {
    fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_over(&self) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            info!("the database can be read again");
        }
    }
}

impl<E: std::error::Error> HandleError<E> for Outage {
    fn handle_error(&self, error: E) {
        let lines: Vec<String> = error.to_string().lines().map(|line| line.trim().to_owned()).collect();
        let reason = lines.join(" ");
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(reason.clone()).is_none() {
            warn!(error = reason, "the database cannot be reached to read from; trying again until it can");
        }
    }
}

struct PooledReader<C> {
    connection: C,
    lost: bool,
    ends_at: Option<Instant>,
    checked_at: Instant,
}

impl ConnectionLifetime {
    /// When a connection that is made now ends.
    fn end(&self) -> Option<Instant> {
        let half = self.at_most / 2;
        // The standard library's only source of random numbers: each state has keys of its own.
        let random = RandomState::new().build_hasher().finish() & u64::from(u32::MAX);
        let share = u32::try_from(random).unwrap_or(u32::MAX);
        let part = half.mul_f64(f64::from(share) / f64::from(u32::MAX));
        Instant::now().checked_add(half + part)
    }
}

impl<C> Deref for PooledReader<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for PooledReader<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}

impl<M: ManageConnection> ManageConnection for Discarding<M> {
    type Connection = PooledReader<M::Connection>;
    type Error = M::Error;

    fn connect(&self) -> Result<Self::Connection, M::Error> {
        let connection = self.manager.connect()?;
        self.outage.is_over();
        let ends_at = self.lifetime.and_then(|lifetime| lifetime.end());
        Ok(PooledReader { connection, lost: false, ends_at, checked_at: Instant::now() })
    }

    fn is_valid(&self, slot: &mut Self::Connection) -> Result<(), M::Error> {
        self.manager.is_valid(&mut slot.connection)
    }

    fn has_broken(&self, slot: &mut Self::Connection) -> bool {
        slot.lost || self.manager.has_broken(&mut slot.connection)
    }
}

struct ReaderCustomizer<C, E>(Box<dyn CustomizeConnection<C, E>>);

impl<C, E> fmt::Debug for ReaderCustomizer<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReaderCustomizer")
    }
}

impl<C: Send + 'static, E: 'static> CustomizeConnection<PooledReader<C>, E> for ReaderCustomizer<C, E> {
    fn on_acquire(&self, slot: &mut PooledReader<C>) -> Result<(), E> {
        self.0.on_acquire(&mut slot.connection)
    }
}

#[cfg(test)]
mod tests;
