//! The store as a whole: open it, use its parts, close it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use chat_domain::model::{Epoch, LiveEvent};
use chat_domain::ports::Notifier;
use chat_sql::{PeopleMemory, ReadLimits, Reads, SessionWriter, StartError, WriteProbe, WriteQueue, WriterLimits};
use diesel::prelude::*;
use metrics::gauge;
use tokio::runtime::Handle;
use tracing::{error, info};

use crate::connection::{self, OpenMode, PrepareReader};
use crate::database::Database;
use crate::schema::chat_identity;
use crate::session_store::SqliteSessionStore;
use crate::{
    OpenError, SqliteAgentDirectory, SqliteConfig, SqliteEventLog, SqliteHealthProbe, SqliteMessageRepository,
    SqliteOrphanRegistry, SqlitePeopleDirectory, SqlitePresenceStore, SqliteRevocationStore, SqliteSessionRepository,
    SqliteSigningKeyStore, SqliteStatsReader, SqliteTicketStore, SqliteUploadRegistry, epoch, migrate,
};

/// The name of the store in metrics.
const STORE: &str = "sqlite";

/// The embedded store.
pub struct SqliteStore {
    /// Keeps sessions.
    pub sessions: Arc<SqliteSessionRepository>,
    /// Keeps messages.
    pub messages: Arc<SqliteMessageRepository>,
    /// Reads the past of sessions.
    pub events: Arc<SqliteEventLog>,
    /// Reads the statistics.
    pub stats: Arc<SqliteStatsReader>,
    /// Keeps the agents.
    pub agents: Arc<SqliteAgentDirectory>,
    /// Looks people up.
    pub people: Arc<SqlitePeopleDirectory>,
    /// Keeps when agents last had an inbox open.
    pub presence: Arc<SqlitePresenceStore>,
    /// Keeps whose access was ended.
    pub revocations: Arc<SqliteRevocationStore>,
    /// Keeps tickets.
    pub tickets: Arc<SqliteTicketStore>,
    /// Reads the key that tickets for downloads are signed with.
    pub signing_keys: Arc<SqliteSigningKeyStore>,
    /// Remembers orphans.
    pub orphans: Arc<SqliteOrphanRegistry>,
    /// Remembers the files that wait to be sent.
    pub uploads: Arc<SqliteUploadRegistry>,
    /// Tries the database.
    pub health: Arc<SqliteHealthProbe>,
    pub(crate) database: Arc<Database>,
    identity: String,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl SqliteStore {
    /// Opens a migrated database. Every committed change is given to `notifier` by the writer's thread.
    ///
    /// Must be called on a tokio runtime with a blocking pool; that runtime carries all reads from then on, whichever
    /// runtime the callers are on. A caller's own runtime needs its timer enabled.
    ///
    /// # Errors
    /// When the file is missing, not a database, or lacks migrations.
    pub async fn open(config: SqliteConfig, notifier: Arc<dyn Notifier>) -> Result<Self, OpenError> {
        let runtime = Handle::current();
        let path = config.path.clone();
        let here = runtime.clone();
        let opened = runtime.spawn_blocking(move || Self::open_blocking(&config, notifier, here)).await;
        opened.unwrap_or_else(|ended| Err(OpenError::File { path, reason: ended.to_string() }))
    }

    fn open_blocking(config: &SqliteConfig, notifier: Arc<dyn Notifier>, runtime: Handle) -> Result<Self, OpenError> {
        let path = config.path.as_path();
        let file = |reason: String| OpenError::File { path: path.to_owned(), reason };
        let mut writer = writing_connection(config)?;
        let identity = read_identity(&mut writer, path)?;
        let readers = config.readers.max(1);
        let thread_failed = |source| OpenError::Thread { path: path.to_owned(), source };
        let limits = ReadLimits {
            store: STORE,
            connections: readers,
            queue: config.read_queue,
            timeout: config.read_timeout,
            lifetime: None,
        };
        let prepare = PrepareReader { busy_timeout: config.busy_timeout };
        let reads = Reads::start(connection::readers(path), Box::new(prepare), limits);
        let reads = reads.map_err(|error| match error {
            StartError::Connection(reason) => file(reason),
            StartError::Thread(source) => thread_failed(source),
        })?;
        let limits =
            WriterLimits { store: STORE, queue: config.queue, batch: config.max_batch, timeout: config.write_timeout };
        let publish = move |event| notifier.publish(LiveEvent::Durable(event));
        let people = PeopleMemory::new(config.people_max_age);
        let sessions = SqliteSessionStore::new(writer, Arc::clone(&people));
        let (writer, thread) = WriteQueue::start(SessionWriter(sessions), limits, publish).map_err(thread_failed)?;
        gauge!("chat_writers", "store" => STORE).set(1.0);
        let database = Arc::new(Database { reads, runtime, people, writer });
        info!(
            db.path = %path.display(),
            db.schema = migrate::newest(),
            db.readers = readers,
            "opened the database {}",
            path.display()
        );
        Ok(Self::new(database, path, identity, thread))
    }

    fn new(database: Arc<Database>, path: &Path, identity: String, writer: JoinHandle<()>) -> Self {
        let db = || Arc::clone(&database);
        let orphans = SqliteOrphanRegistry { database: db(), path: path.to_owned(), round: Arc::default() };
        Self {
            sessions: Arc::new(SqliteSessionRepository { database: db() }),
            messages: Arc::new(SqliteMessageRepository { database: db() }),
            events: Arc::new(SqliteEventLog { database: db() }),
            stats: Arc::new(SqliteStatsReader { database: db() }),
            agents: Arc::new(SqliteAgentDirectory { database: db() }),
            people: Arc::new(SqlitePeopleDirectory { database: db() }),
            presence: Arc::new(SqlitePresenceStore { database: db() }),
            revocations: Arc::new(SqliteRevocationStore { database: db() }),
            uploads: Arc::new(SqliteUploadRegistry { database: db() }),
            tickets: Arc::new(SqliteTicketStore { database: db() }),
            signing_keys: Arc::new(SqliteSigningKeyStore { database: db(), path: path.to_owned() }),
            orphans: Arc::new(orphans),
            health: Arc::new(SqliteHealthProbe { database: db(), writes: WriteProbe::default() }),
            writer: Arc::new(Mutex::new(Some(writer))),
            database,
            identity,
        }
    }

    /// Which database this is: 32 hexadecimal digits, the same for all copies of a database and for no other.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Begins a new epoch and returns it: positions that clients know belong to another history from then on.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn rotate_epoch(&self) -> chat_domain::Result<Epoch> {
        self.database.writer.run(epoch::begin).await
    }

    /// Finishes every write that waits, empties the write-ahead log and stops the writer. Later writes are refused as
    /// `Unavailable`; reads go on. Closing twice is the same as once.
    pub async fn close(&self) {
        let database = Arc::clone(&self.database);
        let writer = Arc::clone(&self.writer);
        let closing = self.database.runtime.spawn_blocking(move || {
            database.writer.stop();
            let thread = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if thread.is_some_and(|thread| thread.join().is_err()) {
                error!("the database writer panicked");
            }
        });
        // A runtime that is gone has nothing left to wait for.
        let _runtime_gone = closing.await;
    }
}

fn writing_connection(config: &SqliteConfig) -> Result<SqliteConnection, OpenError> {
    let path = config.path.as_path();
    let file = |reason: String| OpenError::File { path: path.to_owned(), reason };
    let mut writer =
        connection::connect(path, OpenMode::Write, config.busy_timeout).map_err(|error| file(error.to_string()))?;
    connection::check_encoding(&mut writer, path)?;
    let pending = pending(&mut writer, path)?;
    if !pending.is_empty() {
        return Err(OpenError::PendingMigrations { path: path.to_owned(), pending });
    }
    let mode = connection::use_write_ahead_log(&mut writer).map_err(|error| file(error.to_string()))?;
    if mode != "wal" {
        return Err(OpenError::WriteAheadLog { path: path.to_owned(), mode });
    }
    connection::prepare_writer(&mut writer).map_err(|error| file(error.to_string()))?;
    Ok(writer)
}

fn read_identity(writer: &mut SqliteConnection, path: &Path) -> Result<String, OpenError> {
    let identity = chat_identity::table.select(chat_identity::id).first(writer);
    identity.map_err(|error| match error {
        diesel::NotFound => OpenError::NoIdentity { path: path.to_owned() },
        error => OpenError::Identity { path: path.to_owned(), reason: error.to_string() },
    })
}

fn pending(writer: &mut SqliteConnection, path: &Path) -> Result<Vec<String>, OpenError> {
    Ok(migrate::pending(writer, path)?)
}
