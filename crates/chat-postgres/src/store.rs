//! The store as a whole: open it, use its parts, close it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use chat_domain::ChatError;
use chat_domain::model::{Epoch, LiveEvent};
use chat_domain::ports::Notifier;
use chat_sql::{PeopleMemory, SessionWriter, WriteProbe, WriteQueue, WriterLimits};
use metrics::gauge;
use tokio::runtime::Handle;
use tracing::{error, info};

use crate::database::{self, CheckedDatabase, Database, STORE, SessionQueue};
use crate::session_store::PgSessionStore;
use crate::ticket_writer::TicketWriter;
use crate::writing_connection::WritingConnection;
use crate::{
    OpenError, PgAgentDirectory, PgConfig, PgEventLog, PgFanoutCredentials, PgHealthProbe, PgMessageRepository,
    PgOrphanRegistry, PgPeopleDirectory, PgPresenceStore, PgRevocationStore, PgSessionRepository, PgSigningKeyStore,
    PgStatsReader, PgTicketStore, PgUploadRegistry, epoch, migrate,
};

/// The store for many nodes.
pub struct PgStore {
    /// Keeps sessions.
    pub sessions: Arc<PgSessionRepository>,
    /// Keeps messages.
    pub messages: Arc<PgMessageRepository>,
    /// Reads the past of sessions.
    pub events: Arc<PgEventLog>,
    /// Reads the statistics.
    pub stats: Arc<PgStatsReader>,
    /// Keeps the agents.
    pub agents: Arc<PgAgentDirectory>,
    /// Looks people up.
    pub people: Arc<PgPeopleDirectory>,
    /// Keeps when agents last had an inbox open.
    pub presence: Arc<PgPresenceStore>,
    /// Keeps whose access was ended.
    pub revocations: Arc<PgRevocationStore>,
    /// Keeps tickets.
    pub tickets: Arc<PgTicketStore>,
    /// Reads the key that tickets for downloads are signed with.
    pub signing_keys: Arc<PgSigningKeyStore>,
    /// Remembers orphans.
    pub orphans: Arc<PgOrphanRegistry>,
    /// Remembers the files that wait to be sent.
    pub uploads: Arc<PgUploadRegistry>,
    /// Reads what nodes know each other by.
    pub fanout: Arc<PgFanoutCredentials>,
    /// Tries the database.
    pub health: Arc<PgHealthProbe>,
    database: Arc<Database>,
    identity: String,
    writers: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl PgStore {
    /// Opens a migrated database. Every change that this node commits is given to `notifier` by a writer's thread, those
    /// of one session in their order.
    ///
    /// Must be called on a tokio runtime with a blocking pool. A caller's own runtime needs its timer enabled.
    ///
    /// # Errors
    /// When the URL is wrong, the server cannot be reached as it asks, or the database lacks migrations.
    pub async fn open(config: PgConfig, notifier: Arc<dyn Notifier>) -> Result<Self, OpenError> {
        let runtime = Handle::current();
        let here = runtime.clone();
        let opened = runtime.spawn_blocking(move || Self::open_blocking(&config, &notifier, here)).await;
        opened.unwrap_or_else(|ended| {
            let reason = format!("opening it was interrupted: {ended}");
            Err(OpenError::Connect { database: "as configured".to_owned(), reason })
        })
    }

    fn open_blocking(config: &PgConfig, notifier: &Arc<dyn Notifier>, runtime: Handle) -> Result<Self, OpenError> {
        let checked = database::check(config)?;
        let thread_failed = |source| OpenError::Thread { database: checked.shown.clone(), source };
        let reads = database::start_reads(&checked, config)?;
        let sessions = database::start_lookups(&reads, config).map_err(thread_failed)?;
        let people = PeopleMemory::new(config.people_max_age);
        let (writers, mut threads) = start_writers(&checked, config, notifier, &people)?;
        let (tickets, thread) = start_tickets(&checked, config).map_err(thread_failed)?;
        threads.push(thread);
        info!(
            db.schema = migrate::newest(),
            db.readers = config.readers,
            db.writers = writers.len(),
            "opened the database {}",
            checked.shown
        );
        let database = Arc::new(Database {
            reads,
            sessions,
            writers,
            tickets,
            people,
            runtime,
            read_timeout: config.read_timeout,
        });
        Ok(Self::new(database, checked, threads))
    }

    fn new(database: Arc<Database>, checked: CheckedDatabase, writers: Vec<JoinHandle<()>>) -> Self {
        let db = || Arc::clone(&database);
        Self {
            sessions: Arc::new(PgSessionRepository { database: db() }),
            messages: Arc::new(PgMessageRepository { database: db() }),
            events: Arc::new(PgEventLog { database: db() }),
            stats: Arc::new(PgStatsReader { database: db() }),
            agents: Arc::new(PgAgentDirectory { database: db() }),
            people: Arc::new(PgPeopleDirectory { database: db() }),
            presence: Arc::new(PgPresenceStore { database: db() }),
            revocations: Arc::new(PgRevocationStore { database: db() }),
            uploads: Arc::new(PgUploadRegistry { database: db() }),
            tickets: Arc::new(PgTicketStore { database: db() }),
            signing_keys: Arc::new(PgSigningKeyStore { database: db() }),
            orphans: Arc::new(PgOrphanRegistry { database: db(), target: checked.target }),
            fanout: Arc::new(PgFanoutCredentials { database: db() }),
            health: Arc::new(PgHealthProbe { database: db(), writes: WriteProbe::default() }),
            writers: Arc::new(Mutex::new(writers)),
            database,
            identity: checked.identity,
        }
    }

    /// Which database this is: 32 hexadecimal digits, the same for all nodes on it and for all copies of it.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Begins a new epoch and returns it: positions that clients know belong to another history from then on.
    ///
    /// # Errors
    /// What the database fails with.
    pub async fn rotate_epoch(&self) -> Result<Epoch, ChatError> {
        let writer = self.database.writers.first().ok_or_else(|| ChatError::internal("the store has no writer"))?;
        writer.run(|connection| epoch::begin(connection.get()?)).await
    }

    /// Finishes every write that waits and stops the writers. Later writes are refused as `Unavailable`; reads go on.
    /// Closing twice is the same as once.
    pub async fn close(&self) {
        let database = Arc::clone(&self.database);
        let writers = Arc::clone(&self.writers);
        let closing = self.database.runtime.spawn_blocking(move || {
            database.writers.iter().for_each(WriteQueue::stop);
            database.tickets.stop();
            let threads = std::mem::take(&mut *writers.lock().unwrap_or_else(PoisonError::into_inner));
            for thread in threads {
                if thread.join().is_err() {
                    error!("a database writer panicked");
                }
            }
        });
        // A runtime that is gone has nothing left to wait for.
        let _runtime_gone = closing.await;
    }
}

/// Starts the writer of tickets, which connects when the first one is issued or used.
fn start_tickets(
    checked: &CheckedDatabase,
    config: &PgConfig,
) -> std::io::Result<(WriteQueue<TicketWriter>, JoinHandle<()>)> {
    let limits =
        WriterLimits { store: STORE, queue: config.queue, batch: config.max_batch, timeout: config.write_timeout };
    let connection = WritingConnection::without_counters(checked.target.clone());
    WriteQueue::start(TicketWriter::new(connection), limits, |event: Infallible| match event {})
}

type Writers = (Vec<SessionQueue>, Vec<JoinHandle<()>>);

fn start_writers(
    checked: &CheckedDatabase,
    config: &PgConfig,
    notifier: &Arc<dyn Notifier>,
    people: &Arc<PeopleMemory>,
) -> Result<Writers, OpenError> {
    let count = config.writers.max(1);
    let limits =
        WriterLimits { store: STORE, queue: config.queue, batch: config.max_batch, timeout: config.write_timeout };
    let session_cache = config.session_cache / count;
    let (mut queues, mut threads) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        let connection = WritingConnection::open(checked.target.clone()).map_err(|failure| {
            let reason = ChatError::from(failure).to_string();
            OpenError::Connect { database: checked.shown.clone(), reason }
        })?;
        let notifier = Arc::clone(notifier);
        let publish = move |event| notifier.publish(LiveEvent::Durable(event));
        let store = PgSessionStore::new(connection, session_cache, Arc::clone(people));
        let started = WriteQueue::start(SessionWriter(store), limits, publish);
        let (queue, thread) =
            started.map_err(|source| OpenError::Thread { database: checked.shown.clone(), source })?;
        queues.push(queue);
        threads.push(thread);
    }
    gauge!("chat_writers", "store" => STORE).set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    Ok((queues, threads))
}
