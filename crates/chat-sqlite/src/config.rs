//! What an operator decides about the store.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chat_domain::ports::MAX_PEOPLE_AGE;

/// Where the database lies and how much is done at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteConfig {
    /// The database file.
    pub path: PathBuf,
    /// How many connections read at the same time.
    pub readers: u32,
    /// How many reads are with the reading connections at most, running or in line; more wait for a place.
    pub read_queue: usize,
    /// How many writes wait at most; more are refused as `Unavailable`.
    pub queue: usize,
    /// How many writes are committed together at most.
    pub max_batch: usize,
    /// How long the node may show a person as it remembers them.
    pub people_max_age: Duration,
    /// How long to wait for another process that writes to the same file.
    pub busy_timeout: Duration,
    /// How long a read may take, waiting included, before it is refused as `Unavailable`.
    pub read_timeout: Duration,
    /// How long a caller waits for a write before it fails as `Unavailable`; the write may still take place.
    pub write_timeout: Duration,
}

impl SqliteConfig {
    /// The fewest connections that read; beyond that there is one for each core.
    pub const MIN_READERS: u32 = 2;
    /// The default of [`Self::read_queue`].
    pub const READ_QUEUE: usize = chat_sql::READ_QUEUE;
    /// The default of [`Self::queue`].
    pub const WRITE_QUEUE: usize = chat_sql::WRITE_QUEUE;
    /// The default of [`Self::max_batch`].
    pub const WRITE_BATCH: usize = chat_sql::WRITE_BATCH;

    /// The default of [`Self::readers`] on so many cores.
    pub fn default_readers(cores: usize) -> u32 {
        u32::try_from(cores).unwrap_or(u32::MAX).max(Self::MIN_READERS)
    }

    /// The defaults for a database file on this machine.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: Self::default_readers(thread::available_parallelism().map_or(1, usize::from)),
            read_queue: Self::READ_QUEUE,
            queue: Self::WRITE_QUEUE,
            max_batch: Self::WRITE_BATCH,
            people_max_age: MAX_PEOPLE_AGE,
            busy_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(15),
        }
    }
}
