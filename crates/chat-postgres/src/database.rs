//! The way from the repositories to Postgres: reads through a pool of connections, look-ups of sessions many at a time,
//! writes through the writers' threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{ChatSession, SessionId};
use chat_domain::write::{SessionWrite, WriteReply};
use chat_domain::{ChatError, Result};
use chat_sql::{ConnectionLifetime, Lookups, PeopleMemory, ReadLimits, Reads, SessionWriter, StartError, WriteQueue};
use diesel::prelude::*;
use tokio::runtime::Handle;

use crate::config::PgConfig;
use crate::connection::{PgTarget, ReaderManager};
use crate::error::{Failure, OpenError};
use crate::session_store::PgSessionStore;
use crate::ticket_writer::TicketWriter;
use crate::url::PgUrl;
use crate::{get_session, instance, migrate, suitability, tls};

/// The name of the store in metrics.
pub(crate) const STORE: &str = "postgres";

/// The queue of one writer of sessions.
pub(crate) type SessionQueue = WriteQueue<SessionWriter<PgSessionStore>>;

/// An open database.
pub(crate) struct Database {
    pub(crate) reads: Reads<ReaderManager>,
    pub(crate) sessions: Lookups<SessionId, ChatSession>,
    /// At least one. A session belongs to one of them, so that its changes are published in their order.
    pub(crate) writers: Vec<SessionQueue>,
    /// Of tickets, which belong to no session.
    pub(crate) tickets: WriteQueue<TicketWriter>,
    /// What writers and readers remember of people.
    pub(crate) people: Arc<PeopleMemory>,
    /// Where the store was opened.
    pub(crate) runtime: Handle,
    /// How long a read may take that has several parts. Each of them is limited by itself too.
    pub(crate) read_timeout: Duration,
}

impl Database {
    /// Runs statements that read, each of which sees the database at a moment of its own; see [`Reads::run`].
    pub(crate) async fn read<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut PgConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.reads.run(work).await
    }

    /// Runs one statement that writes, which is a transaction by itself, on a connection that readers use. It must not
    /// matter if it runs twice: it does when its connection is lost.
    pub(crate) async fn autocommit<R, F>(&self, work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut PgConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.reads.run(work).await
    }

    /// Runs several statements that read, all of which see the database at one moment.
    pub(crate) async fn read_snapshot<R, F>(&self, mut work: F) -> Result<R>
    where
        R: Send + 'static,
        F: FnMut(&mut PgConnection) -> Result<R, Failure> + Send + 'static,
    {
        self.read(move |connection| connection.build_transaction().repeatable_read().read_only().run(&mut work)).await
    }

    /// Does reads that follow each other in the time of one.
    pub(crate) async fn together<R>(&self, reads: impl Future<Output = Result<R>>) -> Result<R> {
        match tokio::time::timeout(self.read_timeout, reads).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(ChatError::unavailable("database: reading takes too long")),
        }
    }

    /// Submits a write to the writer of its session.
    pub(crate) async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        let session_id = match &write {
            SessionWrite::OpenSession(open) => Some(open.session.id),
            _ => write.session_id(),
        };
        let writer = session_id.and_then(|id| self.writer_of(id));
        writer.ok_or_else(|| ChatError::internal("the store has no writer"))?.write(write).await
    }

    /// The lower half of an id is random, in every version of UUID that we make.
    fn writer_of(&self, session: SessionId) -> Option<&SessionQueue> {
        let (_, random) = session.as_uuid().as_u64_pair();
        let count = u64::try_from(self.writers.len()).ok().filter(|count| *count > 0)?;
        usize::try_from(random % count).ok().and_then(|index| self.writers.get(index))
    }
}

/// Starts the thread that looks sessions up.
pub(crate) fn start_lookups(
    reads: &Reads<ReaderManager>,
    config: &PgConfig,
) -> std::io::Result<Lookups<SessionId, ChatSession>> {
    Lookups::start(reads.clone(), (config.queue, config.read_timeout), |connection, ids: &[SessionId]| {
        let ids: Vec<uuid::Uuid> = ids.iter().map(SessionId::as_uuid).collect();
        let found = get_session::find_many(connection, &ids)?;
        Ok::<HashMap<_, _>, Failure>(found.into_iter().map(|session| (session.id, session)).collect())
    })
}

/// A database that may be used: it can be reached as the operator wants it, has its migrations, and says which one it is.
pub(crate) struct CheckedDatabase {
    /// The database without its password, for messages.
    pub(crate) shown: String,
    /// How to connect to it.
    pub(crate) target: PgTarget,
    /// Which one it is; see `PgStore::identity`.
    pub(crate) identity: String,
}

/// Checks all that an operator may have got wrong. Blocks.
pub(crate) fn check(config: &PgConfig) -> Result<CheckedDatabase, OpenError> {
    let url = PgUrl::parse(&config.url).map_err(|problem| OpenError::Url { problem })?;
    let database = || url.shown().to_owned();
    url.check_tls()?;
    let target = PgTarget::rows(&url, config);
    suitability::check(&url, &target)?;
    let pending = migrate::pending(&url)?;
    if !pending.is_empty() {
        return Err(OpenError::PendingMigrations { database: database(), pending });
    }
    let connected = target.connect();
    let mut connection =
        connected.map_err(|error| OpenError::Connect { database: database(), reason: error.to_string() })?;
    let identity = instance::identity(&mut connection).map_err(|error| match error {
        diesel::NotFound => OpenError::NoIdentity { database: database() },
        error => OpenError::Identity { database: database(), reason: error.to_string() },
    })?;
    tls::warn_if_plain(&url);
    Ok(CheckedDatabase { shown: database(), target, identity })
}

/// Starts the connections that read. Blocks until the first one is made.
pub(crate) fn start_reads(checked: &CheckedDatabase, config: &PgConfig) -> Result<Reads<ReaderManager>, OpenError> {
    let limits = ReadLimits {
        store: STORE,
        connections: config.readers,
        queue: config.read_queue,
        timeout: config.read_timeout,
        lifetime: Some(ConnectionLifetime { at_most: config.reader_lifetime, check_every: config.reader_check }),
    };
    let database = checked.shown.clone();
    Reads::start(checked.target.manager(), checked.target.prepare(), limits).map_err(|error| match error {
        StartError::Connection(reason) => OpenError::Connect { database, reason },
        StartError::Thread(source) => OpenError::Thread { database, source },
    })
}
